"""What each system can do for a benchmark: the grammar of its module `<name>_side`.

A side is the client half, in a process of the system's own environment; it knows the task `add` and takes over what
`<name>_tasks` declares. It imports nothing of the others'.
"""

from __future__ import annotations

from typing import Protocol

LIMIT_S = 600
"""How long anything may take; the benchmark itself gives up earlier."""
PARKED = "parked"
"""A queue that no worker serves."""


class Side(Protocol):
    """One system's client."""

    def versions(self) -> dict[str, str]:
        """Return what its figures depend on, by name."""
        ...

    def call(self, x: int, y: int) -> int:
        """Run one task, and return its value."""
        ...

    def chain(self, hops: int) -> int:
        """Run a chain of tasks that each add 1, beginning from 0; return its value."""
        ...

    def chains(self, count: int, hops: int) -> list[int]:
        """Run such chains, all at once; return their values."""
        ...

    def group(self, count: int) -> list[int]:
        """Run `add(i, i)` for each i below `count` as a group; return the values in order."""
        ...

    def chord(self, count: int) -> int:
        """Run the same as a chord's header; return the number of values that its body was given."""
        ...

    def submit(self, count: int) -> None:
        """Submit such a group to the queue `PARKED`; return when it was accepted."""
        ...

    def send(self, count: int) -> None:
        """Submit as many tasks one by one to the queue `PARKED`."""
        ...

    def drop(self) -> None:
        """Remove what `submit` and `send` left."""
        ...
