"""Results of canvases that were run here: everything is known, and nothing is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Self, TypeVar

from gesso.connection import End
from gesso.deadline import Timeout
from gesso.eager.attempts import stored_arguments
from gesso.eager.node import REVOKED, Fate, Node
from gesso.group_result import GroupResult
from gesso.handle import Sent
from gesso.home import Home
from gesso.result import AsyncResult, Result
from gesso.v1 import node_pb2
from gesso.v1.coordinator_service_pb2 import WaitNodeResponse
from gesso.values import Ended
from gesso.watching import WatchEvent

R = TypeVar("R")


def result_of(node: Node, app: Home) -> EagerResult[Any] | EagerGroupResult[Any]:
    """Return the result of a node."""
    return EagerGroupResult(node, app) if node.joins else EagerResult(node, app)


def ended(node: Node) -> Ended:
    """Return how a node ended."""
    error = REVOKED if node.fate is Fate.CANCELLED else node.error
    return Ended(state=node.state, value=node.shown, error=error)


def sent_here(node: Node) -> Sent | None:
    """Return the arguments that a task was sent with; None for a join."""
    if node.sent is None:
        return None
    args, kwargs = stored_arguments(node.sent)
    return Sent(list(args), kwargs)


class _Here(Result[R]):
    """What is different for a node that is here. It stands in front of AsyncResult and GroupResult."""

    node: Node

    def _wait(self, timeout: Timeout) -> Ended:  # noqa: ARG002 - it has ended
        return ended(self.node)

    def _node(self, *, with_signature: bool = False, with_waiting: bool = False) -> node_pb2.Node:  # noqa: ARG002 - see `_sent`; it has ended
        return self.node.message()

    @property
    def parent(self) -> Result[Any] | None:
        """The result of the step before; None when there is none."""
        return None if self.node.parent is None else result_of(self.node.parent, self.app)

    @property
    def children(self) -> list[Result[Any]]:
        """The results of what stands directly behind it; of a group, of its members."""
        found = self.node.members if self.node.joins else self.node.children
        return [result_of(each, self.app) for each in found]

    def watch(self) -> Iterator[WatchEvent]:
        """Yield nothing: all of it has ended, and there is no canvas."""
        return iter(())

    def arrival(self) -> End:
        """Return where the end arrives: it has."""
        end = End()
        end.set_result(WaitNodeResponse())
        return end

    def ending(self, end: End) -> None:
        """Do nothing: it has ended."""

    def then(self, callback: Callable[[Self], Any], on_error: Callable[[Self], Any] | None = None) -> Self:
        """Call `callback` with this result if it ended well, and otherwise `on_error`."""
        chosen = callback if self._wait(None).error is None else on_error
        if chosen is not None:
            chosen(self)
        return self

    def revoke(self, *args: Any, **kwargs: Any) -> None:
        """Do nothing: it has ended."""

    def forget(self) -> None:
        """Drop the value."""
        self.node.value = None


class EagerResult(_Here[R], AsyncResult[R]):
    """The result of a task that was run here, or of a canvas that ends in one."""

    def __init__(self, node: Node, app: Home) -> None:
        super().__init__(node.id, app)
        self.node = node

    def _sent(self) -> Sent | None:
        return sent_here(self.node)


class EagerGroupResult(_Here[list[R]], GroupResult[R]):
    """The result of a group that was run here."""

    def __init__(self, node: Node, app: Home) -> None:
        members = [result_of(member, app) for member in node.members]
        GroupResult.__init__(self, node.id, members, None, app, len(members))
        self.node = node
