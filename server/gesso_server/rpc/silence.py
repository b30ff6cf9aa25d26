"""A limit for how long somebody may say nothing, for a block that listens again and again.

`asyncio.timeout` around each wait plans and cancels a timer for each; here one timer looks when the next could be due.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from types import TracebackType
from typing import Self


class Silence:
    """Ends its block with TimeoutError when one wait in it has taken too long."""

    def __init__(self, limit: timedelta) -> None:
        """Limit each wait to `limit`."""
        self._limit = limit.total_seconds()
        self._since: float | None = None
        self._loop = asyncio.get_running_loop()
        self._timeout = asyncio.timeout(None)
        self._timer = self._loop.call_later(self._limit, self._look)

    async def __aenter__(self) -> Self:
        await self._timeout.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()
        await self._timeout.__aexit__(kind, error, trace)

    def begins(self) -> None:
        """Wait for somebody from now on."""
        self._since = self._loop.time()

    def ends(self) -> None:
        """Wait for nobody."""
        self._since = None

    def _look(self) -> None:
        now = self._loop.time()
        due = (now if self._since is None else self._since) + self._limit
        if now < due:
            self._timer = self._loop.call_at(due, self._look)
        else:
            self._timeout.reschedule(now)
