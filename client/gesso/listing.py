"""Canvases as lists show them, and the questions that lists answer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeAlias

from google.protobuf.timestamp_pb2 import Timestamp

from gesso.canvas.wire_options import write_stamps
from gesso.v1 import coordinator_service_pb2 as pb
from gesso.v1.canvas_summary_pb2 import CanvasSummary

__all__ = ["STATES", "CanvasInfo", "Instant", "canvas_filter", "canvases_request"]

_PREFIX: Final = "STATE_"
STATES: Final = tuple(name.removeprefix(_PREFIX) for name in CanvasSummary.State.keys()[1:])
"""The states of a canvas."""
_PAGE_SIZE = 1_000
"""The contract's most."""

Instant: TypeAlias = datetime | timedelta
"""An instant, or how long ago it was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CanvasInfo:
    """How a canvas stands. Instants are the store's."""

    id: str
    """Its id."""
    state: str
    """One of `STATES`."""
    tasks: tuple[str, ...]
    """Names of its tasks; of many the first ten."""
    last_id: str | None
    """Id of the node whose value is the canvas's; None for an empty chain, which has none."""
    trace_id: str
    """Its trace, 32 hexadecimal digits."""
    node_count: int
    """How many tasks and joins it has so far."""
    ended_count: int
    """How many of them have ended."""
    date_submitted: datetime
    """When it was accepted."""
    date_done: datetime | None
    """When its last node ended."""
    date_removed: datetime | None
    """When its results are removed; None while it has not ended."""
    deadline: datetime | None
    """When its deadline passes; None when it has none, or has ended."""
    retried: str | None
    """Id of the canvas that it runs again."""

    @classmethod
    def read(cls, message: CanvasSummary) -> CanvasInfo:
        """Read it from protobuf."""
        return cls(
            id=message.canvas_id,
            state=CanvasSummary.State.Name(message.state).removeprefix(_PREFIX),
            tasks=tuple(message.tasks),
            last_id=message.last.node_id or None,
            trace_id=message.trace_id,
            node_count=message.node_count,
            ended_count=message.ended_count,
            date_submitted=message.create_time.ToDatetime(UTC),
            date_done=_instant(message, "finish_time"),
            date_removed=_instant(message, "expire_time"),
            deadline=_instant(message, "deadline_time"),
            retried=message.retried_canvas_id or None,
        )


def canvases_request(
    *,
    state: str | Iterable[str] = (),
    task: str | None = None,
    stamps: Mapping[str, Any] | None = None,
    since: Instant | None = None,
    until: Instant | None = None,
    limit: int | None = None,
) -> pb.ListCanvasesRequest:
    """Return what asks for the first page of canvases; see `Control.canvases`.

    Raises:
        ValueError: If there is no such state, or the limit is none.
    """
    if limit is not None and limit < 1:
        raise ValueError(f"At least one canvas, not {limit}.")
    size = _PAGE_SIZE if limit is None else min(limit, _PAGE_SIZE)
    chosen = canvas_filter(state=state, task=task, stamps=stamps, since=since, until=until)
    return pb.ListCanvasesRequest(page_size=size, filter=chosen)


def canvas_filter(
    *,
    state: str | Iterable[str] = (),
    task: str | None = None,
    stamps: Mapping[str, Any] | None = None,
    since: Instant | None = None,
    until: Instant | None = None,
) -> pb.CanvasFilter:
    """Return which canvases are meant; see `Control.canvases`.

    Raises:
        ValueError: If there is no such state.
    """
    chosen = pb.CanvasFilter(task=task or "")
    for name in [state] if isinstance(state, str) else state:
        if name.upper() not in STATES:
            raise ValueError(f"The states of a canvas are {', '.join(STATES)}, not {name!r}.")
        chosen.states.append(CanvasSummary.State.Value(_PREFIX + name.upper()))  # type: ignore[arg-type]  # its stub says int
    for key, value in (stamps or {}).items():
        if value is None:
            chosen.stamps[key].SetInParent()
        else:
            write_stamps({key: value}, chosen.stamps)
    if since is not None:
        chosen.since_time.CopyFrom(_timestamp(since))
    if until is not None:
        chosen.until_time.CopyFrom(_timestamp(until))
    return chosen


def _timestamp(instant: Instant) -> Timestamp:
    found = Timestamp()
    found.FromDatetime(
        datetime.now(UTC) - instant if isinstance(instant, timedelta) else instant.astimezone(UTC)
    )
    return found


def _instant(message: CanvasSummary, field: str) -> datetime | None:
    found: Timestamp = getattr(message, field)
    return found.ToDatetime(UTC) if message.HasField(field) else None
