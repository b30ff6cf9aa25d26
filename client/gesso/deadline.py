"""How much time is left."""

from __future__ import annotations

import time
from datetime import timedelta

__all__ = ["Deadline", "Timeout", "seconds"]

Timeout = float | timedelta | None
"""What a user gives as `timeout`: seconds, a span, or None for no limit."""


def seconds(timeout: Timeout) -> float | None:
    """Return a timeout as seconds; None for no limit."""
    return timeout.total_seconds() if isinstance(timeout, timedelta) else timeout


class Deadline:
    """A point in time, by this process's steady clock, until which something may take. It may lie nowhere."""

    __slots__ = ("_end",)

    def __init__(self, timeout: Timeout = None) -> None:
        limit = seconds(timeout)
        self._end = None if limit is None else time.monotonic() + limit

    def left(self) -> float | None:
        """Return the seconds that are left, not less than 0; None for no limit."""
        if self._end is None:
            return None
        left = self._end - time.monotonic()
        return left if left > 0 else 0.0

    def allows(self, pause: timedelta) -> bool:
        """Return whether there is time left after `pause`."""
        return self._end is None or time.monotonic() + pause.total_seconds() < self._end

    def at_most(self, limit: timedelta) -> float:
        """Return the seconds that are left, or `limit` when that is less."""
        left = self.left()
        return limit.total_seconds() if left is None else min(left, limit.total_seconds())
