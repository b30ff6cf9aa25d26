"""Whether a worker that is heard still works: one with free slots that begins nothing of what it was given does not.

Heartbeats show that its process lives, not that its slots do. What counts as work: to begin, end or give back a task.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from gesso_server.store.calls import Grant, TokenRef


class Standstill:
    """What one worker holds, and since when it has done nothing about it."""

    def __init__(self, *, slots: int, limit: timedelta) -> None:
        """Hold nothing.

        Args:
            slots: How many tasks the worker runs at one time.
            limit: How long it may do nothing.
        """
        self.slots = slots
        self._limit_s = limit.total_seconds()
        self._waiting: dict[tuple[str, int], TokenRef] = {}
        self._running: set[tuple[str, int]] = set()
        self._since: float | None = None

    def gave(self, grants: Iterable[Grant]) -> None:
        """Take in that it was given tasks."""
        for grant in grants:
            key = (grant.canvas_id, grant.index)
            self._waiting[key] = TokenRef(*key, grant.attempt, grant.nonce)

    def holds(self, tokens: Iterable[TokenRef]) -> None:
        """Take in what it said that it holds; what of it runs, it says again."""
        for token in tokens:
            self._waiting[token.canvas_id, token.index] = token

    def began(self, tokens: Iterable[TokenRef]) -> None:
        """Take in that tasks began."""
        for token in tokens:
            self._waiting.pop((token.canvas_id, token.index), None)
            self._running.add((token.canvas_id, token.index))
            self._since = None

    def parted(self, tokens: Iterable[TokenRef]) -> None:
        """Take in that tasks ended, or were given or taken back."""
        for token in tokens:
            self._waiting.pop((token.canvas_id, token.index), None)
            self._running.discard((token.canvas_id, token.index))
            self._since = None

    def overdue(self, now: float) -> list[TokenRef]:
        """Return what is to go elsewhere: all that has not begun, when nothing was done for too long; else nothing.

        Args:
            now: The time, by `time.monotonic`. It counts from the first call after the worker's last deed.
        """
        if not self._waiting or len(self._running) >= self.slots:
            self._since = None
            return []
        if self._since is None:
            self._since = now
        return list(self._waiting.values()) if now - self._since >= self._limit_s else []
