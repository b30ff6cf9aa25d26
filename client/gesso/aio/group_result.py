"""The result of a group, for asyncio: what `gesso.group_result` has, with `await`."""

from __future__ import annotations

import asyncio
import builtins
from collections.abc import AsyncIterator
from typing import Any, Generic, Self, TypeVar, cast

from gesso import states
from gesso.aio.coordinator import End
from gesso.aio.result import KINDS, Home, Result, listed
from gesso.control import revocation
from gesso.deadline import Deadline, Timeout
from gesso.errors import TimeoutError  # noqa: A004 - Celery's name
from gesso.handle import assert_may_wait
from gesso.v1 import coordinator_service_pb2 as pb
from gesso.v1 import node_pb2

__all__ = ["GroupResult"]

R = TypeVar("R")

_WINDOW = 200
"""How many members `iterate` waits for at a time."""


class GroupResult(Result[list[R]], Generic[R]):
    """The result of a group. `async for member in result` gives its members' results, in order."""

    # --- its members -------------------------------------------------------------------------

    async def __aiter__(self) -> AsyncIterator[Result[R]]:
        request = pb.ListNodesRequest(members_of=self.id)
        async for member in listed(self.app, self._coordinator(), request):
            yield member

    async def results(self) -> list[Result[R]]:
        """Return the members' results, in order."""
        return [member async for member in self]

    async def children(self) -> list[Result[Any]]:
        """Return the members' results, in order."""
        return await self.results()

    async def member_count(self) -> int:
        """Return how many members it has: what `len` is of a synchronous one."""
        return (await self._node()).handle.member_count

    # --- their values ------------------------------------------------------------------------

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

    async def join_native(
        self,
        timeout: Timeout = None,
        propagate: bool = True,  # noqa: FBT001, FBT002 - Celery's
    ) -> list[R]:
        """Do as `get`."""
        return await self.get(timeout, propagate)

    async def iterate(
        self,
        timeout: Timeout = None,
        propagate: bool = True,  # noqa: FBT001, FBT002 - Celery's
    ) -> AsyncIterator[R]:
        """Yield the members' values as they arrive.

        Of a large group, the first few hundred members that have not been yielded are waited for at a time.

        Args:
            timeout: Seconds to wait at the most, for all of them together. None waits for ever.
            propagate: Whether a failure is raised; otherwise it is yielded.
        """
        assert_may_wait()
        deadline = Deadline(timeout)
        arrived: asyncio.Queue[Result[R]] = asyncio.Queue()
        waits: dict[str, End] = {}
        members = aiter(self)

        async def watch() -> bool:
            member = await anext(members, None)
            if member is None:
                return False
            waits[member.id] = end = member.arrival()
            end.add_done_callback(lambda _: arrived.put_nowait(member))
            return True

        while len(waits) < _WINDOW and await watch():
            pass
        while waits:
            try:
                member = await asyncio.wait_for(arrived.get(), deadline.left())
            except builtins.TimeoutError:
                raise TimeoutError(
                    f"{len(waits)} members of {self.id} or more did not end in time."
                ) from None
            member.ending(waits.pop(member.id))
            await watch()
            yield await member.get(deadline.left(), propagate)

    # --- how they stand ----------------------------------------------------------------------

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

    async def successful(self) -> bool:
        """Return whether every member has succeeded."""
        found = await self.facts()
        return found is not None and found.final and found.succeeded_count >= found.member_count

    async def failed(self) -> bool:
        """Return whether a member has failed."""
        found = await self.facts()
        if found is None:
            return False
        return found.state == states.FAILURE or (found.final and found.ended_count > found.succeeded_count)

    # --- ending them -------------------------------------------------------------------------

    async def revoke(self, terminate: bool = False) -> None:  # noqa: FBT001, FBT002 - Celery's
        """Revoke every member that has not ended, all tasks of members that are canvases included."""
        await self._coordinator().revoke_nodes(revocation(self.id, terminate=terminate))

    async def forget(self) -> None:
        """Remove the members' values, once everything that needs them has read them."""
        async for member in self:
            await member.forget()
        await super().forget()

    # --- handing it on -----------------------------------------------------------------------

    async def as_tuple(self) -> tuple[tuple[str, Any], builtins.list[Any]]:
        """Return the ids of this, of the steps before it, and of its members."""
        parent = await self.parent()
        above = None if parent is None else await cast("Any", parent).as_tuple()
        return (self.id, above), [await cast("Any", member).as_tuple() async for member in self]

    def save(self) -> Self:
        """Do nothing: the coordinator has it, and `restore` finds it."""
        return self

    @classmethod
    def restore(cls, id: str, app: Home | None = None) -> GroupResult[Any]:  # noqa: A002 - Celery's
        """Return the result of the group with this id."""
        return cls(id, app)


KINDS[node_pb2.Node.KIND_JOIN] = GroupResult
