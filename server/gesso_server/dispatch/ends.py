"""Nodes that have ended and whose spans are to be told.

The scripts name them in their answers, for canvases that are traced and for no others; what their spans tell is read
afterwards, a call for some hundreds, off every task's way. What a coordinator has not told when it is killed stays
untold: spans are no state.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TypeAlias

from gesso_server.carried import Carried
from gesso_server.dispatch.span_links import before, brought_by, each_index, inputs
from gesso_server.ids import CanvasId, NodeRef, SpanOf, Trace
from gesso_server.plan import Run
from gesso_server.store.calls import EndedNode, EndedNodes
from gesso_server.store.errors import StoreError, level_of
from gesso_server.store.partition import Partition
from gesso_server.store.records import MemberTime, Record, member_time, parse_join_body, parse_record
from gesso_telemetry.setup import flush

_log = logging.getLogger(__name__)

_MOST_WAITING = 200_000
_NODES_PER_CALL = 500
_BYTES_PER_CALL = 1 << 20
_MOST_MEMBERS = 10_000
"""Members of one group whose times are read; of more, so many at equal distances."""
_MEMBERS_PER_CALL = 1000
_PAUSE_S = 0.5
_TRIES = 20
_GATHER_S = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """A node that has ended, with what its span tells."""

    ref: NodeRef
    trace: Trace
    created_ms: int
    carried: Carried
    before: SpanOf | None
    """The node's span in the canvas that this one runs again, if it has one there."""
    brought_by: NodeRef | None
    """The task that brought it, if that one's span is in this trace."""
    inputs: Sequence[SpanOf]
    """Of the group that it stands behind, 128 at most; none if that one's span tells of them."""
    node: EndedNode
    record: Record
    members: Sequence[tuple[int, MemberTime]]
    """Index and times of members, of a group whose span tells of them; perhaps not of all."""


Tell: TypeAlias = Callable[[End], None]
"""Tells a node's span."""
_Wanted: TypeAlias = tuple[CanvasId, list[int]]


class Ends:
    """The nodes whose spans one coordinator has still to tell."""

    def __init__(self, *, with_bodies: bool) -> None:
        """Have nothing to tell.

        Args:
            with_bodies: Whether spans tell anything of the bodies of tasks.
        """
        self.tell: Tell = lambda _end: None
        self._with_bodies = with_bodies
        self._waiting: defaultdict[Partition, deque[_Wanted]] = defaultdict(deque)
        self._count = 0
        self._due = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()

    def note(self, partition: Partition, ended: Sequence[_Wanted]) -> None:
        """Take note of nodes that a call on `partition` has ended."""
        for canvas_id, indexes in ended:
            if self._count + len(indexes) > _MOST_WAITING:
                _log.warning("spans.dropped", extra={"canvas_id": canvas_id, "count": len(indexes)})
                continue
            self._count += len(indexes)
            self._waiting[partition].append((canvas_id, indexes))
        self._idle.clear()
        self._due.set()

    async def settled(self, seconds: float) -> None:
        """Return when nothing waits to be told, or after that time."""
        try:
            async with asyncio.timeout(seconds):
                await self._idle.wait()
        except TimeoutError:
            _log.warning("spans.dropped", extra={"count": self._count})

    async def run(self) -> None:
        """Tell until cancelled: after a moment, so that a call reads what many calls have ended."""
        while True:
            await self._due.wait()
            await asyncio.sleep(_GATHER_S)
            self._due.clear()
            while self._waiting:
                for partition in list(self._waiting):
                    await self._tell_some(partition)
            self._idle.set()

    async def _tell_some(self, partition: Partition) -> None:
        """Tell as many as one call reads."""
        queue = self._waiting[partition]
        wanted = _taken(queue)
        left = await self._tell(partition, wanted)
        queue.extendleft(reversed(left))
        self._count -= _total(wanted) - _total(left)
        if not queue:
            del self._waiting[partition]
        if _total(wanted) == _NODES_PER_CALL:  # more than exporters hold may come at once
            await asyncio.to_thread(flush)

    async def _tell(self, partition: Partition, wanted: Sequence[_Wanted]) -> Sequence[_Wanted]:
        """Return what is left to tell; nothing of canvases that are gone."""
        found = await self._read(partition, wanted)
        if found is None:
            _log.warning("spans.dropped", extra={"partition": partition.number, "count": _total(wanted)})
            return ()
        left = list(wanted[len(found) :])
        for (canvas_id, indexes), nodes in zip(wanted, found, strict=False):
            if nodes is not None:
                await self._tell_nodes(partition, canvas_id, nodes)
                if len(nodes.nodes) < len(indexes):
                    left.insert(0, (canvas_id, indexes[len(nodes.nodes) :]))
        return left

    async def _read(self, partition: Partition, wanted: Sequence[_Wanted]) -> list[EndedNodes | None] | None:
        for _ in range(_TRIES):
            try:
                return await partition.ended(
                    wanted, with_bodies=self._with_bodies, most_bytes=_BYTES_PER_CALL
                )
            except StoreError as error:
                _log.log(
                    level_of(error),
                    "spans.delayed",
                    extra={"partition": partition.number, "reason": str(error)},
                )
                await asyncio.sleep(_PAUSE_S)
        return None

    async def _tell_nodes(self, partition: Partition, canvas_id: CanvasId, found: EndedNodes) -> None:
        for node in found.nodes:
            if not node.record:
                continue
            record = parse_record(node.record)
            members: Sequence[tuple[int, MemberTime]] = ()
            if record.tells:
                members = await _members(partition, canvas_id, parse_join_body(node.body, record.base).inputs)
            self.tell(
                End(
                    ref=NodeRef(canvas_id, node.index), trace=found.trace, created_ms=found.created_ms,
                    carried=found.carried, before=before(found, node), node=node, record=record, members=members,
                    brought_by=await brought_by(partition, canvas_id, found, record),
                    inputs=await inputs(partition, canvas_id, found, node),
                )
            )  # fmt: skip


def _taken(queue: deque[_Wanted]) -> list[_Wanted]:
    """Take as many as one call reads, those of a canvas that follow each other together."""
    taken: list[_Wanted] = []
    room = _NODES_PER_CALL
    while queue and room:
        canvas_id, indexes = queue.popleft()
        if len(indexes) > room:
            queue.appendleft((canvas_id, indexes[room:]))
            indexes = indexes[:room]
        room -= len(indexes)
        if taken and taken[-1][0] == canvas_id:
            taken[-1] = (canvas_id, taken[-1][1] + indexes)
        else:
            taken.append((canvas_id, indexes))
    return taken


def _total(wanted: Iterable[_Wanted]) -> int:
    return sum(len(indexes) for _, indexes in wanted)


async def _members(
    partition: Partition, canvas_id: CanvasId, runs: Sequence[Run]
) -> Sequence[tuple[int, MemberTime]]:
    step = -(-sum(run.count for run in runs) // _MOST_MEMBERS) or 1
    indexes = list(islice(each_index(runs), 0, None, step))
    found: list[tuple[int, MemberTime]] = []
    for at in range(0, len(indexes), _MEMBERS_PER_CALL):
        part = indexes[at : at + _MEMBERS_PER_CALL]
        texts = await partition.times(canvas_id, part)
        found += [(index, member_time(text)) for index, text in zip(part, texts, strict=True) if text]
    return found
