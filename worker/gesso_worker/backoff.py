"""How long to wait before trying something again."""

from __future__ import annotations

import random
from datetime import timedelta


class Backoff:
    """Waits that double from `first` to `longest`, each cut by chance to between half and all of itself.

    The chance keeps many processes that lost the same peer from coming back together.
    """

    def __init__(self, *, first: timedelta, longest: timedelta, chance: random.Random | None = None) -> None:
        """Begin with `first`; `chance` is for tests."""
        self._first = first
        self._longest = longest
        self._next = first
        self._chance = chance or random.Random()  # noqa: S311 - no secret

    def reset(self) -> None:
        """Begin again: the last attempt went well."""
        self._next = self._first

    def wait_seconds(self) -> float:
        """Return how many seconds to wait now, and make the next wait longer."""
        wait = self._next
        self._next = min(2 * wait, self._longest)
        return wait.total_seconds() * self._chance.uniform(0.5, 1.0)
