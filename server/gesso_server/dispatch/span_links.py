"""What the spans of nodes are linked to: the inputs of a group, and the same node in the canvas that is run again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice

from gesso_server.ids import CanvasId, NodeRef, SpanOf, Trace
from gesso_server.plan import Origin, Run
from gesso_server.store.calls import EndedNode, EndedNodes
from gesso_server.store.partition import Partition
from gesso_server.store.records import Record, State, member_time, parse_join_body, parse_record

_MOST_LINKS = 128
_MOST_RERUNS = 8
"""Canvases, each run again by the one before, in which an input is looked for."""


def before(found: EndedNodes, node: EndedNode) -> SpanOf | None:
    """Return the span of a node in the canvas that its own runs again, if it has one there."""
    if found.again is None or not node.before:
        return None
    canvas_id, trace = found.again
    record = parse_record(node.before)
    if not trace.told or record.told_by is not None or record.state is State.DROPPED:
        return None
    return SpanOf(trace.trace_id, NodeRef(canvas_id, node.index))


async def inputs(
    partition: Partition, canvas_id: CanvasId, found: EndedNodes, node: EndedNode
) -> Sequence[SpanOf]:
    """Return the spans of what a node behind a group gets the values of: none if the group's own span tells of them."""
    if not node.source_record or parse_record(node.record).origin is not Origin.JOIN:
        return ()
    join = parse_record(node.source_record)
    if join.tells:
        return ()
    indexes = list(islice(each_index(parse_join_body(node.source_body, join.base).inputs), _MOST_LINKS))
    if found.again is None:
        return [SpanOf(found.trace.trace_id, NodeRef(canvas_id, index)) for index in indexes]
    return await _where_they_ended(partition, canvas_id, found, indexes)


async def brought_by(
    partition: Partition, canvas_id: CanvasId, found: EndedNodes, record: Record
) -> NodeRef | None:
    """Return the task that a node replaces or that added it, unless that one ended in a canvas that is run again."""
    if record.brought_by is None:
        return None
    if found.again is not None:
        (text,) = await partition.times(canvas_id, [record.brought_by])
        if not _is_here(text):
            return None
    return NodeRef(canvas_id, record.brought_by)


def each_index(runs: Iterable[Run]) -> Iterator[int]:
    """Return the indexes that runs stand for."""
    return chain.from_iterable(
        range(run.first, run.first + run.count * run.stride, run.stride) for run in runs
    )


async def _where_they_ended(
    partition: Partition, canvas_id: CanvasId, found: EndedNodes, indexes: Sequence[int]
) -> Sequence[SpanOf]:
    """Return the spans of nodes, of which some succeeded in canvases that were run again."""
    spans: dict[int, SpanOf] = {}
    canvas: tuple[CanvasId, Trace] | None = (canvas_id, found.trace)
    missing, again = list(indexes), found.again
    for _ in range(_MOST_RERUNS):
        if canvas is None or not missing:
            break
        canvas_id, trace = canvas
        texts = await partition.times(canvas_id, missing)
        here = [index for index, text in zip(missing, texts, strict=True) if _is_here(text)]
        if trace.told:
            spans |= {index: SpanOf(trace.trace_id, NodeRef(canvas_id, index)) for index in here}
        missing = [index for index in missing if index not in set(here)]
        canvas = again
        if canvas is not None and missing:
            (older,) = await partition.ended([(canvas[0], [])], with_bodies=False, most_bytes=0)
            again = older.again if older is not None else None
    return [spans[index] for index in indexes if index in spans]


def _is_here(text: str) -> bool:
    """Return whether a node runs or ended in the canvas of this record: times before its acceptance are another's."""
    if not text:
        return False
    time = member_time(text)
    return time.state is not State.DROPPED and (time.finish_ms is None or time.finish_ms >= 0)
