"""Canvases whose value and whose runs are known before they are sent."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from gesso import chain, chord, group, signature

Canvas: TypeAlias = Any
"""Whatever can be sent."""

_TASKS = "chaos.tasks"
DEPTH = 3
WIDTH = 4


@dataclass(slots=True)
class Order:
    """A canvas to send."""

    canvas: Canvas
    value: Any
    """What it comes to."""
    keys: list[str]
    """What runs, each key in one node."""
    bodies: list[str]
    """Those of the keys that are bodies of chords."""


@dataclass(slots=True)
class Workload:
    """Makes orders, one after the other, from one random generator."""

    ledger: str
    seed: int
    name: str
    _made: int = 0
    _keys: list[str] = field(default_factory=list)
    _bodies: list[str] = field(default_factory=list)

    def order(self) -> Order:
        """Return the next order: a chain, a group, a chord, or chords in each other."""
        chance = random.Random(f"{self.seed} {self.name} {self._made}")  # noqa: S311 - no secret
        self._made += 1
        self._keys, self._bodies = [], []
        made = chance.choice((self._chain, self._group, self._chord, self._chord))
        canvas, value = made(chance, DEPTH)
        return Order(canvas, value, self._keys, self._bodies)

    def _key(self, kind: str) -> str:
        key = f"{self.name}-{self._made}-{len(self._keys)}-{kind}"
        self._keys.append(key)
        return key

    def _task(self, name: str, *args: Any) -> Canvas:
        return signature(
            f"{_TASKS}.{name}", args=args, kwargs={"ledger": self.ledger, "key": self._key(name)}
        )

    def _first(self, chance: random.Random) -> tuple[Canvas, int]:
        value = chance.randrange(1000)
        return self._task("first", value), value

    def _part(self, chance: random.Random, depth: int) -> tuple[Canvas, int]:
        """Return something with one number as value."""
        if depth <= 0 or chance.random() < 0.5:
            return self._first(chance)
        return chance.choice((self._chain, self._chord))(chance, depth)

    def _chain(self, chance: random.Random, depth: int) -> tuple[Canvas, int]:
        canvas, value = self._part(chance, depth - 1)
        steps = [self._task("step") for _ in range(chance.randrange(1, WIDTH))]
        return chain(canvas, *steps), value + len(steps)

    def _chord(self, chance: random.Random, depth: int) -> tuple[Canvas, int]:
        header = [self._part(chance, depth - 1) for _ in range(chance.randrange(2, 2 * WIDTH))]
        body = self._task("fold")
        self._bodies.append(self._keys[-1])
        return chord([part for part, _ in header], body), sum(value for _, value in header)

    def _group(self, chance: random.Random, depth: int) -> tuple[Canvas, list[int]]:
        members = [self._part(chance, depth - 1) for _ in range(chance.randrange(2, 3 * WIDTH))]
        return group([part for part, _ in members]), [value for _, value in members]
