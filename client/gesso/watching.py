"""What watching a canvas, or canvases, tells: each event is a value, and has everything that it is about as it stands.

    for event in result.watch():
        match event:
            case NodeEvent(task=task, state="failed", error=error):
                print(task, error)
            case GroupEvent(counts=counts):
                print(counts)

A watch begins with a snapshot, which `SnapshotEvent` ends, and goes on with what changes. What has changed several
times since it was asked for the last time comes once. After `ResetEvent` everything comes anew: changes were lost, and
what came before is void.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any, TypeAlias

from google.protobuf.timestamp_pb2 import Timestamp

from gesso.failure import from_task_error
from gesso.v1 import canvas_summary_pb2, group_summary_pb2, node_pb2
from gesso.v1 import coordinator_service_pb2 as pb

__all__ = [
    "CanvasEvent",
    "GroupEvent",
    "NodeEvent",
    "ResetEvent",
    "SnapshotEvent",
    "WatchEvent",
    "canvas_events",
    "events",
    "words",
]

Classes = Mapping[str, type[BaseException]]

_ENDED = frozenset({"succeeded", "failed", "dead", "cancelled", "expired", "ignored", "dropped"})


@dataclass(frozen=True, slots=True, kw_only=True)
class CanvasEvent:
    """A canvas is new, or has changed."""

    id: str
    state: str
    """`active`, `succeeded`, `failed` or `cancelled`."""
    node_count: int
    ended_count: int
    """How many of its nodes have ended."""
    last_id: str
    """Id of the node whose value is the canvas's; empty for none."""
    submitted: datetime
    finished: datetime | None
    """When its last node ended; None while one has not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeEvent:
    """A task or a group is new, or has changed."""

    id: str
    """The id that its client chose, or else its own."""
    node_id: str
    """Its own id: that of the canvas, a hyphen, and a number."""
    task: str
    """Name of the task; empty for a group."""
    state: str
    """As the contract's `Node.State`, in words: `waiting`, `running`, `retry wait`, `succeeded`, `failed`, ..."""
    error: BaseException | None
    """What it ended with, if not well."""
    parent_id: str
    """Own id of the step before it; empty for the first step of a canvas or of a member."""
    groups: tuple[str, ...]
    """Ids of the groups that it stands inside, from the outermost inwards."""
    member_count: int
    """Of a group."""
    succeeded_count: int
    """How many members of a group succeeded."""
    ended_count: int
    """How many members of a group have ended."""
    attempts: int
    """How often it was handed to a worker."""
    worker: str
    """Where it ended; empty where it has not, or never ran."""
    ran: timedelta | None
    """How long its last attempt ran."""
    finished: datetime | None
    """When it ended, by the store's clock."""

    @property
    def ended(self) -> bool:
        """Whether that is its final state."""
        return self.state in _ENDED


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupEvent:
    """The members of a group that is too large to be told one by one have changed."""

    node_id: str
    """The group's own id, as its `NodeEvent` has it."""
    counts: Mapping[str, int]
    """How many members are in which state."""
    failures: tuple[NodeEvent, ...]
    """The first few members, in their order, that did not end well."""


@dataclass(frozen=True, slots=True)
class SnapshotEvent:
    """Everything was told as it stands; from now on come changes."""


@dataclass(frozen=True, slots=True)
class ResetEvent:
    """Changes were lost: what was told is void, and a new snapshot follows."""


WatchEvent: TypeAlias = CanvasEvent | NodeEvent | GroupEvent | SnapshotEvent | ResetEvent
"""What a watch tells."""


def events(message: pb.WatchCanvasesResponse, classes: Classes) -> Iterator[WatchEvent]:
    """Return what a message of a watch tells.

    Args:
        message: As it came.
        classes: Exceptions that are raised as themselves, by name.
    """
    if message.reset:
        yield ResetEvent()
    yield from map(_canvas, message.canvases)
    for node in message.nodes:
        yield _node(node, classes)
    for group in message.groups:
        yield _group(group, classes)
    if message.snapshot_complete:
        yield SnapshotEvent()


def canvas_events(
    messages: Iterable[pb.WatchCanvasesResponse], classes: Classes
) -> Iterator[CanvasEvent | SnapshotEvent | ResetEvent]:
    """Yield what the messages of a watch of canvases tell."""
    for message in messages:
        for event in events(message, classes):
            if isinstance(event, CanvasEvent | SnapshotEvent | ResetEvent):
                yield event


def words(name: Callable[[Any], str], state: int) -> str:
    """Return a state as words; a later contract may have more than are known here."""
    try:
        return name(state).removeprefix("STATE_").replace("_", " ").lower()
    except ValueError:
        return f"state {state}"


def _canvas(message: canvas_summary_pb2.CanvasSummary) -> CanvasEvent:
    return CanvasEvent(
        id=message.canvas_id,
        state=words(canvas_summary_pb2.CanvasSummary.State.Name, message.state),
        node_count=message.node_count,
        ended_count=message.ended_count,
        last_id=message.last.node_id,
        submitted=message.create_time.ToDatetime(UTC),
        finished=_instant(message.finish_time) if message.HasField("finish_time") else None,
    )


def _node(message: node_pb2.Node, classes: Classes) -> NodeEvent:
    handle = message.handle
    return NodeEvent(
        id=handle.task_id or handle.node_id,
        node_id=handle.node_id,
        task=message.task,
        state=words(node_pb2.Node.State.Name, message.state),
        error=from_task_error(message.error, classes) if message.HasField("error") else None,
        parent_id=message.parent.node_id,
        groups=tuple(message.group_ids),
        member_count=handle.member_count,
        succeeded_count=message.succeeded_count,
        ended_count=message.ended_count,
        attempts=message.delivery_count,
        worker=message.worker,
        ran=message.run_duration.ToTimedelta() if message.HasField("run_duration") else None,
        finished=_instant(message.finish_time) if message.HasField("finish_time") else None,
    )


def _group(message: group_summary_pb2.GroupSummary, classes: Classes) -> GroupEvent:
    return GroupEvent(
        node_id=message.node_id,
        counts=MappingProxyType(
            {words(node_pb2.Node.State.Name, each.state): each.count for each in message.counts}
        ),
        failures=_nodes(message.failures, classes),
    )


def _nodes(messages: Sequence[node_pb2.Node], classes: Classes) -> tuple[NodeEvent, ...]:
    return tuple(_node(each, classes) for each in messages)


def _instant(message: Timestamp) -> datetime:
    return message.ToDatetime(UTC)
