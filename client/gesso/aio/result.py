"""Results for asyncio: what `gesso.result` has, with `await`."""

from __future__ import annotations

import builtins
import dataclasses
from collections.abc import AsyncIterator, Generator, Mapping
from datetime import datetime
from typing import Any, Generic, Self, TypeVar, cast

from gesso import codec, states
from gesso.aio.coordinator import Coordinator, End
from gesso.aio.home import Home
from gesso.aio.registry import shared
from gesso.aio.walk import walk
from gesso.aio.watching import watch
from gesso.canvas import current_app
from gesso.deadline import Deadline, Timeout
from gesso.errors import FailedPrecondition, IncompleteStream, NotFound
from gesso.graph import DependencyGraph, graph_of
from gesso.handle import (
    META,
    Facts,
    ResultHandle,
    Sent,
    assert_may_wait,
    facts,
    remote_traceback,
    sent,
    shown_id,
)
from gesso.v1 import coordinator_service_pb2 as pb
from gesso.v1 import node_pb2
from gesso.values import ELSEWHERE, Ended, ValueReader, read_ended
from gesso.watching import WatchEvent

__all__ = ["KINDS", "AsyncResult", "Home", "Result", "listed", "result_of"]

R = TypeVar("R")


class Result(ResultHandle, Generic[R]):
    """What a task and a group share. `await result` is `await result.get()`.

    Args:
        id: The node's id, or one that the client chose for it.
        app: Where it was submitted. None means the current app.
    """

    def __init__(self, id: str, app: Home | None = None) -> None:  # noqa: A002 - Celery's
        self.id = id
        self.app = app if app is not None else cast("Home", current_app())
        self._submitted = False
        self._end: tuple[Coordinator, End] | None = None
        self._ended: Ended | None = None

    def submitted(self, end: End | None = None, chosen_id: str | None = None) -> Self:
        """Mark it as made by sending; see `gesso.result.Result.submitted`."""
        self._submitted = True
        self.id = chosen_id or self.id
        if end is not None:
            self.ending(end)
        return self

    # --- its value ---------------------------------------------------------------------------

    async def get(
        self,
        timeout: Timeout = None,
        propagate: bool = True,  # noqa: FBT001, FBT002 - Celery's
    ) -> R:
        """Return the value, once it is there.

        Args:
            timeout: Seconds to wait at the most. None waits for ever.
            propagate: Whether an error is raised; otherwise it is returned.

        Raises:
            TimeoutError: If it did not end in time. It goes on.
            NotFound: If it was never submitted, or its result was removed.
            RuntimeError: If a task is waiting.
            Exception: What it ended with.
        """
        assert_may_wait()
        ended = await self._wait(timeout)
        error = ended.exception(self.app.error_classes, original=self._submitted)
        if error is None:
            return cast("R", ended.value)
        if propagate:
            raise error
        return cast("R", error)

    async def wait(
        self,
        timeout: Timeout = None,
        propagate: bool = True,  # noqa: FBT001, FBT002 - Celery's
    ) -> R:
        """Do as `get`."""
        return await self.get(timeout, propagate)

    def __await__(self) -> Generator[Any, None, R]:
        return self.get().__await__()

    def watch(self) -> AsyncIterator[WatchEvent]:
        """Yield how its whole canvas stands and then what changes, until it has ended; see `gesso.App.watch`."""
        return watch(self)

    def arrival(self) -> End:
        """Return where the end arrives; the wait goes on for as long as it is held."""
        return self._known_end() or self._coordinator().wait(self.id)

    def ending(self, end: End) -> None:
        """Take over a wait that `arrival` returned, so that `get` asks for nothing more."""
        self._end = (self._coordinator(), end)

    async def _wait(self, timeout: Timeout) -> Ended:
        if self._ended is None:
            deadline = Deadline(timeout)
            ended = read_ended(await self._coordinator().ended(self.id, self._known_end(), deadline))
            if ended.value is ELSEWHERE:
                ended = dataclasses.replace(ended, value=await self._read(deadline.left()))
            self._ended, self._end = ended, None
        return self._ended

    async def _read(self, timeout: Timeout) -> Any:
        async def take(parts: AsyncIterator[pb.ReadValueResponse]) -> Any:
            reader = ValueReader(self.app.error_classes)
            async for part in parts:
                reader.feed(part.items)
            return reader.value

        return await self._coordinator().read_value(pb.ReadValueRequest(node_id=self.id), take, timeout)

    def _known_end(self) -> End | None:
        """Return the end that came with the submission, if this event loop made it."""
        if self._end is None or self._end[0] is not self._coordinator():
            return None
        return self._end[1]

    # --- how it stands -----------------------------------------------------------------------

    async def facts(self) -> Facts | None:
        """Return what is known about it; None when it was never submitted, or was removed."""
        try:
            return facts(await self._node())
        except NotFound:
            return None

    async def state(self) -> str:
        """Return the state; PENDING also when nothing is known of the id."""
        if self._ended is not None:
            return self._ended.state
        found = await self.facts()
        return states.PENDING if found is None else found.state

    async def ready(self) -> bool:
        """Return whether it has ended."""
        return self._ended is not None or ((found := await self.facts()) is not None and found.final)

    async def successful(self) -> bool:
        """Return whether it ended well."""
        return await self.state() == states.SUCCESS

    async def failed(self) -> bool:
        """Return whether it ended with an error. A revoked one did not fail."""
        return await self.state() == states.FAILURE

    async def status(self) -> str:
        """Return the state, as Celery calls it too."""
        return await self.state()

    async def result(self) -> Any:
        """Return the value, or the error as an exception; while it runs what the task said of its state, or else None.

        What an ignored task said of the state that it set stays, too. None also once the value was forgotten.
        """
        if self._ended is None:
            found = await self.facts()
            if found is not None and found.custom_meta is not None:
                return codec.decode(found.custom_meta)
            if found is None or not found.final:
                return None
        try:
            ended = await self._wait(None)
        except FailedPrecondition:  # it was forgotten
            return None
        error = ended.exception(self.app.error_classes, original=self._submitted)
        return ended.value if error is None else error

    async def info(self) -> Any:
        """Return the result, as Celery calls it too."""
        return await self.result()

    async def traceback(self) -> str | None:
        """Return the remote traceback; None unless it ended with an error that has one."""
        if self._ended is not None:
            return None if self._ended.error is None else remote_traceback(self._ended.error)
        found = await self.facts()
        return None if found is None else found.traceback

    async def waits_for(self) -> str | None:
        """Return why it has not ended, as a sentence; None when it has, or was never submitted."""
        try:
            return (await self._node(with_waiting=True)).waits_for or None
        except NotFound:
            return None

    async def date_submitted(self) -> datetime | None:
        """Return when its canvas was accepted, by the store's clock."""
        return found.date_submitted if (found := await self.facts()) is not None else None

    async def date_done(self) -> datetime | None:
        """Return when it ended, by the store's clock."""
        return found.date_done if (found := await self.facts()) is not None else None

    # --- its place ---------------------------------------------------------------------------

    async def canvas_id(self) -> str | None:
        """Return the id of its canvas; None when it was never submitted."""
        try:
            return (await self._node()).handle.node_id.rpartition("-")[0]
        except NotFound:
            return None

    async def trace_id(self) -> str | None:
        """Return the trace of its canvas, 32 hexadecimal digits."""
        return (found.trace_id or None) if (found := await self.facts()) is not None else None

    async def span_id(self) -> str | None:
        """Return the span that it was stamped with before it ran, 16 hexadecimal digits."""
        return (found.span_id or None) if (found := await self.facts()) is not None else None

    async def groups(self) -> tuple[str, ...]:
        """Return the ids of the groups that it stands inside, from the outermost inwards: those that wait for it."""
        return found.groups if (found := await self.facts()) is not None else ()

    async def level(self) -> int:
        """Return in how many groups it stands, one within the other."""
        return len(await self.groups())

    async def parent(self) -> Result[Any] | None:
        """Return the result of the step before; None when there is none."""
        try:
            node = await self._node()
        except NotFound:
            return None
        return result_of(node.parent, self.app) if node.HasField("parent") else None

    async def children(self) -> builtins.list[Result[Any]]:
        """Return the results of what has it as the task before; see `gesso.result.Result.children`."""
        request = pb.ListNodesRequest(children_of=self.id)
        try:
            return [result async for result in listed(self.app, self._coordinator(), request)]
        except NotFound:
            return []

    # --- what follows from it ----------------------------------------------------------------

    def iterdeps(
        self,
        intermediate: bool = False,  # noqa: FBT001, FBT002 - Celery's
    ) -> AsyncIterator[tuple[Result[Any] | None, Result[Any]]]:
        """Yield this and everything that follows from it, each with what it is a child of; the nearest first.

        Args:
            intermediate: Whether what has not ended is passed over. By default it is an error.

        Raises:
            IncompleteStream: If one of them has not ended.
        """
        return walk(cast("Result[Any]", self), intermediate=intermediate)

    async def collect(
        self,
        intermediate: bool = False,  # noqa: FBT001, FBT002 - Celery's
        **options: Any,
    ) -> AsyncIterator[tuple[Result[Any], Any]]:
        """Yield this and everything that follows from it, each with its value; the nearest first.

        Args:
            intermediate: Whether what has not ended has None as its value. By default it is an error.
            options: For `get`.

        Raises:
            IncompleteStream: If one of them has not ended.
        """
        async for _, each in self.iterdeps(intermediate):
            ready = await each.ready()
            if not ready and not intermediate:
                raise IncompleteStream(f"{each} has not ended.")
            yield each, await each.get(**options) if ready else None

    async def get_leaf(self) -> Any:
        """Return the value of what follows last. Errors are those of `collect`."""
        value: Any = None
        async for _, each in self.collect():
            value = each
        return value

    async def graph(self) -> DependencyGraph[Result[Any]]:
        """Return the graph of everything that follows from this; see `build_graph`."""
        return await self.build_graph()

    async def build_graph(
        self,
        intermediate: bool = False,  # noqa: FBT001, FBT002 - Celery's
    ) -> DependencyGraph[Result[Any]]:
        """Return the graph of everything that follows from this. Arguments and errors are those of `iterdeps`."""
        return graph_of([pair async for pair in self.iterdeps(intermediate)])

    # --- ending it ---------------------------------------------------------------------------

    async def revoke(self, terminate: bool = False) -> None:  # noqa: FBT001, FBT002 - Celery's
        """Revoke it, unless it has ended.

        Args:
            terminate: Whether it is killed when it runs. By default it is told.
        """
        await self._coordinator().revoke_nodes(pb.RevokeNodesRequest(node_ids=[self.id], terminate=terminate))

    async def forget(self) -> None:
        """Remove the value, once everything that needs it has read it."""
        self._ended = None
        await self._coordinator().forget_node(pb.ForgetNodeRequest(node_id=self.id))

    # --- inside ------------------------------------------------------------------------------

    def _coordinator(self) -> Coordinator:
        return shared(self.app.address)

    async def _node(self, *, with_signature: bool = False, with_waiting: bool = False) -> node_pb2.Node:
        request = pb.GetNodeRequest(node_id=self.id, with_signature=with_signature, with_waiting=with_waiting)
        return (await self._coordinator().get_node(request)).node


class AsyncResult(Result[R]):
    """The result of one task, or of a canvas that ends in one."""

    async def as_tuple(self) -> tuple[tuple[str, Any], None]:
        """Return the ids of this and of the steps before it."""
        parent = await self.parent()
        return (self.id, None if parent is None else await cast("Any", parent).as_tuple()), None

    async def sent(self) -> Sent | None:
        """Return the arguments that it was sent with; None when it was never submitted."""
        try:
            return sent(await self._node(with_signature=True))
        except NotFound:
            return None

    async def args(self) -> builtins.list[Any] | None:
        """Return the positional arguments that it was sent with: without the value of the step before."""
        return None if (found := await self.sent()) is None else found.args

    async def kwargs(self) -> dict[str, Any] | None:
        """Return the keyword arguments that it was sent with."""
        return None if (found := await self.sent()) is None else found.kwargs

    async def name(self) -> str | None:
        """Return the name of the task."""
        return (found.task or None) if (found := await self.facts()) is not None else None

    async def queue(self) -> str | None:
        """Return the queue that it waits or waited in."""
        return (found.queue or None) if (found := await self.facts()) is not None else None

    async def worker(self) -> str | None:
        """Return the name of the worker of its last attempt."""
        return (found.worker or None) if (found := await self.facts()) is not None else None

    async def retries(self) -> int:
        """Return how often it was run again because it failed by itself or asked for it."""
        return found.retries if (found := await self.facts()) is not None else 0

    async def attempts(self) -> int:
        """Return how often it was handed to a worker, lost attempts included; not when it came back unbegun."""
        return found.attempts if (found := await self.facts()) is not None else 0

    async def date_ready(self) -> datetime | None:
        """Return when it could first run, by the store's clock; None until it has been handed to a worker."""
        return found.date_ready if (found := await self.facts()) is not None else None

    async def date_started(self) -> datetime | None:
        """Return when its last attempt was handed to its worker, by the store's clock."""
        return found.date_started if (found := await self.facts()) is not None else None

    async def stamps(self) -> Mapping[str, builtins.list[Any]]:
        """Return its stamps, by key."""
        return found.stamps if (found := await self.facts()) is not None else {}

    async def _get_task_meta(self) -> dict[str, Any]:
        """Return what is known, under Celery's keys, and the stamps under theirs."""
        meta = {key: await getattr(self, key)() for key in META}
        stamps = meta["stamps"]
        known = {"task_id": self.id, "status": await self.state()}
        return {**stamps, "stamped_headers": list(stamps), **meta, **known}


async def listed(
    app: Home, coordinator: Coordinator, request: pb.ListNodesRequest
) -> AsyncIterator[Result[Any]]:
    """Yield the results of a list of nodes; a page is asked for when it is needed."""
    request.page_size = 1_000
    while True:
        response = await coordinator.list_nodes(request)
        for node in response.nodes:
            yield result_of(node.handle, app)
        if not response.next_page_token:
            return
        request.page_token = response.next_page_token


def result_of(handle: node_pb2.Handle, app: Home) -> Result[Any]:
    """Return the result of a node."""
    return KINDS.get(handle.kind, AsyncResult)(shown_id(handle), app)


KINDS: dict[int, type[Result[Any]]] = {node_pb2.Node.KIND_TASK: AsyncResult}
"""The kinds of result, by the kind of node."""
