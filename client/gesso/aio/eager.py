"""Canvases run in this process, for coroutines: in a thread, so that the event loop goes on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, TypeVar, cast

from gesso.aio.coordinator import End
from gesso.aio.group_result import GroupResult
from gesso.aio.result import AsyncResult, Home, Result
from gesso.app import App
from gesso.canvas import Canvas
from gesso.deadline import Timeout
from gesso.eager import Node, ended, sent_here
from gesso.handle import Sent
from gesso.v1 import node_pb2
from gesso.v1.coordinator_service_pb2 import WaitNodeResponse
from gesso.values import Ended
from gesso.watching import WatchEvent

__all__ = ["EagerGroupResult", "EagerResult", "apply_here"]

R = TypeVar("R")


async def apply_here(canvas: Canvas, app: App, *, throw: bool | None = None) -> Result[Any] | None:
    """Run a canvas in this process, and return its result; see `App.apply`."""
    found = await asyncio.to_thread(app.apply, canvas, throw=throw)
    return None if found is None else _result_of(found.node, app).submitted()


def _result_of(node: Node, app: Home) -> EagerResult[Any] | EagerGroupResult[Any]:
    return EagerGroupResult(node, app) if node.joins else EagerResult(node, app)


class _Here(Result[R]):
    """What is different for a node that is here. It stands in front of AsyncResult and GroupResult."""

    def __init__(self, node: Node, app: Home) -> None:
        super().__init__(node.id, app)
        self.node = node

    async def _wait(self, timeout: Timeout) -> Ended:  # noqa: ARG002 - it has ended
        return ended(self.node)

    async def _node(self, *, with_signature: bool = False, with_waiting: bool = False) -> node_pb2.Node:  # noqa: ARG002 - see `sent`; it has ended
        return self.node.message()

    async def watch(self) -> AsyncIterator[WatchEvent]:
        """Yield nothing: all of it has ended, and there is no canvas."""
        nothing: tuple[WatchEvent, ...] = ()
        for event in nothing:
            yield event

    def arrival(self) -> End:
        """Return where the end arrives: it has."""
        end: End = asyncio.get_running_loop().create_future()
        end.set_result(WaitNodeResponse())
        return end

    def ending(self, end: End) -> None:
        """Do nothing: it has ended."""

    async def parent(self) -> Result[Any] | None:
        """Return the result of the step before; None when there is none."""
        return None if self.node.parent is None else _result_of(self.node.parent, self.app)

    async def children(self) -> list[Result[Any]]:
        """Return the results of what stands directly behind it; of a group, of its members."""
        found = self.node.members if self.node.joins else self.node.children
        return [_result_of(each, self.app) for each in found]

    async def revoke(self, terminate: bool = False) -> None:  # noqa: FBT001, FBT002 - Celery's
        """Do nothing: it has ended."""

    async def forget(self) -> None:
        """Drop the value."""
        self.node.value = None


class EagerResult(_Here[R], AsyncResult[R]):
    """The result of a task that was run here, or of a canvas that ends in one."""

    async def sent(self) -> Sent | None:
        """Return the arguments that it was sent with."""
        return sent_here(self.node)


class EagerGroupResult(_Here[list[R]], GroupResult[R]):
    """The result of a group that was run here."""

    async def __aiter__(self) -> AsyncIterator[Result[R]]:
        for member in self.node.members:
            yield cast("Result[R]", _result_of(member, self.app))
