"""Why a node has not ended.

Of all that stands in a task's way the first is told, in the order in which the task meets it: the nodes before it, its
turn, its time, its queue, a worker, a limit, a slot.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import NamedTuple

from gesso_server.ids import CanvasId, NodeRef
from gesso_server.plan import Run
from gesso_server.store.calls import Looked, LookedCanvas
from gesso_server.store.inspection import NodeKind, TaskStanding
from gesso_server.store.partition import Partition
from gesso_server.store.records import Record, State, parse_join_body, parse_record
from gesso_server.store.store import Store

_NAMED = 10
"""Nodes that are named of those that are waited for."""
_ONE_CALL = 1000
_TOLD = 20
"""Kinds of nodes that a canvas tells of."""


class Reason(Enum):
    """What stands in a node's way, as `gesso.v1.Waiting.Reason` says."""

    INPUTS = auto()
    MAX_IN_FLIGHT = auto()
    DELAY = auto()
    RETRY_DELAY = auto()
    QUEUE_PAUSED = auto()
    NO_WORKER = auto()
    UNKNOWN_TASK = auto()
    RATE_LIMIT = auto()
    CONCURRENCY_LIMIT = auto()
    ISOLATION = auto()
    BUSY = auto()
    MOMENT = auto()
    GRANTED = auto()
    RUNNING = auto()
    CANCELLING = auto()
    REPLACED = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """What a node that has not ended waits for. The contract says what each number means; times are Unix ms."""

    reason: Reason
    task: str = ""
    queue: str = ""
    limit_key: str = ""
    period_ms: int = 0
    """Of the limit's rate."""
    worker: str = ""
    since_ms: int | None = None
    until_ms: int | None = None
    indexes: tuple[int, ...] = ()
    """Nodes that it waits for, some of them."""
    done: int = 0
    total: int = 0
    others: int = 0
    workers: int = 0


class Crowd(NamedTuple):
    """Nodes of a canvas that wait alike."""

    first: NodeRef
    count: int  # type: ignore[assignment]  # the word of the design, not tuple.count
    waiting: Waiting


@dataclass(frozen=True, slots=True)
class Survey:
    """How the nodes of a canvas stand."""

    states: dict[State, int]
    crowds: list[Crowd]
    """Those that wait for something that is no node of the canvas."""


class _Place(NamedTuple):
    """A task, and what it is to be told of it."""

    ref: NodeRef
    record: Record
    queue: str
    task: str


class Explainer:
    """Says why nodes of one store have not ended."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def node(self, namespace: str, ref: NodeRef, looked: Looked, created_ms: int) -> Waiting | None:
        """Return what a node waits for; None when it has ended.

        Args:
            namespace: Whose it is.
            ref: The node.
            looked: How it stands.
            created_ms: When its canvas was accepted, Unix ms.

        Raises:
            StoreError: If the store does not answer.
        """
        record = parse_record(looked.record)
        if record.state.final:
            return None
        if record.join:
            return await self._inputs(ref, parse_join_body(looked.body, record.base).inputs, record.ended)
        _, queue, _, _, task = looked.lane.split("|", 4)
        place = _Place(ref, record, queue, task)
        match record.state:
            case State.GRANTED | State.RUNNING | State.REVOKING | State.CANCELLING:
                return _held(place, looked, created_ms)
            case State.REPLACED:
                return await self._replaced(place)
            case State.DELAYED | State.RETRY_WAIT:
                return await self._timed(place)
            case _:
                return await self._ready(namespace, place)

    async def states(self, canvas_id: CanvasId, runs: Sequence[Run]) -> dict[State, int]:
        """Return how many of some nodes are in each state, in the order of the states."""
        return _by_state([kind async for kind in self._kinds(canvas_id, runs)])

    async def survey(self, namespace: str, canvas_id: CanvasId) -> Survey | None:
        """Return how a canvas's nodes stand; None when there is no such canvas.

        Raises:
            StoreError: If the store does not answer.
        """
        partition = self._partition(canvas_id)
        runs = await partition.inspection.ranges(namespace, canvas_id)
        if runs is None:
            return None
        kinds = [kind async for kind in self._kinds(canvas_id, runs)]
        alike: dict[tuple[str, str], tuple[int, int]] = {}
        for kind in kinds:
            if kind.letter in _TOLD_OF:
                count, first = alike.get((kind.letter, kind.lane), (0, kind.first))
                alike[kind.letter, kind.lane] = count + kind.count, min(first, kind.first)
        crowds = []
        for count, first in sorted(alike.values(), key=lambda pair: pair[1])[:_TOLD]:
            found = await partition.look(namespace, canvas_id, [first])
            ref = NodeRef(canvas_id, first)
            waiting = await self._of_found(namespace, ref, found)
            if waiting is not None:
                crowds.append(Crowd(ref, count, waiting))
        return Survey(_by_state(kinds), crowds)

    async def _of_found(
        self, namespace: str, ref: NodeRef, found: tuple[LookedCanvas, list[Looked | None]] | None
    ) -> Waiting | None:
        if found is None or found[1][0] is None:
            return None
        return await self.node(namespace, ref, found[1][0], found[0].created_ms)

    # --- what is before it -----------------------------------------------------------------------

    async def _inputs(self, ref: NodeRef, inputs: Sequence[Run], ended: int) -> Waiting:
        total = sum(run.count for run in inputs)
        missing = await self._unfinished(ref.canvas_id, inputs)
        return Waiting(reason=Reason.INPUTS, indexes=missing, done=ended, total=total)

    async def _unfinished(self, canvas_id: CanvasId, runs: Sequence[Run]) -> tuple[int, ...]:
        """Return some nodes that have not ended."""
        missing: list[int] = []
        partition = self._partition(canvas_id)
        for run in runs:
            for at in range(0, run.count, _ONE_CALL):
                part = run.indexes[at : at + _ONE_CALL]
                texts = await partition.times(canvas_id, part)
                missing += (
                    index
                    for index, text in zip(part, texts, strict=True)
                    if text and not State(text[0]).final
                )
                if len(missing) >= _NAMED:
                    return tuple(missing[:_NAMED])
        return tuple(missing)

    async def _replaced(self, place: _Place) -> Waiting:
        runs = place.record.annexed
        states = await self.states(place.ref.canvas_id, runs)
        done = sum(count for state, count in states.items() if state.final)
        return Waiting(
            reason=Reason.REPLACED, task=place.task, queue=place.queue, done=done, total=sum(states.values()),
            indexes=await self._unfinished(place.ref.canvas_id, runs),
        )  # fmt: skip

    # --- its time, its worker ----------------------------------------------------------------------

    async def _timed(self, place: _Place) -> Waiting:
        standing = await self._partition(place.ref.canvas_id).inspection.task(place.ref)
        retried = place.record.state is State.RETRY_WAIT
        return Waiting(
            reason=Reason.RETRY_DELAY if retried else Reason.DELAY, task=place.task, queue=place.queue,
            until_ms=standing.due_ms if standing else None, done=place.record.failures if retried else 0,
        )  # fmt: skip

    # --- its queue, a worker, a limit, a slot ----------------------------------------------------------

    async def _ready(self, namespace: str, place: _Place) -> Waiting:
        source = place.record.source
        if source is not None and (before := await self._before(namespace, place.ref, source)) is not None:
            return before
        standing = await self._partition(place.ref.canvas_id).inspection.task(place.ref)
        about = Waiting(reason=Reason.MOMENT, task=place.task, queue=place.queue)
        if standing is None:
            return about
        about = replace(about, since_ms=standing.since_ms)
        if standing.join is not None:
            turn = (standing.join,)
            return replace(
                about, reason=Reason.MAX_IN_FLIGHT, indexes=turn, done=standing.busy, total=standing.most
            )
        if standing.paused:
            return replace(about, reason=Reason.QUEUE_PAUSED)
        return await self._waiting_for_worker(namespace, place, standing, about)

    async def _before(self, namespace: str, ref: NodeRef, source: int) -> Waiting | None:
        """Return that a node waits for the one before it; None when that has ended."""
        found = await self._partition(ref.canvas_id).look(namespace, ref.canvas_id, [source])
        looked = found[1][0] if found else None
        if looked is None:
            return None
        record = parse_record(looked.record)
        if record.state.final:
            return None
        done, total = (record.ended, record.total) if record.join else (0, 1)
        return Waiting(reason=Reason.INPUTS, indexes=(source,), done=done, total=total)

    async def _waiting_for_worker(
        self, namespace: str, place: _Place, standing: TaskStanding, about: Waiting
    ) -> Waiting:
        partitions = self._store.partitions
        everywhere = await asyncio.gather(
            *(each.inspection.takers(namespace, place.queue, place.task) for each in partitions)
        )
        here, held = everywhere[0], sum(each.held for each in everywhere)
        if not here.taking:
            return replace(about, reason=Reason.NO_WORKER)
        if not here.knowing:
            return replace(about, reason=Reason.UNKNOWN_TASK, workers=here.taking)
        if standing.limit:
            return await self._limited(standing, about)
        if standing.alone:
            return replace(about, reason=Reason.ISOLATION, done=place.record.crashes, workers=here.knowing)
        if held < here.slots:
            return about
        others = max(0, sum(each.waiting for each in everywhere) - 1)
        return replace(
            about, reason=Reason.BUSY, workers=here.knowing, done=held, total=here.slots, others=others
        )

    async def _limited(self, standing: TaskStanding, about: Waiting) -> Waiting:
        namespace, _, key = standing.limit.partition("\0")
        limit = await self._store.partition_for(namespace, key).inspection.limit(standing.limit)
        if limit is None:
            return about
        about = replace(about, limit_key=key)
        if limit.concurrency and limit.out >= limit.concurrency:
            return replace(about, reason=Reason.CONCURRENCY_LIMIT, done=limit.out, total=limit.concurrency)
        if limit.rate and limit.next_ms:
            until = standing.now_ms + limit.next_ms
            return replace(
                about, reason=Reason.RATE_LIMIT, total=limit.rate, period_ms=limit.period_ms, until_ms=until
            )
        return about

    # --- counting --------------------------------------------------------------------------------

    async def _kinds(self, canvas_id: CanvasId, runs: Sequence[Run]) -> AsyncIterator[NodeKind]:
        partition = self._partition(canvas_id)
        left = [run for run in runs if run.count]
        while left:
            done, kinds = await partition.inspection.count_nodes(canvas_id, left[:_ONE_CALL])
            for kind in kinds:
                yield kind
            left = _behind(left, done)

    def _partition(self, canvas_id: CanvasId) -> Partition:
        partition = self._store.partition_of(canvas_id)
        if partition is None:
            raise LookupError(canvas_id)
        return partition


_BLOCKED, _TURN = "B", "H"
_TOLD_OF = frozenset("WHTYGRKQ")
"""Letters of kinds that a canvas tells of: others wait for nodes of it."""


def _held(place: _Place, looked: Looked, created_ms: int) -> Waiting:
    reasons = {State.GRANTED: Reason.GRANTED, State.RUNNING: Reason.RUNNING}
    start = place.record.start_ms
    return Waiting(
        reason=reasons.get(place.record.state, Reason.CANCELLING), task=place.task, queue=place.queue,
        worker=looked.worker, since_ms=None if start is None else created_ms + start,
    )  # fmt: skip


def _behind(runs: list[Run], count: int) -> list[Run]:
    """Return runs without the first nodes of theirs."""
    for at, run in enumerate(runs):
        if count < run.count:
            rest = Run(run.first + count * run.stride, run.count - count, run.stride)
            return [rest, *runs[at + 1 :]]
        count -= run.count
    return []


def _by_state(kinds: Sequence[NodeKind]) -> dict[State, int]:
    counts = dict.fromkeys(State, 0)
    for kind in kinds:
        counts[State.WAITING if kind.letter in {_BLOCKED, _TURN} else State(kind.letter)] += kind.count
    return {state: count for state, count in counts.items() if count}
