"""Results for asyncio: what `gesso.result` has, with `await`."""

from __future__ import annotations

import builtins
import dataclasses
from collections.abc import AsyncIterator, Generator, Mapping
from typing import Any, Generic, Protocol, Self, TypeVar, cast

from gesso import states
from gesso.aio.coordinator import Coordinator, End
from gesso.aio.registry import shared
from gesso.canvas import current_app
from gesso.deadline import Deadline, Timeout
from gesso.errors import NotFound
from gesso.handle import Facts, ResultHandle, Sent, assert_may_wait, facts, sent, shown_id
from gesso.v1 import coordinator_service_pb2 as pb
from gesso.v1 import node_pb2
from gesso.values import ELSEWHERE, Ended, ValueReader, read_ended

__all__ = ["AsyncResult", "GroupResult", "Result", "result_of"]

R = TypeVar("R")


class Home(Protocol):
    """What results ask of their app."""

    @property
    def address(self) -> str:
        """Where its coordinator is."""
        ...

    @property
    def error_classes(self) -> Mapping[str, type[BaseException]]:
        """What besides builtins and Gesso's own is raised as itself, by name."""
        ...


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
            self._end = (self._coordinator(), end)
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

    def __await__(self) -> Generator[Any, None, R]:
        return self.get().__await__()

    async def _wait(self, timeout: Timeout) -> Ended:
        if self._ended is None:
            deadline = Deadline(timeout)
            ended = read_ended(await self._coordinator().ended(self.id, self._known_end(), timeout))
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

    # --- its place ---------------------------------------------------------------------------

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

    async def _node(self, *, with_signature: bool = False) -> node_pb2.Node:
        request = pb.GetNodeRequest(node_id=self.id, with_signature=with_signature)
        return (await self._coordinator().get_node(request)).node


class AsyncResult(Result[R]):
    """The result of one task, or of a canvas that ends in one."""

    async def sent(self) -> Sent | None:
        """Return the arguments that it was sent with; None when it was never submitted."""
        try:
            return sent(await self._node(with_signature=True))
        except NotFound:
            return None


class GroupResult(Result[list[R]], Generic[R]):
    """The result of a group. `async for member in result` gives its members' results, in order."""

    async def __aiter__(self) -> AsyncIterator[Result[R]]:
        request = pb.ListNodesRequest(members_of=self.id)
        async for member in listed(self.app, self._coordinator(), request):
            yield member

    async def get(
        self,
        timeout: Timeout = None,
        propagate: bool = True,  # noqa: FBT001, FBT002 - Celery's
    ) -> list[R]:
        """Return the members' values in order, once they are there.

        Args:
            timeout: Seconds to wait at the most, for all of them together. None waits for ever.
            propagate: Whether the first failure in time is raised, while the other members go on. Otherwise
                each member is waited for, and errors stand in their places.
        """
        deadline = Deadline(timeout)
        assert_may_wait()
        ended = await self._wait(timeout)
        if propagate or ended.error is None:
            return await super().get(deadline.left())
        return [await member.get(deadline.left(), propagate=False) async for member in self]

    async def join(
        self,
        timeout: Timeout = None,
        propagate: bool = True,  # noqa: FBT001, FBT002 - Celery's
    ) -> list[R]:
        """Do as `get`."""
        return await self.get(timeout, propagate)

    async def completed_count(self) -> int:
        """Return how many members have succeeded."""
        return 0 if (found := await self.facts()) is None else found.succeeded_count

    async def ready(self) -> bool:
        """Return whether every member has ended."""
        found = await self.facts()
        return found is not None and found.final and found.ended_count >= found.member_count

    async def waiting(self) -> bool:
        """Return whether a member has not ended."""
        return not await self.ready()


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
    kind = GroupResult if handle.kind == node_pb2.Node.KIND_JOIN else AsyncResult
    return kind(shown_id(handle), app)
