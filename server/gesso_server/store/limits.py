"""Limits as the store keeps them. `scripts/lib/limits.lua` has the format of the table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """How many tasks of a key may start in a time, and run at one time. 0 is no limit."""

    count: int = 0
    """How many may start in a period."""
    period_ms: int = 1000
    concurrency: int = 0
    """How many may run at one time."""
    declared: bool = False
    """Whether it came with the task's code; else a person set it."""


class LimitTable(NamedTuple):
    """All limits."""

    version: int
    texts: dict[str, str]
    """By name: namespace, NUL, key."""

    def limits(self, namespace: str) -> dict[str, Limit]:
        """Return the limits of a namespace, by key."""
        begin = f"{namespace}\0"
        return {
            name.removeprefix(begin): _parse(text)
            for name, text in self.texts.items()
            if name.startswith(begin)
        }


def _parse(text: str) -> Limit:
    count, period_ms, concurrency, _, origin = text.split(",")
    return Limit(
        count=int(count), period_ms=int(period_ms), concurrency=int(concurrency), declared=origin == "d"
    )
