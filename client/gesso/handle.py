"""What results of tasks and of groups have in common; nothing here asks a coordinator."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from google.protobuf.timestamp_pb2 import Timestamp

from gesso import codec, states
from gesso.request import joining_allowed
from gesso.v1 import node_pb2, payload_pb2, task_error_pb2

__all__ = [
    "META",
    "MISSING",
    "Facts",
    "ResultHandle",
    "Sent",
    "assert_may_wait",
    "facts",
    "remote_traceback",
    "sent",
    "shown_id",
]


META: Final = (
    "result", "traceback", "name", "args", "kwargs", "worker", "queue", "retries", "date_done", "children", "stamps",
    "attempts", "date_submitted", "date_ready", "date_started", "canvas_id", "trace_id", "span_id", "groups", "level",
)  # fmt: skip
"""What Celery's task metadata holds beside the id and the state, as a result has it."""


class _Missing:
    """Not asked for yet."""


MISSING: Final = _Missing()


def shown_id(handle: node_pb2.Handle) -> str:
    """Return the id that users know a node by: the one its client chose, or else its own."""
    return handle.task_id or handle.node_id


def assert_may_wait() -> None:
    """Refuse to wait inside a task, whose slot may be the one that is waited for.

    Raises:
        RuntimeError: If a task runs here, and `allow_join_result` was not used.
    """
    if not joining_allowed():
        raise RuntimeError(
            "Never wait for a result inside a task: it holds its worker's slot meanwhile. Put what comes "
            "after into a chain or a chord's body, or say `with allow_join_result():`.",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known about a node."""

    state: str
    """As a result shows it."""
    custom_meta: payload_pb2.Payload | None
    """What the task said about the state that it set for itself, where that is shown."""
    final: bool
    """Whether that lasts."""
    task: str
    """Name of its task. Empty for a join."""
    queue: str
    """Queue that it waits or waited in. Empty for a join."""
    worker: str
    """Name of the worker of its last attempt. Empty when there was none."""
    retries: int
    """How often it was run again because it failed by itself or asked for it."""
    trace_id: str
    """The canvas's trace, 32 hexadecimal digits."""
    span_id: str
    """Its span, 16 hexadecimal digits."""
    attempts: int
    """How often it was handed to a worker; not when it came back unbegun."""
    date_submitted: datetime | None
    """When its canvas was accepted. This and the others are by the store's clock."""
    date_ready: datetime | None
    """When it could first run."""
    date_started: datetime | None
    """When its last attempt was handed to its worker."""
    date_done: datetime | None
    """When it ended."""
    groups: tuple[str, ...]
    """Ids of the joins that it stands inside, from the outermost inwards."""
    stamps: Mapping[str, list[Any]]
    """Its stamps, by key."""
    traceback: str | None
    """The remote traceback of its error."""
    member_count: int
    """For a join, how many members it has."""
    succeeded_count: int
    """For a join, how many of them succeeded so far."""
    ended_count: int
    """For a join, how many of them ended so far."""


def facts(node: node_pb2.Node) -> Facts:
    """Return what a node's message says."""
    return Facts(
        state=states.shown_state(node.state, node.custom_state),
        custom_meta=node.custom_meta if node.HasField("custom_meta") else None,
        final=node.state in states.FINAL,
        task=node.task,
        queue=node.queue,
        worker=node.worker,
        retries=_retries(node),
        trace_id=node.trace_id,
        span_id=node.span_id,
        attempts=node.delivery_count,
        date_submitted=_instant(node, "create_time"),
        date_ready=_instant(node, "ready_time"),
        date_started=_instant(node, "start_time"),
        date_done=_instant(node, "finish_time"),
        groups=tuple(node.group_ids),
        stamps={key: [_stamp(value) for value in stamp.values] for key, stamp in node.stamps.items()},
        traceback=remote_traceback(node.error) if node.HasField("error") else None,
        member_count=node.handle.member_count,
        succeeded_count=node.succeeded_count,
        ended_count=node.ended_count,
    )


def _instant(node: node_pb2.Node, field: str) -> datetime | None:
    found: Timestamp = getattr(node, field)
    return found.ToDatetime(UTC) if node.HasField(field) else None


class Sent(NamedTuple):
    """What a task was sent with."""

    args: list[Any]
    """Positional arguments, without the value of the step before."""
    kwargs: dict[str, Any]
    """Keyword arguments."""


def sent(node: node_pb2.Node) -> Sent:
    """Return the arguments that a node's message has, which was asked for with its signature."""
    signature = node.signature
    args = codec.decode(signature.args) if signature.HasField("args") else []
    return Sent(args, codec.decode(signature.kwargs) if signature.HasField("kwargs") else {})


def _retries(node: node_pb2.Node) -> int:
    """Return how often a task was retried: a failure that it ended with was the last one, and not retried."""
    ended = node.state == node_pb2.Node.STATE_FAILED and node.error.node_id == node.handle.node_id
    return max(0, node.failure_count - ended)


def remote_traceback(error: task_error_pb2.TaskError) -> str | None:
    """Return an error's traceback, or that of what caused it: a ChordError has none of its own."""
    while not error.traceback and error.HasField("cause"):
        error = error.cause
    return error.traceback or None


def _stamp(text: str) -> Any:
    return codec.decode(payload_pb2.Payload(data=text.encode()))


class ResultHandle:
    """An id, and what it is worth: results are equal when their ids are, and equal to the id itself."""

    id: str

    @property
    def task_id(self) -> str:
        """The id, as Celery calls it too."""
        return self.id

    def __eq__(self, other: object) -> bool:
        if isinstance(other, ResultHandle):
            return self.id == other.id
        return self.id == other if isinstance(other, str) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.id)

    def __str__(self) -> str:
        return self.id

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.id}>"
