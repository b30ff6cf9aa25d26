"""Canvases at random: all primitives, nested, with links and error links, failures and everything a task may ask."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

from gesso import (
    Canvas,
    Signature,
    chain,
    chord,
    chunks,
    first,
    group,
    quorum,
    settled,
    signature,
    xmap,
    xstarmap,
)
from support import canvas_tasks

#: How likely each kind of task is.
_TASKS = {"work": 60, "fail": 9, "ignore": 3, "reject": 2, "again": 4, "swap": 7, "grow": 5, "map": 6}
#: How likely each kind of element is that has others inside.
_ELEMENTS = {"task": 3, "chain": 4, "pipe": 2, "group": 4, "chord": 4, "chunks": 1}
#: How likely a group or a chord has `max_in_flight`.
_LIMITED = 0.2


def random_canvas(seed: int, *, depth: int = 5) -> Canvas:
    """Return the canvas of a number.

    Args:
        seed: Which one; its tasks write it down.
        depth: How deep it is nested at the most.
    """
    limits = Random(f"limits of {seed}")  # noqa: S311 - no secret
    return _Maker(Random(seed), str(seed), limits).element(depth)  # noqa: S311


class _Maker:
    """Makes one canvas. Each task in it has a number of its own."""

    def __init__(self, random: Random, run: str, limits: Random) -> None:
        self._random = random
        # Of its own, so that a number means the same canvas with limits and without.
        self._limits = limits
        self._run = run
        self._label = 0

    def element(self, depth: int) -> Canvas:
        """Return an element, nested so deep at the most."""
        kind = self._chosen(_ELEMENTS) if depth > 1 else "task"
        made = getattr(self, f"_{kind}")(depth - 1)
        return self._linked(made, depth)

    # --- tasks -----------------------------------------------------------------------------

    def _task(self, depth: int) -> Canvas:
        kind = self._chosen(_TASKS)
        if kind == "map":
            return self._map()
        more: dict[str, Any] = {}
        match kind:
            case "again":
                more["times"] = self._random.randrange(4)
            case "ignore" if self._likely(0.3):
                more["state"] = "SKIPPED"
            case "swap" | "grow":
                more["canvas"] = self.element(min(depth, 3)).to_dict()
            case _:
                pass
        made = self._sig(kind, **more)
        return made.set(immutable=True) if self._likely(0.2) else made

    def _map(self) -> Canvas:
        kind = xmap if self._likely(0.5) else xstarmap
        return kind(self._sig("work"), self._items())

    def _sig(self, task: str, **kwargs: Any) -> Signature[Any]:
        self._label += 1
        args = [self._random.randrange(10) for _ in range(self._random.randrange(3))] if task != "map" else []
        known = {"run": self._run, "label": self._label, **kwargs}
        return signature(
            f"{canvas_tasks.__name__}.{task}", args if not task.startswith("told") else (), known
        )

    def _items(self) -> list[list[int]]:
        return [[self._random.randrange(10)] for _ in range(self._random.randrange(4))]

    # --- primitives ------------------------------------------------------------------------

    def _chain(self, depth: int) -> Canvas:
        return chain(*self._some(depth, 4))

    def _pipe(self, depth: int) -> Canvas:
        return self.element(depth) | self.element(depth)

    def _group(self, depth: int) -> Canvas:
        members = self._members(depth)
        return group(members, **self._join(members))

    def _chord(self, depth: int) -> Canvas:
        members = self._members(depth)
        return chord(members, self.element(depth), **self._join(members))

    def _chunks(self, _depth: int) -> Canvas:
        return chunks(self._sig("work"), self._items(), 2)

    def _some(self, depth: int, most: int) -> list[Canvas]:
        return [self.element(depth) for _ in range(self._random.choice(range(most)))]

    def _members(self, depth: int) -> list[Canvas] | Iterator[Canvas]:
        members = self._some(depth, 4)
        return iter(members) if self._likely(0.2) else members

    def _join(self, members: list[Canvas] | Iterator[Canvas]) -> dict[str, Any]:
        limit = {"max_in_flight": self._limits.randrange(1, 4)} if self._limits.random() < _LIMITED else {}
        if not self._likely(0.12):
            return limit
        counted = [
            quorum(1),
            quorum(2),
            first(),
        ]  # while members are read, it depends on the order what they do
        return {
            "policy": self._random.choice(
                [settled()] if isinstance(members, Iterator) else [settled(), *counted]
            ),
            **limit,
        }

    def _linked(self, canvas: Canvas, depth: int) -> Canvas:
        """Return a canvas, at times with links."""
        if self._likely(0.1):
            canvas.link(self.element(min(depth - 1, 2)))
        if self._likely(0.15):
            canvas.link_error(self._error_link(depth))
        return canvas

    def _error_link(self, depth: int) -> Canvas:
        told = self._sig(self._random.choice(["told_id", "told_all"]))
        if depth < 3 or self._likely(0.6):
            return told
        return self._random.choice([group([told, self._sig("told_id")]), chain(told, self.element(1))])

    def _likely(self, chance: float) -> bool:
        return self._random.random() < chance

    def _chosen(self, weights: dict[str, int]) -> str:
        return self._random.choices(list(weights), list(weights.values()))[0]
