"""Events of a watch as lines: for people who look at no terminal, and as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime, timedelta
from typing import Any

from gesso.cli.board import counted, error_text
from gesso.cli.drawing.picture import span_text
from gesso.watching import CanvasEvent, GroupEvent, NodeEvent, ResetEvent, SnapshotEvent, WatchEvent

__all__ = ["Lines", "canvas_line", "json_line"]

_KINDS = {
    CanvasEvent: "canvas",
    NodeEvent: "node",
    GroupEvent: "group",
    SnapshotEvent: "snapshot",
    ResetEvent: "reset",
}
_STEPS = 10
"""A group is told each time that another of so many parts of it has ended."""


class Lines:
    """Tells a canvas in lines: each task as it begins and ends, each counted group as it gets on."""

    def __init__(self) -> None:
        self._told: dict[str, object] = {}

    def line(self, event: WatchEvent) -> str:
        """Return what to tell of an event; empty for nothing."""
        match event:
            case CanvasEvent():
                return canvas_line(event) if self._is_new(event.id, event.state, event.finished) else ""
            case NodeEvent() if event.task:
                return _node_line(event) if self._is_new(event.node_id, event.state, event.attempts) else ""
            case NodeEvent():
                part = _STEPS * event.ended_count // event.member_count if event.member_count else 0
                return _node_line(event) if self._is_new(event.node_id, event.state, part) else ""
            case GroupEvent():
                ended = sum(event.counts.values()) - event.counts.get("waiting", 0)
                part = _STEPS * ended // (sum(event.counts.values()) or 1)
                named = tuple(failed.node_id for failed in event.failures)
                return _group_line(event) if self._is_new(f"{event.node_id} counts", part, named) else ""
            case SnapshotEvent():
                return ""
            case ResetEvent():
                self._told.clear()
                return "changes were lost; as it stands now:"

    def _is_new(self, key: str, *told: object) -> bool:
        before = self._told.get(key)
        self._told[key] = told
        return before != told


def canvas_line(event: CanvasEvent) -> str:
    """Return a canvas in one line."""
    took = span_text(event.finished - event.submitted) if event.finished else ""
    told = f"{event.ended_count:,} of {event.node_count:,} ended"
    return f"canvas {event.id}: {', '.join(filter(None, (event.state, told, took)))}"


def json_line(event: WatchEvent) -> str:
    """Return an event as a JSON object: `event` says what it is, the rest is as the SDK has it."""
    return json.dumps({"event": _KINDS[type(event)], **_fields(event)}, ensure_ascii=False)


def _node_line(event: NodeEvent) -> str:
    name = event.task or f"group of {event.member_count:,}"
    done = "" if event.task else f"{event.ended_count:,} ended"
    told = ", ".join(filter(None, (event.state, done, span_text(event.ran))))
    failed = f": {error_text(event.error)}" if event.error is not None else ""
    return f"{name} {event.id}: {told}{failed}"


def _group_line(event: GroupEvent) -> str:
    lines = [f"members of {event.node_id}: {counted(event.counts) or 'all wait'}"]
    lines += [f"  {_node_line(failed)}" for failed in event.failures]
    return "\n".join(lines)


def _fields(event: Any) -> dict[str, Any]:
    return {field.name: _value(getattr(event, field.name)) for field in fields(event)}


def _value(value: Any) -> Any:
    match value:
        case datetime():
            return value.isoformat()
        case timedelta():
            return value.total_seconds()
        case BaseException():
            return {"type": type(value).__name__, "message": str(value)}
        case NodeEvent():
            return _fields(value)
        case tuple():
            return [_value(each) for each in value]
        case _:
            return dict(value) if isinstance(value, Mapping) else value
