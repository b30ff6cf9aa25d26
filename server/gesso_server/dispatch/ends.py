"""Nodes that have ended and whose spans are to be told.

The scripts name them in their answers, for canvases that are traced and for no others; what their spans tell is read
afterwards, a call for some hundreds, off every task's way. What a coordinator has not told when it is killed stays
untold: spans are no state.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TypeAlias

from gesso_server.carried import Carried
from gesso_server.dispatch.span_links import before, brought_by, each_index, inputs
from gesso_server.ids import CanvasId, NodeRef, SpanOf, Trace
from gesso_server.plan import Run
from gesso_server.store.calls import EndedNode
from gesso_server.store.errors import StoreError, level_of
from gesso_server.store.partition import Partition
from gesso_server.store.records import MemberTime, Record, member_time, parse_join_body, parse_record

_log = logging.getLogger(__name__)

_MOST_WAITING = 200_000
_NODES_PER_CALL = 500
_BYTES_PER_CALL = 1 << 20
_MOST_MEMBERS = 10_000
"""Members of one group whose times are read; of more, so many at equal distances."""
_MEMBERS_PER_CALL = 1000
_PAUSE_S = 0.5
_TRIES = 20


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


class Ends:
    """The nodes whose spans one coordinator has still to tell."""

    def __init__(self, *, with_bodies: bool) -> None:
        """Have nothing to tell.

        Args:
            with_bodies: Whether spans tell anything of the bodies of tasks.
        """
        self.tell: Tell = lambda _end: None
        self._with_bodies = with_bodies
        self._waiting: deque[tuple[Partition, CanvasId, list[int]]] = deque()
        self._count = 0
        self._due = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()

    def note(self, partition: Partition, ended: Sequence[tuple[CanvasId, list[int]]]) -> None:
        """Take note of nodes that a call on `partition` has ended."""
        for canvas_id, indexes in ended:
            if self._count + len(indexes) > _MOST_WAITING:
                _log.warning("spans.dropped", extra={"canvas_id": canvas_id, "count": len(indexes)})
                continue
            self._count += len(indexes)
            self._waiting.append((partition, canvas_id, indexes))
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
        """Tell until cancelled."""
        while True:
            await self._due.wait()
            self._due.clear()
            while self._waiting:
                partition, canvas_id, indexes = self._waiting.popleft()
                await self._tell_all(partition, canvas_id, indexes)
                self._count -= len(indexes)
            self._idle.set()

    async def _tell_all(self, partition: Partition, canvas_id: CanvasId, indexes: list[int]) -> None:
        at, tries = 0, 0
        while at < len(indexes) and tries < _TRIES:
            try:
                told = await self._tell_some(partition, canvas_id, indexes[at : at + _NODES_PER_CALL])
            except StoreError as error:
                _log.log(
                    level_of(error),
                    "spans.delayed",
                    extra={"partition": partition.number, "reason": str(error)},
                )
                tries += 1
                await asyncio.sleep(_PAUSE_S)
                continue
            if not told:
                return  # the canvas is gone
            at += told

    async def _tell_some(self, partition: Partition, canvas_id: CanvasId, indexes: list[int]) -> int:
        found = await partition.ended(
            canvas_id, indexes, with_bodies=self._with_bodies, most_bytes=_BYTES_PER_CALL
        )
        if found is None:
            return 0
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
        return len(found.nodes)


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
