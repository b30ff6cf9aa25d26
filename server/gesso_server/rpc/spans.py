"""The spans of nodes: a task's own, under the id that it was stamped with, and a group's.

- A node's span begins when its edges let it run and ends when it has ended, by the store's clock. Its parent is the
  node that its control edge comes from: the step before, for an error link what failed; for what begins a replacement
  the task that it replaces; else the span of the submission.
- What stands behind a group is linked to the group's inputs; what is run again, to its span in the canvas before.
- A group above the threshold is one span that tells of its members: counts, percentiles, examples.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Sequence

from google.protobuf.message import DecodeError
from opentelemetry.trace import Span, SpanKind, Status, StatusCode
from opentelemetry.util.types import AttributeValue

from gesso.v1 import worker_service_pb2 as pb
from gesso_server.config import Tracing
from gesso_server.dispatch.ends import End
from gesso_server.ids import SpanOf, span_id
from gesso_server.plan import Origin
from gesso_server.store.records import (
    MemberTime,
    Record,
    State,
    parse_record,
    parse_task_body,
)
from gesso_telemetry.stamped import SpanPlace, StampedTracer

_EXAMPLES = 3
_NS_PER_MS = 1_000_000
_PERCENTILES = (50, 95, 99)
_FAILED = {State.FAILED, State.FAILED_UPSTREAM, State.DEAD, State.REVOKED, State.EXPIRED}
# The types of errors that no worker reported.
_ERROR_TYPES = {
    State.FAILED: "gesso.JoinTimeout",
    State.FAILED_UPSTREAM: "gesso.FailedUpstream",
    State.DEAD: "gesso.WorkerLost",
    State.REVOKED: "gesso.TaskRevokedError",
    State.EXPIRED: "gesso.TaskRevokedError",
}


class NodeSpans:
    """Tells spans."""

    def __init__(self, tracer: StampedTracer, settings: Tracing) -> None:
        self._tracer = tracer
        self._stamps = settings.stamps
        self._baggage = settings.baggage_attributes

    def tell(self, end: End) -> None:
        """Tell the span of a node that has ended."""
        record = end.record
        source = parse_record(end.node.source_record) if end.node.source_record else None
        finish_ms = record.finish_ms or 0
        start_ms = min(_ready_ms(record, source), finish_ms)
        attributes = self._attributes(end)
        if record.origin is Origin.JOIN and source is not None:
            attributes["gesso.links.count"] = source.total
        trace = end.trace
        span = self._tracer.start(
            _name(end), SpanPlace(trace.trace_id, span_id(*end.ref)),
            parent=SpanPlace(trace.trace_id, _parent(end, source)), kind=SpanKind.INTERNAL, attributes=attributes,
            links=[SpanPlace(each.trace_id, each.span_id) for each in _linked(end)],
            start_ns=_instant(end, start_ms),
        )  # fmt: skip
        if record.tells:
            _tell_members(span, end)
        _set_status(span, end)
        span.end(_instant(end, finish_ms))

    def _attributes(self, end: End) -> dict[str, AttributeValue]:
        record, ref = end.record, end.ref
        found: dict[str, AttributeValue] = {
            "messaging.system": "gesso",
            "messaging.message.conversation_id": ref.canvas_id,
            "messaging.message.id": ref.node_id,
            "gesso.canvas.id": ref.canvas_id,
            "gesso.node.id": ref.node_id,
            "gesso.state": record.state.name.lower(),
        }
        if record.cause is not None:
            found["gesso.cause.node.id"] = f"{ref.canvas_id}-{record.cause}"
        if record.join:
            found |= {
                "gesso.group.size": record.total,
                "gesso.group.succeeded_count": record.succeeded,
                "gesso.group.ended_count": record.ended,
            }
            return found
        _, queue, _, _, task = end.node.lane.split("|", 4)
        return found | self._stamps_of(end) | self._baggage_of(end) | {
            "messaging.destination.name": queue,
            "gesso.task": task,
            "gesso.queue": queue,
            "gesso.attempt_count": record.deliveries,
            **({"gesso.failure_count": record.failures} if record.failures else {}),
            **({"gesso.crash_count": record.crashes} if record.crashes else {}),
        }  # fmt: skip

    def _stamps_of(self, end: End) -> dict[str, AttributeValue]:
        """Return the stamps that may stand on spans."""
        if not self._stamps or not end.node.body:
            return {}
        call = pb.Assignment.FromString(parse_task_body(end.node.body, end.record.base).call)
        return {
            f"gesso.stamp.{key}": [str(json.loads(text)) for text in call.stamps[key].values]
            for key in self._stamps
            if key in call.stamps
        }

    def _baggage_of(self, end: End) -> dict[str, AttributeValue]:
        """Return the baggage that may stand on spans."""
        if not self._baggage or not end.carried.baggage:
            return {}
        return {
            f"gesso.baggage.{key}": text
            for key, text in end.carried.members().items()
            if key in self._baggage
        }


def _name(end: End) -> str:
    return "group" if end.record.join else f"task {end.node.lane.split('|', 4)[4]}"


def _instant(end: End, after_ms: int) -> int:
    return (end.created_ms + after_ms) * _NS_PER_MS


def _ready_ms(record: Record, source: Record | None) -> int:
    """Return when a node was let run, in ms after the canvas was accepted."""
    if record.brought_by is not None:  # when its task was replaced, nobody has kept
        return record.start_ms or 0
    return max(source.finish_ms or 0, 0) if source is not None else 0


def _parent(end: End, source: Record | None) -> str:
    record, canvas_id = end.record, end.ref.canvas_id
    if record.brought_by is not None:
        return span_id(*end.brought_by) if end.brought_by is not None else end.trace.parent
    if record.source is None or (source is not None and (source.finish_ms or 0) < 0):
        return (
            end.trace.parent
        )  # also of what stands behind a node that ended in the canvas that is run again
    if source is not None and source.told_by is not None:
        return span_id(canvas_id, source.told_by)
    return span_id(canvas_id, record.source)


def _linked(end: End) -> Sequence[SpanOf]:
    return end.inputs if end.before is None else [end.before, *end.inputs]


def _set_status(span: Span, end: End) -> None:
    record = end.record
    if record.state not in _FAILED:
        return
    kind = _error_type(record, end.node.outcome)
    span.set_attribute("error.type", kind)
    span.set_status(Status(StatusCode.ERROR, kind))


def _error_type(record: Record, outcome: bytes) -> str:
    if record.behind_join and not record.join:
        return "gesso.ChordError"
    if record.join and record.cause is not None:
        return _ERROR_TYPES[State.FAILED_UPSTREAM]
    if outcome and not record.join:
        try:
            return pb.Outcome.FromString(outcome).error.type or _ERROR_TYPES[record.state]
        except DecodeError:
            pass
    if record.state is State.FAILED and not record.join:
        return _ERROR_TYPES[State.FAILED_UPSTREAM]  # a task whose replacement failed
    return _ERROR_TYPES[record.state]


def _tell_members(span: Span, end: End) -> None:
    members = end.members
    if len(members) < end.record.total:
        span.set_attribute("gesso.group.sampled_count", len(members))
    counts = Counter(time.state.name.lower() for _, time in members)
    for state, count in counts.items():
        span.set_attribute(f"gesso.group.count.{state}", count)
    durations = sorted(time.duration_ms for _, time in members if time.duration_ms is not None)
    if durations:
        for percent in _PERCENTILES:
            span.set_attribute(f"gesso.group.duration.p{percent}", _percentile(durations, percent) / 1000)
        span.set_attribute("gesso.group.duration.max", durations[-1] / 1000)
    failed = [member for member in members if member[1].state in _FAILED]
    failed.sort(key=lambda member: member[1].finish_ms or 0)
    slowest = sorted(members, key=lambda member: member[1].duration_ms or 0, reverse=True)
    for name, examples in (("gesso.example.failed", failed), ("gesso.example.slow", slowest)):
        _add_examples(span, end, name, examples[:_EXAMPLES])


def _add_examples(span: Span, end: End, name: str, examples: Sequence[tuple[int, MemberTime]]) -> None:
    for index, time in examples:
        attributes: dict[str, AttributeValue] = {
            "gesso.node.id": f"{end.ref.canvas_id}-{index}",
            "gesso.state": time.state.name.lower(),
        }
        if time.duration_ms is not None:
            attributes["gesso.duration"] = time.duration_ms / 1000
        finish_ms = time.finish_ms if time.finish_ms is not None else end.record.finish_ms or 0
        span.add_event(name, attributes, _instant(end, finish_ms))


def _percentile(ascending: Sequence[int], percent: int) -> int:
    """Return the smallest value that so many of a hundred are not above. Nearest rank."""
    return ascending[math.ceil(len(ascending) * percent / 100) - 1]
