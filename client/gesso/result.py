"""Handles of what was submitted: asking how a task stands, and waiting for its value.

A result asks when it is used: nothing is fetched to make one, and one costs no more than its id. What is
final is kept.
"""

from __future__ import annotations

import builtins
import dataclasses
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Generic, Self, TypeVar, cast

from gesso import codec, states
from gesso.canvas import current_app
from gesso.connection import Coordinator, End
from gesso.deadline import Deadline, Timeout
from gesso.errors import FailedPrecondition, IncompleteStream, NotFound
from gesso.graph import DependencyGraph, graph_of, walk
from gesso.handle import (
    META,
    MISSING,
    Facts,
    ResultHandle,
    Sent,
    assert_may_wait,
    facts,
    remote_traceback,
    sent,
)
from gesso.home import Home
from gesso.members import pages
from gesso.v1 import coordinator_service_pb2 as pb
from gesso.v1 import node_pb2
from gesso.values import ELSEWHERE, Ended, ValueReader, read_ended
from gesso.watching import WatchEvent

__all__ = ["AsyncResult", "Result"]

R = TypeVar("R")


class Result(ResultHandle, Generic[R]):
    """What a task and a group share. Safe to use from many threads.

    Args:
        id: The node's id, or one that the client chose for it.
        app: Where it was submitted. None means the current app.
        parent: The result of the step before; found out when it is asked for, if it is not given.
    """

    def __init__(self, id: str, app: Home | None = None, parent: Result[Any] | None = None) -> None:  # noqa: A002
        self.id = id
        self.app = app if app is not None else cast("Home", current_app())
        self._parent: Any = MISSING if parent is None else parent
        # Of a result that sending made: the end that is waited for already, and by whom.
        self._submitted = False
        self._end: tuple[Coordinator, End] | None = None
        self._ended: Ended | None = None
        self._facts: Facts | None = None

    def submitted(self, end: End | None = None, chosen_id: str | None = None) -> Self:
        """Mark it as made by sending: then `get` raises what failed, not the ChordError made of it.

        Args:
            end: Where its end arrives.
            chosen_id: The id that was chosen for it before sending, which it then goes by.
        """
        self._submitted = True
        self.id = chosen_id or self.id
        if end is not None:
            self.ending(end)
        return self

    # --- its value ---------------------------------------------------------------------------

    def get(
        self,
        timeout: Timeout = None,
        propagate: bool = True,  # noqa: FBT001, FBT002 - Celery's
        interval: float | None = None,  # noqa: ARG002 - Celery's; nothing is polled
        callback: Callable[[str, R], Any] | None = None,
        disable_sync_subtasks: bool = True,  # noqa: FBT001, FBT002 - Celery's
    ) -> R:
        """Return the value, once it is there.

        Args:
            timeout: Seconds to wait at the most. None waits for ever.
            propagate: Whether an error is raised; otherwise it is returned.
            interval: Accepted for Celery's sake, and not used.
            callback: Called with the id and the value, when it ended well.
            disable_sync_subtasks: Whether waiting inside a task is refused.

        Raises:
            TimeoutError: If it did not end in time. It goes on.
            NotFound: If it was never submitted, or its result was removed.
            RuntimeError: If a task is waiting.
            Exception: What it ended with.
        """
        if disable_sync_subtasks:
            assert_may_wait()
        ended = self._wait(timeout)
        value: R = ended.value
        if ended.error is not None:
            error = ended.exception(self.app.error_classes, original=self._submitted)
            if error is not None and propagate:
                raise error
            return cast("R", error)
        if callback is not None:
            callback(self.id, value)
        return value

    def wait(self, timeout: Timeout = None, propagate: bool = True) -> R:  # noqa: FBT001, FBT002 - Celery's
        """Do as `get`."""
        return self.get(timeout, propagate)

    def then(self, callback: Callable[[Self], Any], on_error: Callable[[Self], Any] | None = None) -> Self:
        """Have `callback` called with this result when it has ended well, in a thread of its own.

        Args:
            on_error: Called likewise when it ended otherwise.
        """

        def call() -> None:
            failed = self._wait(None).error is not None
            chosen = on_error if failed else callback
            if chosen is not None:
                chosen(self)

        self.app.coordinator.keep(self.arrival()).when_done(
            lambda: threading.Thread(target=call, name="gesso-then", daemon=True).start(),
        )
        return self

    def watch(self) -> Iterator[WatchEvent]:
        """Yield how its whole canvas stands and then what changes, until it has ended; see `App.watch`."""
        return self.app.watch(self.id)

    def arrival(self) -> End:
        """Return where the end arrives; the wait goes on for as long as it is held."""
        coordinator = self.app.coordinator
        return self._known_end(coordinator) or coordinator.wait(self.id)

    def ending(self, end: End) -> None:
        """Take over a wait that `arrival` returned, so that `get` asks for nothing more."""
        self._end = (self.app.coordinator, end)

    def _known_end(self, coordinator: Coordinator) -> End | None:
        """Return the end that came with the submission, if this process made it: if `coordinator` is still its own."""
        if self._end is None or self._end[0] is not coordinator:
            return None
        return self._end[1]

    def _wait(self, timeout: Timeout) -> Ended:
        if self._ended is None:
            deadline, coordinator = Deadline(timeout), self.app.coordinator
            ended = read_ended(coordinator.ended(self.id, self._known_end(coordinator), deadline))
            if ended.value is ELSEWHERE:
                ended = dataclasses.replace(ended, value=self._read(deadline.left()))
            self._ended, self._end = ended, None
        return self._ended

    def _read(self, timeout: Timeout) -> Any:
        def take(parts: Iterable[pb.ReadValueResponse]) -> Any:
            reader = ValueReader(self.app.error_classes)
            for part in parts:
                reader.feed(part.items)
            return reader.value

        return self.app.coordinator.read_value(pb.ReadValueRequest(node_id=self.id), take, timeout)

    # --- how it stands -----------------------------------------------------------------------

    def facts(self) -> Facts | None:
        """Return what is known about it; None when it was never submitted, or was removed."""
        if self._facts is not None:
            return self._facts
        try:
            found = facts(self._node())
        except NotFound:
            return None
        if found.final and found.ended_count >= found.member_count:
            self._facts = found
        return found

    def _node(self, *, with_signature: bool = False, with_waiting: bool = False) -> node_pb2.Node:
        request = pb.GetNodeRequest(node_id=self.id, with_signature=with_signature, with_waiting=with_waiting)
        return self.app.coordinator.get_node(request).node

    def _arrived(self) -> Ended | None:
        """Return how it ended, if that is known here without asking."""
        if self._ended is not None or self._end is None:
            return self._ended
        end = self._known_end(self.app.coordinator)
        if end is not None and end.done():
            answer = end.result()
            if isinstance(answer, pb.WaitNodeResponse):
                ended = read_ended(answer)
                if ended.value is ELSEWHERE:
                    return ended
                self._ended, self._end = ended, None
        return self._ended

    @property
    def state(self) -> str:
        """The state; PENDING also when nothing is known of the id."""
        arrived = self._arrived()
        if arrived is not None:
            return arrived.state
        found = self.facts()
        return states.PENDING if found is None else found.state

    @property
    def waits_for(self) -> str | None:
        """Why it has not ended, as a sentence; None when it has, or was never submitted. It is asked for each time."""
        try:
            return self._node(with_waiting=True).waits_for or None
        except NotFound:
            return None

    @property
    def status(self) -> str:
        """The state, as Celery calls it too."""
        return self.state

    def ready(self) -> bool:
        """Return whether it has ended."""
        if self._arrived() is not None:
            return True
        found = self.facts()
        return found is not None and found.final

    def successful(self) -> bool:
        """Return whether it ended well."""
        return self.state == states.SUCCESS

    def failed(self) -> bool:
        """Return whether it ended with an error. A revoked one did not fail."""
        return self.state == states.FAILURE

    @property
    def result(self) -> Any:
        """The value, or the error as an exception; while it runs what the task said of its state, or else None.

        What an ignored task said of the state that it set stays, too. None also once the value was forgotten.
        """
        if self._arrived() is not None:
            return self._wait_result()
        found = self.facts()
        if found is not None and found.custom_meta is not None:
            return codec.decode(found.custom_meta)
        return self._wait_result() if found is not None and found.final else None

    @property
    def info(self) -> Any:
        """The result, as Celery calls it too."""
        return self.result

    def _wait_result(self) -> Any:
        try:
            ended = self._wait(None)
        except FailedPrecondition:  # it was forgotten
            return None
        error = ended.exception(self.app.error_classes, original=self._submitted)
        return ended.value if error is None else error

    @property
    def traceback(self) -> str | None:
        """The remote traceback; None unless it ended with an error that has one."""
        if self._ended is not None:
            return None if self._ended.error is None else remote_traceback(self._ended.error)
        found = self.facts()
        return None if found is None else found.traceback

    @property
    def date_submitted(self) -> datetime | None:
        """When its canvas was accepted, by the store's clock."""
        return found.date_submitted if (found := self.facts()) is not None else None

    @property
    def date_done(self) -> datetime | None:
        """When it ended, by the store's clock."""
        return found.date_done if (found := self.facts()) is not None else None

    # --- its place ---------------------------------------------------------------------------

    @property
    def canvas_id(self) -> str | None:
        """Id of its canvas; None when it was never submitted."""
        try:
            return self._node().handle.node_id.rpartition("-")[0]
        except NotFound:
            return None

    @property
    def trace_id(self) -> str | None:
        """Trace of its canvas, 32 hexadecimal digits."""
        return (found.trace_id or None) if (found := self.facts()) is not None else None

    @property
    def span_id(self) -> str | None:
        """The span that it was stamped with before it ran, 16 hexadecimal digits."""
        return (found.span_id or None) if (found := self.facts()) is not None else None

    @property
    def groups(self) -> tuple[str, ...]:
        """Ids of the groups that it stands inside, from the outermost inwards: those that wait for it."""
        return found.groups if (found := self.facts()) is not None else ()

    @property
    def level(self) -> int:
        """In how many groups it stands, one within the other."""
        return len(self.groups)

    @property
    def parent(self) -> Result[Any] | None:
        """The result of the step before; None when there is none."""
        if self._parent is MISSING:
            try:
                node = self._node()
            except NotFound:
                return None
            self._parent = self.app.result_of(node.parent) if node.HasField("parent") else None
        return cast("Result[Any] | None", self._parent)

    @property
    def children(self) -> builtins.list[Result[Any]]:
        """The results of what has it as the task before: links, then the step behind it, or its group.

        Of the task of a chord's header that ended last that is the body. Error links are not among them.
        """
        listed = pages(self.app.coordinator, pb.ListNodesRequest(children_of=self.id))
        try:
            return [self.app.result_of(node.handle) for page in listed for node in page]
        except NotFound:
            return []

    # --- what follows from it ----------------------------------------------------------------

    def iterdeps(
        self,
        intermediate: bool = False,  # noqa: FBT001, FBT002 - Celery's
    ) -> Iterator[tuple[Result[Any] | None, Result[Any]]]:
        """Yield this and everything that follows from it, each with what it is a child of; the nearest first.

        Args:
            intermediate: Whether what has not ended is passed over. By default it is an error.

        Raises:
            IncompleteStream: If one of them has not ended.
        """
        return walk(cast("Result[Any]", self), intermediate=intermediate)

    def collect(
        self,
        intermediate: bool = False,  # noqa: FBT001, FBT002 - Celery's
        **options: Any,
    ) -> Iterator[tuple[Result[Any], Any]]:
        """Yield this and everything that follows from it, each with its value; the nearest first.

        Args:
            intermediate: Whether what has not ended has None as its value. By default it is an error.
            options: For `get`.

        Raises:
            IncompleteStream: If one of them has not ended.
        """
        for _, each in self.iterdeps(intermediate):
            ready = each.ready()
            if not ready and not intermediate:
                raise IncompleteStream(f"{each} has not ended.")
            yield each, each.get(**options) if ready else None

    def get_leaf(self) -> Any:
        """Return the value of what follows last. Errors are those of `collect`."""
        *_, (_, value) = self.collect()
        return value

    @property
    def graph(self) -> DependencyGraph[Result[Any]]:
        """Everything that follows from this; see `build_graph`."""
        return self.build_graph()

    def build_graph(
        self,
        intermediate: bool = False,  # noqa: FBT001, FBT002 - Celery's
    ) -> DependencyGraph[Result[Any]]:
        """Return the graph of everything that follows from this. Arguments and errors are those of `iterdeps`."""
        return graph_of(self.iterdeps(intermediate))

    # --- ending it ---------------------------------------------------------------------------

    def revoke(
        self,
        terminate: bool = False,  # noqa: FBT001, FBT002 - Celery's
        signal: str | None = None,  # noqa: ARG002 - Celery's; how a worker stops a task is its own affair
        wait: bool = False,  # noqa: ARG002, FBT001, FBT002 - Celery's; the answer says that it is done
    ) -> None:
        """Revoke it, unless it has ended.

        Args:
            terminate: Whether it is killed when it runs. By default it is told.
            signal: Accepted for Celery's sake, and not used.
            wait: Accepted for Celery's sake, and not used.
        """
        self.app.coordinator.revoke_nodes(pb.RevokeNodesRequest(node_ids=[self.id], terminate=terminate))

    def forget(self) -> None:
        """Remove the value, once everything that needs it has read it."""
        self._ended = None
        self.app.coordinator.forget_node(pb.ForgetNodeRequest(node_id=self.id))


class AsyncResult(Result[R]):
    """The result of one task, or of a canvas that ends in one."""

    def as_tuple(self) -> tuple[tuple[str, Any], None]:
        """Return the ids of this and of the steps before it."""
        parent = self.parent
        return (self.id, None if parent is None else cast("Any", parent).as_tuple()), None

    @property
    def name(self) -> str | None:
        """Name of the task."""
        return (found.task or None) if (found := self.facts()) is not None else None

    @property
    def args(self) -> builtins.list[Any] | None:
        """The positional arguments that it was sent with: without the value of the step before."""
        return None if (found := self._sent()) is None else found.args

    @property
    def kwargs(self) -> dict[str, Any] | None:
        """The keyword arguments that it was sent with."""
        return None if (found := self._sent()) is None else found.kwargs

    def _sent(self) -> Sent | None:
        """Return the arguments; None when it was never submitted. They are asked for each time: they may be large."""
        try:
            return sent(self._node(with_signature=True))
        except NotFound:
            return None

    @property
    def queue(self) -> str | None:
        """Queue that it waits or waited in."""
        return (found.queue or None) if (found := self.facts()) is not None else None

    @property
    def worker(self) -> str | None:
        """Name of the worker of its last attempt."""
        return (found.worker or None) if (found := self.facts()) is not None else None

    @property
    def retries(self) -> int:
        """How often it was run again because it failed by itself or asked for it."""
        return found.retries if (found := self.facts()) is not None else 0

    @property
    def attempts(self) -> int:
        """How often it was handed to a worker, lost attempts included; not when it came back unbegun."""
        return found.attempts if (found := self.facts()) is not None else 0

    @property
    def date_ready(self) -> datetime | None:
        """When it could first run, by the store's clock; None until it has been handed to a worker."""
        return found.date_ready if (found := self.facts()) is not None else None

    @property
    def date_started(self) -> datetime | None:
        """When its last attempt was handed to its worker, by the store's clock."""
        return found.date_started if (found := self.facts()) is not None else None

    @property
    def stamps(self) -> Mapping[str, builtins.list[Any]]:
        """Its stamps, by key."""
        return found.stamps if (found := self.facts()) is not None else {}

    def _get_task_meta(self) -> dict[str, Any]:
        """Return what is known, under Celery's keys, and the stamps under theirs."""
        meta = {key: getattr(self, key) for key in META}
        stamps = self.stamps
        return {**stamps, "stamped_headers": list(stamps), **meta, "task_id": self.id, "status": self.state}
