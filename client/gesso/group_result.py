"""The result of a group: its members' values in order, and how many there are so far."""

from __future__ import annotations

import builtins
import queue
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any, Generic, Self, TypeVar, cast, overload

from gesso import states
from gesso.connection import End
from gesso.deadline import Deadline, Timeout
from gesso.errors import NotFound, TimeoutError  # noqa: A004 - Celery's name
from gesso.handle import Facts, assert_may_wait
from gesso.home import Home
from gesso.members import PAGE_SIZE, Members
from gesso.result import Result
from gesso.v1 import coordinator_service_pb2 as pb

__all__ = ["GroupResult"]

R = TypeVar("R")

_WINDOW = 200
"""How many members `iterate` waits for at a time."""


class GroupResult(Result[list[R]], Generic[R]):
    """The result of a group. Its members' results are made when they are asked for.

    Args:
        id: The group's id.
        results: The members' results, where they are known already; by default they are asked for.
        parent: The result of the step before.
        app: Where it was submitted. None means the current app.
        member_count: How many members it has. None means that this is asked for, too.
    """

    def __init__(
        self,
        id: str,  # noqa: A002 - Celery's
        results: Sequence[Result[R]] | None = None,
        parent: Result[Any] | None = None,
        app: Home | None = None,
        member_count: int | None = None,
    ) -> None:
        super().__init__(id, app, parent)
        self._member_count = member_count
        self._members: Sequence[Result[R]] = Members(self._count, self._page) if results is None else results

    # --- its members -------------------------------------------------------------------------

    @property
    def results(self) -> Sequence[Result[R]]:
        """The members' results, in order; fetched in pages as they are used."""
        return self._members

    @property
    def children(self) -> list[Result[Any]]:
        """The members' results, in order."""
        return list(self._members)

    def __len__(self) -> int:
        return len(self._members)

    def __bool__(self) -> bool:
        return True

    def __iter__(self) -> Iterator[Result[R]]:
        return iter(self._members)

    @overload
    def __getitem__(self, index: int) -> Result[R]: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Result[R]]: ...
    def __getitem__(self, index: int | slice) -> Result[R] | Sequence[Result[R]]:
        return self._members[index]

    def _count(self) -> int:
        if self._member_count is None:
            self._member_count = self._node().handle.member_count
        return self._member_count

    def _page(self, token: str) -> tuple[builtins.list[Result[R]], str]:
        request = pb.ListNodesRequest(members_of=self.id, page_size=PAGE_SIZE, page_token=token)
        response = self.app.coordinator.list_nodes(request)
        results = [self.app.result_of(node.handle) for node in response.nodes]
        return results, response.next_page_token

    # --- their values ------------------------------------------------------------------------

    def get(
        self,
        timeout: Timeout = None,
        propagate: bool = True,  # noqa: FBT001, FBT002 - Celery's
        interval: float | None = None,
        callback: Callable[[str, Any], Any] | None = None,
        disable_sync_subtasks: bool = True,  # noqa: FBT001, FBT002 - Celery's
    ) -> builtins.list[R]:
        """Return the members' values in order, once they are there; see `join`."""
        return self.join(timeout, propagate, interval, callback, disable_sync_subtasks)

    def join(
        self,
        timeout: Timeout = None,
        propagate: bool = True,  # noqa: FBT001, FBT002 - Celery's
        interval: float | None = None,
        callback: Callable[[str, Any], Any] | None = None,
        disable_sync_subtasks: bool = True,  # noqa: FBT001, FBT002 - Celery's
    ) -> builtins.list[R]:
        """Return the members' values in order, once they are there.

        Args:
            timeout: Seconds to wait at the most, for all of them together. None waits for ever.
            propagate: Whether the first failure in time is raised, while the other members go on. Otherwise
                each member is waited for, and errors stand in their places.
            interval: Accepted for Celery's sake, and not used.
            callback: Called with the id and the value of each member.
            disable_sync_subtasks: Whether waiting inside a task is refused.

        Raises:
            TimeoutError: If they were not there in time.
            RuntimeError: If a task is waiting.
            Exception: The first failure in time.
        """
        if disable_sync_subtasks:
            assert_may_wait()
        deadline = Deadline(timeout)
        ended = self._wait(timeout)
        values: Any
        if propagate or ended.error is None:
            values = super().get(timeout, True, interval, None, False)
        else:
            values = [each.get(deadline.left(), False, interval, None, False) for each in self]
        # A policy may leave members out, and an ignored group has no values at all.
        if callback is not None and isinstance(values, list) and len(values) == len(self):
            for member, value in zip(self, values, strict=True):
                callback(member.id, value)
        return cast("builtins.list[R]", values)

    def join_native(self, *args: Any, **kwargs: Any) -> builtins.list[R]:
        """Do as `join`."""
        return self.join(*args, **kwargs)

    def iterate(
        self,
        timeout: Timeout = None,
        propagate: bool = True,  # noqa: FBT001, FBT002 - Celery's
        interval: float | None = None,  # noqa: ARG002 - Celery's; nothing is polled
    ) -> Iterator[R]:
        """Yield the members' values as they arrive.

        Of a large group, the first few hundred members that have not been yielded are waited for at a time.

        Args:
            timeout: Seconds to wait at the most, for all of them together. None waits for ever.
            propagate: Whether a failure is raised; otherwise it is yielded.
            interval: Accepted for Celery's sake, and not used.
        """
        assert_may_wait()
        deadline = Deadline(timeout)
        arrived: queue.SimpleQueue[Result[R]] = queue.SimpleQueue()
        waits: dict[str, End] = {}
        members = iter(self)

        def watch(member: Result[R]) -> None:
            waits[member.id] = end = member.arrival()
            end.when_done(lambda: arrived.put(member))

        for member in islice(members, _WINDOW):
            watch(member)
        while waits:
            try:
                member = arrived.get(timeout=deadline.left())
            except queue.Empty:
                raise TimeoutError(
                    f"{len(waits)} members of {self.id} or more did not end in time."
                ) from None
            member.ending(waits.pop(member.id))
            for following in islice(members, 1):
                watch(following)
            yield member.get(deadline.left(), propagate)

    # --- how they stand ----------------------------------------------------------------------

    def completed_count(self) -> int:
        """Return how many members have succeeded."""
        found = self.facts()
        return 0 if found is None else found.succeeded_count

    def ready(self) -> bool:
        """Return whether every member has ended."""
        found = self.facts()
        return found is not None and _all_ended(found)

    def waiting(self) -> bool:
        """Return whether a member has not ended."""
        return not self.ready()

    def successful(self) -> bool:
        """Return whether every member has succeeded."""
        found = self.facts()
        return found is not None and found.final and found.succeeded_count >= found.member_count

    def failed(self) -> bool:
        """Return whether a member has failed."""
        found = self.facts()
        if found is None:
            return False
        return found.state == states.FAILURE or (found.final and found.ended_count > found.succeeded_count)

    # --- ending them -------------------------------------------------------------------------

    def revoke(
        self,
        terminate: bool = False,  # noqa: FBT001, FBT002 - Celery's
        signal: str | None = None,  # noqa: ARG002 - Celery's
        wait: bool = False,  # noqa: ARG002, FBT001, FBT002 - Celery's
    ) -> None:
        """Revoke every member that has not ended, all tasks of members that are canvases included."""
        revoke = self.app.coordinator.revoke_nodes
        try:
            revoke(pb.RevokeNodesRequest(node_ids=[self.id], terminate=terminate))
        except NotFound:  # made of results, by hand: no group goes by its id
            if isinstance(self._members, Members):
                raise
            members = iter(self._members)
            while ids := [member.id for member in islice(members, PAGE_SIZE)]:
                revoke(pb.RevokeNodesRequest(node_ids=ids, terminate=terminate))

    def forget(self) -> None:
        """Remove the members' values, once everything that needs them has read them."""
        for member in self:
            member.forget()
        super().forget()

    # --- handing it on -----------------------------------------------------------------------

    def as_tuple(self) -> tuple[tuple[str, Any], builtins.list[Any]]:
        """Return the ids of this, of the steps before it, and of its members."""
        parent = self.parent
        above = None if parent is None else cast("Any", parent).as_tuple()
        return (self.id, above), [cast("Any", member).as_tuple() for member in self]

    def save(self) -> Self:
        """Do nothing: the coordinator has it, and `restore` finds it."""
        return self

    @classmethod
    def restore(cls, id: str, app: Home | None = None) -> GroupResult[Any]:  # noqa: A002 - Celery's
        """Return the result of the group with this id."""
        return cls(id, app=app)


def _all_ended(found: Facts) -> bool:
    return found.final and found.ended_count >= found.member_count
