"""Nodes as the store keeps them to nodes as clients see them."""

from __future__ import annotations

from dataclasses import dataclass

from gesso.v1 import canvas_summary_pb2, coordinator_service_pb2, node_pb2, task_error_pb2, worker_service_pb2
from gesso_server.config import Durability
from gesso_server.ids import CanvasId, NodeRef, span_id
from gesso_server.store.calls import Accepted, Looked, LookedCanvas
from gesso_server.store.records import (
    JoinBody,
    Place,
    Record,
    State,
    TaskBody,
    parse_join_body,
    parse_record,
    parse_task_body,
)

_STATES = {
    State.WAITING: node_pb2.Node.STATE_WAITING,
    State.DELAYED: node_pb2.Node.STATE_DELAYED,
    State.GRANTED: node_pb2.Node.STATE_GRANTED,
    State.RUNNING: node_pb2.Node.STATE_RUNNING,
    State.RETRY_WAIT: node_pb2.Node.STATE_RETRY_WAIT,
    State.REVOKING: node_pb2.Node.STATE_CANCELLING,
    State.CANCELLING: node_pb2.Node.STATE_CANCELLING,
    State.REPLACED: node_pb2.Node.STATE_REPLACED,
    State.OPEN: node_pb2.Node.STATE_OPEN,
    State.SUCCEEDED: node_pb2.Node.STATE_SUCCEEDED,
    State.FAILED: node_pb2.Node.STATE_FAILED,
    State.FAILED_UPSTREAM: node_pb2.Node.STATE_FAILED,
    State.DEAD: node_pb2.Node.STATE_DEAD,
    State.REVOKED: node_pb2.Node.STATE_CANCELLED,
    State.EXPIRED: node_pb2.Node.STATE_EXPIRED,
    State.CANCELLED: node_pb2.Node.STATE_CANCELLED,
    State.IGNORED: node_pb2.Node.STATE_IGNORED,
    State.DROPPED: node_pb2.Node.STATE_DROPPED,
}

STATE_LETTERS = {
    canvas_summary_pb2.CanvasSummary.STATE_EXPANDING: "E",
    canvas_summary_pb2.CanvasSummary.STATE_ACTIVE: "A",
    canvas_summary_pb2.CanvasSummary.STATE_SUCCEEDED: "S",
    canvas_summary_pb2.CanvasSummary.STATE_FAILED: "F",
    canvas_summary_pb2.CanvasSummary.STATE_CANCELLED: "C",
}
"""The states of canvases, as the store has them."""
_CANVAS_STATES = {letter: state for state, letter in STATE_LETTERS.items()}

# What the coordinator says of a failure that no worker reported.
_OWN_ERRORS = {
    State.DEAD: (
        "gesso.WorkerLost",
        "the task was given up: its workers died, or it was delivered too often",
    ),
    State.REVOKED: ("gesso.TaskRevokedError", "revoked"),
    State.EXPIRED: ("gesso.TaskRevokedError", "expired"),
    State.CANCELLED: ("gesso.TaskRevokedError", "cancelled"),
    State.FAILED: ("gesso.JoinTimeout", "the join did not get what it needs, or not in time"),
}


@dataclass(frozen=True, slots=True)
class NodeView:
    """One node, read."""

    ref: NodeRef
    looked: Looked
    record: Record

    @classmethod
    def of(cls, ref: NodeRef, looked: Looked) -> NodeView:
        """Read a node."""
        return cls(ref, looked, parse_record(looked.record))

    @property
    def outcome(self) -> worker_service_pb2.Outcome:
        """What the attempt that ended it reported; empty when none did."""
        return worker_service_pb2.Outcome.FromString(self.looked.outcome)

    @property
    def elsewhere(self) -> bool:
        """Whether its value is another node's: it was replaced with a canvas that ends in a join."""
        return self.looked.outcome.startswith(b"\0")

    @property
    def assignment(self) -> worker_service_pb2.Assignment:
        """What a worker needs of a task, as it was submitted."""
        return worker_service_pb2.Assignment.FromString(self.task_body().call)

    def task_body(self) -> TaskBody:
        """Return what its body says; for tasks only."""
        return parse_task_body(self.looked.body, self.record.base)

    def join_body(self) -> JoinBody:
        """Return what its body says; for joins only."""
        return parse_join_body(self.looked.body, self.record.base)

    @property
    def place(self) -> Place:
        """Where it stands among joins."""
        return (self.join_body() if self.record.join else self.task_body()).place

    def name_of(self, index: int) -> str:
        """Return the id that a join around it, or its cause, goes by."""
        return self.looked.names.get(index) or NodeRef(self.ref.canvas_id, index).node_id

    @property
    def chosen_id(self) -> str:
        """The id that the client chose for it; empty when it chose none."""
        return (self.join_body() if self.record.join else self.task_body()).task_id

    @property
    def task_id(self) -> str:
        """The id that it goes by."""
        return self.chosen_id or self.ref.node_id

    def handle(self) -> node_pb2.Handle:
        """Return what a client asks about it with."""
        join = self.record.join
        return node_pb2.Handle(
            node_id=self.ref.node_id,
            task_id=self.chosen_id,
            kind=node_pb2.Node.KIND_JOIN if join else node_pb2.Node.KIND_TASK,
            member_count=self.record.total,
        )

    def error(self) -> task_error_pb2.TaskError | None:
        """Return the error that it ended with, None if it ended well, was ignored, or has not ended."""
        record = self.record
        if not record.state.final or record.state in {State.SUCCEEDED, State.IGNORED, State.DROPPED}:
            return None
        if record.cause is None or not self.looked.cause_record:
            if self.looked.overdue_ms is not None:
                error = _overdue(self.looked.overdue_ms, self.ref)
            else:
                error = _own_error(record, self.looked.outcome, self.ref)
            error.task_id = self.chosen_id
            return error
        origin = NodeRef(self.ref.canvas_id, record.cause)
        error = _own_error(parse_record(self.looked.cause_record), self.looked.cause_outcome, origin)
        error.task_id = self.looked.names.get(record.cause, "")
        if not record.behind_join:
            return error
        name = error.type.rpartition(".")[2]
        text = f"Dependency {self.name_of(record.cause)} raised {name}({error.message!r})"
        return task_error_pb2.TaskError(
            type="gesso.ChordError", message=text, cause=error, node_id=error.node_id, task_id=error.task_id
        )

    def state(self) -> node_pb2.Node.State:
        """Return the state that clients see."""
        return _STATES[self.record.state]

    def node(self, canvas: LookedCanvas) -> node_pb2.Node:
        """Return all that clients may see, but its parent."""
        record = self.record
        node = node_pb2.Node(
            handle=self.handle(),
            state=self.state(),
            error=self.error(),
            trace_id=canvas.trace_id,
            span_id=span_id(*self.ref),
            delivery_count=record.deliveries,
            crash_count=record.crashes,
            failure_count=record.failures,
            succeeded_count=record.succeeded,
            ended_count=record.ended,
            group_ids=map(self.name_of, self.place.groups),
        )
        node.create_time.FromMilliseconds(canvas.created_ms)
        if record.finish_ms is not None:
            node.finish_time.FromMilliseconds(canvas.created_ms + record.finish_ms)
        if record.ready_ms is not None:
            node.ready_time.FromMilliseconds(canvas.created_ms + record.ready_ms)
        if record.start_ms is not None:
            node.start_time.FromMilliseconds(canvas.created_ms + record.start_ms)
        if not record.join:
            if self.looked.lane:  # else its record could not be read
                _, node.queue, _, _, node.task = self.looked.lane.split("|", 4)
            for key, stamp in self.assignment.stamps.items():
                node.stamps[key].CopyFrom(stamp)
        if self.looked.outcome and not self.elsewhere:
            outcome = self.outcome
            if outcome.HasField("run_duration"):
                node.run_duration.CopyFrom(outcome.run_duration)
            node.worker = outcome.worker
            self._add_custom_state(node, outcome)
        node.worker = self.looked.worker or node.worker
        return node

    def _add_custom_state(self, node: node_pb2.Node, outcome: worker_service_pb2.Outcome) -> None:
        """Show the state that the task set for itself: while it runs, and when it asked to be ignored."""
        if self.record.state is State.IGNORED:
            node.custom_state = outcome.ignored.custom_state
        elif not self.record.state.final:
            node.custom_state = outcome.progress.state
        if node.custom_state and outcome.progress.HasField("meta"):
            node.custom_meta.CopyFrom(outcome.progress.meta)


def _overdue(deadline_ms: int, ref: NodeRef) -> task_error_pb2.TaskError:
    text = f"the canvas did not end within its deadline of {deadline_ms / 1000:g} s, and was cancelled"
    return task_error_pb2.TaskError(type="gesso.DeadlineExceeded", message=text, node_id=ref.node_id)


def _own_error(record: Record, outcome: bytes, ref: NodeRef) -> task_error_pb2.TaskError:
    state = record.state
    error = (
        worker_service_pb2.Outcome.FromString(outcome).error if state is State.FAILED and outcome else None
    )
    if error is None:
        name, text = _OWN_ERRORS.get(state, _OWN_ERRORS[State.FAILED])
        error = task_error_pb2.TaskError(type=name, message=text + _death(record))
    error.node_id = ref.node_id
    return error


def _death(record: Record) -> str:
    """Return how often a task was tried that was given up; empty for any other node."""
    if record.state is not State.DEAD or record.join or not record.deliveries:
        return ""
    if record.at_most_once and record.crashes:
        return "; it was delivered at most once, as it asked, and its worker died"
    return f"; deliveries: {record.deliveries}, of which {record.crashes} ended with their worker's death"


def node_state(state: State) -> node_pb2.Node.State:
    """Return a state as clients see it."""
    return _STATES[state]


def submitted(accepted: Accepted, durability: Durability) -> coordinator_service_pb2.SubmitCanvasResponse:
    """Return the answer to a submission."""
    response = coordinator_service_pb2.SubmitCanvasResponse(
        canvas_id=accepted.canvas_id,
        node_count=accepted.node_count,
        deduplicated=accepted.known,
        trace_id=accepted.trace_id,
        durability=f"DURABILITY_{durability.name}",
    )
    if accepted.last is not None:
        response.last.node_id = NodeRef(accepted.canvas_id, accepted.last).node_id
        response.last.kind = node_pb2.Node.KIND_JOIN if accepted.last_is_join else node_pb2.Node.KIND_TASK
        response.last.member_count = accepted.member_count
    return response


def summary(canvas_id: CanvasId, canvas: LookedCanvas) -> canvas_summary_pb2.CanvasSummary:
    """Return how a canvas stands."""
    found = canvas_summary_pb2.CanvasSummary(
        canvas_id=canvas_id,
        state=_CANVAS_STATES[canvas.state],
        trace_id=canvas.trace_id,
        node_count=canvas.node_count,
        ended_count=canvas.node_count - canvas.left,
    )
    if canvas.last is not None:
        found.last.node_id = NodeRef(canvas_id, canvas.last).node_id
        found.last.kind = node_pb2.Node.KIND_JOIN if canvas.last_is_join else node_pb2.Node.KIND_TASK
        found.last.member_count = canvas.member_count
    found.tasks.extend(dict.fromkeys(lane.split("|", 4)[4] for lane in canvas.lanes))
    found.retried_canvas_id = canvas.runs_again or ""
    found.create_time.FromMilliseconds(canvas.created_ms)
    if canvas.deadline_ms is not None:
        found.deadline_time.FromMilliseconds(canvas.deadline_ms)
    if canvas.finished_ms is not None:
        found.finish_time.FromMilliseconds(canvas.finished_ms)
        found.expire_time.FromMilliseconds(canvas.finished_ms + canvas.result_ttl_ms)
    return found
