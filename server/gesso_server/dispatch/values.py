"""Values of nodes: a task's outcome, or a join's inputs read in place, in order, however large."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple, TypeAlias

from gesso_server.ids import CanvasId
from gesso_server.plan import Counts, Run, runs
from gesso_server.store.partition import Partition
from gesso_server.store.records import JoinBody, State, ignores_value, parse_join_body, parse_record
from gesso_server.store.store import Store

_PAGE_BYTES = 512 << 10
"""How much is read in one call; one outcome may be larger."""
_ELSEWHERE = b"\0"
"""Begins what stands in place of an outcome: the index of the node whose value it is."""


class Mark(Enum):
    """Where a list begins and ends in the walk through a value."""

    BEGIN = "begin"
    END = "end"
    IGNORED = "ignored"
    """In place of a value that is not for clients."""


class Settled(NamedTuple):
    """How an input of a join ended whose value is a list of outcomes. If it ended well, its value follows."""

    index: int  # type: ignore[assignment]  # the word of the design, not tuple.index
    state: State


class Room(NamedTuple):
    """What a join's value may take to be sent with something else."""

    size: int
    """In bytes."""
    count: int  # type: ignore[assignment]  # the word of the design, not tuple.count


Step: TypeAlias = bytes | Mark | Settled
"""One step of the walk: an outcome as the worker reported it, a list's begin or end, or how an input ended."""


class NoValueError(Exception):
    """A node has no value: it has not ended, or not well."""


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads the values of one canvas."""

    partition: Partition
    canvas_id: CanvasId
    for_client: bool

    async def join(
        self, index: int, body: JoinBody, until_ms: int | None = None
    ) -> AsyncIterator[Sequence[Step]]:
        """Walk through a join's value, depth first, in order, many steps at a time.

        Args:
            index: The join.
            body: Its body.
            until_ms: When its deadline ended it; what its inputs did from then on does not show.
        """
        inputs = body.inputs
        if body.counts is Counts.QUORUM:
            arrived = await self.partition.arrivals(self.canvas_id, index, body.need)
            inputs = runs(_in_order(arrived, body.inputs))
        if not body.single:
            yield (Mark.BEGIN,)
        for run in inputs:
            async for steps in self._run(run, until_ms, settled=body.counts is Counts.SETTLED):
                yield steps
        if not body.single:
            yield (Mark.END,)

    async def _run(self, run: Run, until_ms: int | None, *, settled: bool) -> AsyncIterator[Sequence[Step]]:
        first, left = run.first, run.count
        while left:
            page = await self.partition.outcomes(self.canvas_id, (first, left, run.stride), _PAGE_BYTES)
            steps: list[Step] = []
            for position, (record, outcome, inner) in enumerate(page):
                index = first + position * run.stride
                if settled:
                    state = State(record[0])
                    if until_ms is not None and _ended_since(record, until_ms):
                        state = State.WAITING
                    steps.append(Settled(index, state))
                    if state is not State.SUCCEEDED:
                        continue
                own = self._own(record, outcome)
                if own is not None:
                    steps.append(own)
                    continue
                yield steps
                steps = []
                async for others in self._value(index, record, outcome, inner):
                    yield others
            yield steps
            first += len(page) * run.stride
            left -= len(page)

    def _own(self, record: str, outcome: bytes) -> Step | None:
        """Return the one step that a node's value is; None if more is to be read for it."""
        if self.for_client and record[0] == State.SUCCEEDED and ignores_value(record):
            return Mark.IGNORED
        return outcome if outcome and not outcome.startswith(_ELSEWHERE) else None

    async def _value(
        self, index: int, record: str, outcome: bytes, body: bytes
    ) -> AsyncIterator[Sequence[Step]]:
        own = self._own(record, outcome)
        if own is None and outcome:
            index = int(outcome[1:])
            ((record, outcome, body),) = await self.partition.outcomes(
                self.canvas_id, (index, 1, 1), _PAGE_BYTES
            )
            own = outcome or None
        if own is not None:
            yield (own,)
        elif record[0] == State.SUCCEEDED and (join := parse_record(record)).join:
            until_ms = join.finish_ms if join.overdue else None
            async for steps in self.join(index, parse_join_body(body, join.base), until_ms):
                yield steps
        else:
            raise NoValueError

    async def of(self, index: int) -> AsyncIterator[Sequence[Step]]:
        """Walk through the value of any node."""
        ((record, outcome, body),) = await self.partition.outcomes(self.canvas_id, (index, 1, 1), _PAGE_BYTES)
        async for steps in self._value(index, record, outcome, body):
            yield steps


def _ended_since(record: str, instant_ms: int) -> bool:
    finish_ms = parse_record(record).finish_ms
    return finish_ms is not None and finish_ms >= instant_ms


def _in_order(arrived: list[int], inputs: tuple[Run, ...]) -> list[int]:
    """Return the inputs that arrived, in header order."""
    wanted = set(arrived)
    return [index for run in inputs for index in run.indexes if index in wanted]


class Values:
    """Reads values from the store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def walk(self, canvas_id: CanvasId, index: int, *, for_client: bool) -> AsyncIterator[Sequence[Step]]:
        """Walk through the value of a node that has succeeded, about as many steps at a time as one call reads.

        Args:
            canvas_id: Its canvas.
            index: The node.
            for_client: Whether values that are to be ignored are left out, which only tasks get.

        Raises:
            NoValueError: If it, or an input of it, has no value (any more).
            StoreError: If the store does not answer.
        """
        return self._reader(canvas_id, for_client=for_client).of(index)

    def _reader(self, canvas_id: CanvasId, *, for_client: bool) -> _Reader:
        partition = self._store.partition_of(canvas_id)
        if partition is None:
            raise NoValueError
        return _Reader(partition, canvas_id, for_client)

    async def small(
        self, canvas_id: CanvasId, index: int, body: JoinBody, room: Room, *, for_client: bool
    ) -> list[bytes] | None:
        """Return a join's outcomes if it is a list of tasks' that are few and small, and none is ignored; else None."""
        if body.single or body.counts is Counts.SETTLED or sum(run.count for run in body.inputs) > room.count:
            return None
        found: list[bytes] = []
        size, depth = 0, 0
        async for steps in self._reader(canvas_id, for_client=for_client).join(index, body):
            for step in steps:
                if isinstance(step, bytes):
                    size += len(step)
                    found.append(step)
                elif step is Mark.BEGIN:
                    depth += 1
                elif step is Mark.IGNORED:
                    return None
            if size > room.size or depth > 1:
                return None
        return found
