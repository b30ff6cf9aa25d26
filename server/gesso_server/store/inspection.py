"""What people ask of one partition: canvases by what they have in common, and where tasks stand.

Nothing here changes anything. Each call does a bounded part, and says where it stopped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from gesso_server.ids import CanvasId, NodeRef
from gesso_server.plan import Run
from gesso_server.store.calls import LookedCanvas
from gesso_server.store.choice import CanvasChoice
from gesso_server.store.replies import looked_canvas, optional_number

_RANGES = 1000
"""That one call returns."""
_SESSIONS = 500
"""That one call looks at."""


class Caller(Protocol):
    """Calls a function of the library with one key."""

    async def __call__(self, function: str, key: str, args: Sequence[bytes | str | int]) -> Any:
        """Call `function` and return its reply."""
        ...


class CanvasPlace(NamedTuple):
    """A place in a list of canvases, the newest first: behind this one."""

    created_ms: int
    canvas_id: str


class CanvasSlice(NamedTuple):
    """Part of a list of canvases."""

    more: bool
    """Whether more were not looked at."""
    place: CanvasPlace | None
    """As far as it was looked; None for the start."""
    begun: str
    """How far the canvas behind that was looked at, for the call that goes on; empty for not at all."""
    canvases: list[tuple[CanvasId, LookedCanvas]]


class Inspection:
    """The functions of the library that people look with, on one partition."""

    def __init__(self, key: str, call: Caller) -> None:
        self._key = key
        self._call = call

    async def canvases(
        self, choice: CanvasChoice, behind: CanvasPlace | None, *, begun: str, most: int
    ) -> CanvasSlice:
        """Return canvases, the newest first, behind a place.

        Args:
            choice: Which ones.
            behind: None for the start.
            begun: As the slice before says.
            most: How many at the most, from 1 to 1,000.
        """
        args = [choice.namespace, *(behind or ("", "")), begun, most, *choice.arguments()]
        more, instant, last, looked_at, flat = await self._call("list", self._key, args)
        place = CanvasPlace(int(float(instant)), last.decode()) if last else None
        pairs = zip(flat[::2], flat[1::2], strict=True)
        found = [(CanvasId(name.decode()), looked_canvas(meta)) for name, meta in pairs]
        return CanvasSlice(bool(more), place, looked_at.decode(), found)

    async def ranges(self, namespace: str, canvas_id: CanvasId) -> list[Run] | None:
        """Return the indexes that a canvas's nodes have; None when there is no such canvas."""
        found: list[Run] = []
        while True:
            reply = await self._call(
                "standing_ranges", self._key, [canvas_id, namespace, max(0, len(found) - 1)]
            )
            if not reply:
                return None
            own, *texts = reply
            if not found:
                found.append(Run(0, own, 1))
            found += (Run(int(first), int(count), 1) for first, count in (text.split(b",") for text in texts))
            if len(texts) < _RANGES:
                return found

    async def count_nodes(self, canvas_id: CanvasId, runs: Sequence[Run]) -> tuple[int, list[NodeKind]]:
        """Count some nodes by where they stand; return of how many, from the first on. There are at most 2,000 runs."""
        args = [number for run in runs for number in (run.first, run.count, run.stride)]
        done, *flat = await self._call("standing_count", self._key, [canvas_id, *args])
        return done, [
            NodeKind(flat[at].decode(), flat[at + 1].decode(), flat[at + 2], flat[at + 3])
            for at in range(0, len(flat), 4)
        ]

    async def task(self, ref: NodeRef) -> TaskStanding | None:
        """Return where a task stands; None when there is no such task."""
        reply = await self._call("standing_node", self._key, [*ref])
        if not reply:
            return None
        now, due, place, since, join, most, busy, limit, paused, alone = reply
        return TaskStanding(
            now_ms=now, due_ms=int(float(due)) if due else None, place=place.decode(),
            since_ms=optional_number(since), join=None if join == b"" else int(join), most=most, busy=busy,
            limit=limit.decode(), paused=bool(paused), alone=bool(alone),
        )  # fmt: skip

    async def takers(self, namespace: str, queue: str, task: str) -> Takers:
        """Return who takes a task of a queue."""
        behind, total = b"", [0, 0, 0, 0]
        while True:
            args: list[bytes | str | int] = [namespace, queue, task, behind, _SESSIONS]
            behind, waiting, *counts = await self._call("standing_takers", self._key, args)
            total = [one + other for one, other in zip(total, counts, strict=True)]
            if not behind:
                return Takers(waiting, *total)

    async def limit(self, name: str) -> LimitStanding | None:
        """Return how a limit stands whose home this is; None when there is none."""
        reply = await self._call("standing_limit", self._key, [name])
        return LimitStanding(*reply) if reply else None

    async def limits(self, namespace: str) -> list[LimitUse]:
        """Return what is done under each limit here."""
        flat = await self._call("standing_limits", self._key, [namespace])
        return [LimitUse(flat[at].decode(), *flat[at + 1 : at + 3]) for at in range(0, len(flat), 3)]


class NodeKind(NamedTuple):
    """Nodes of a canvas that stand alike."""

    letter: str
    """Of their state; for tasks in W: B if the node before has not ended, H if their turn has not come."""
    lane: str
    """Number of their lane; empty for joins."""
    count: int  # type: ignore[assignment]  # the word of the design, not tuple.count
    first: int
    """Index of the first one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskStanding:
    """Where a task stands that has not ended. Times are Unix ms."""

    now_ms: int
    due_ms: int | None
    """When it is due, if it waits for that."""
    place: str
    """A letter of `scripts/standing.lua`; empty when it was not found anywhere."""
    since_ms: int | None
    join: int | None
    """Whose member it is, that waits for its turn."""
    most: int
    """How many of that join's members may be under way."""
    busy: int
    """How many are."""
    limit: str
    """Name of the limit that holds it back; empty for none."""
    paused: bool
    alone: bool
    """Whether it is handed only to a worker that holds nothing."""


class Takers(NamedTuple):
    """Sessions that take a queue's tasks."""

    waiting: int
    """How many tasks of the queue wait in this partition."""
    taking: int
    knowing: int
    """How many of them know the task."""
    slots: int
    """How many tasks these run at one time."""
    held: int
    """How many tasks of this partition these hold."""


class LimitStanding(NamedTuple):
    """How a limit stands in its home."""

    rate: int
    period_ms: int
    concurrency: int
    out: int
    """Permits that are out."""
    next_ms: int
    """In how many ms the rate grants the next one; 0 for now."""


class LimitUse(NamedTuple):
    """What is done under a limit in a partition."""

    key: str
    held: int
    waiting: int
