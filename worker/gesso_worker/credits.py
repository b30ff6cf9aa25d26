"""How many tasks a child asks for: enough that it never waits, few enough that no task waits long in it.

It asks for one task for each slot and, on top, for about 50 ms of work at the pace seen so far. Quick
tasks so come 128 at a time, and tasks that take longer than that are never taken ahead.
"""

from __future__ import annotations

_AHEAD_SECONDS = 0.05  # of work, waiting in the child
_MAX_AHEAD = 128
# How much the newest task counts in the average.
_WEIGHT = 0.1


class CreditPolicy:
    """The pace of one child, and what it may hold by it."""

    def __init__(self, *, slot_count: int) -> None:
        """Begin without a pace: nothing is asked for ahead until one task has ended."""
        self._slot_count = slot_count
        self._average_seconds: float | None = None

    def observe(self, run_seconds: float) -> None:
        """Take the time that a task ran into account."""
        before = run_seconds if self._average_seconds is None else self._average_seconds
        self._average_seconds = before + _WEIGHT * (run_seconds - before)

    def limit(self, stuck_count: int = 0) -> int:
        """Return how many tasks to hold and to ask for together.

        Args:
            stuck_count: How many slots run something that takes long. Nothing is taken ahead for them.
        """
        return self._slot_count + self._ahead(self._slot_count - stuck_count)

    def _ahead(self, quick_count: int) -> int:
        if self._average_seconds is None:
            return 0
        work = _AHEAD_SECONDS * quick_count
        enough = work >= self._average_seconds * _MAX_AHEAD
        return _MAX_AHEAD * (quick_count > 0) if enough else int(work / self._average_seconds)
