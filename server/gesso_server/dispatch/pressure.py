"""Back-pressure: while the store is nearly full nothing new is accepted, so that what runs can finish and free it.

Refusing at a watermark, before the store itself refuses, leaves room for results: a submission is many times as large
as the report that ends it. Source: `promises.md`, G18.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta

from gesso_server.store.errors import StoreError
from gesso_server.store.store import Store

_log = logging.getLogger(__name__)

_EVERY = timedelta(seconds=1)
_HOLD = timedelta(seconds=20)
"""How long the next part of a streamed canvas waits for room: less than the stream counts as alive."""


class BackpressureError(Exception):
    """The store is nearly full."""


class Pressure:
    """How full the store is, looked at each second."""

    def __init__(self, store: Store, watermark: float) -> None:
        """Look at nothing yet.

        Args:
            store: Is connected.
            watermark: The part of its memory, up to 1, above which nothing new is accepted.
        """
        self._store = store
        self._watermark = watermark
        self._room = asyncio.Event()
        self._room.set()

    async def run(self) -> None:
        """Look at the store's memory until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(_EVERY.total_seconds())

    async def look(self) -> None:
        """Look at the store's memory once. If it does not answer, what was seen last goes on to hold."""
        try:
            fullness = await self._store.fullness()
        except StoreError as error:
            _log.debug("pressure.unknown reason=%s", error)
            return
        if fullness > self._watermark and self._room.is_set():
            _log.warning("pressure.high used=%.2f watermark=%.2f", fullness, self._watermark)
            self._room.clear()
        elif fullness <= self._watermark and not self._room.is_set():
            _log.info("pressure.relieved used=%.2f watermark=%.2f", fullness, self._watermark)
            self._room.set()

    def full(self) -> None:
        """Take note that the store has refused something, until it was looked at again."""
        if self._room.is_set():
            _log.warning("pressure.full: the store has refused what would add to it")
        self._room.clear()

    def check(self) -> None:
        """Return if there is room.

        Raises:
            BackpressureError: If there is none.
        """
        if not self._room.is_set():
            raise BackpressureError

    async def room(self) -> None:
        """Wait for room: what holds back the sender of a stream.

        Raises:
            BackpressureError: If there is none for too long.
        """
        if self._room.is_set():
            return
        try:
            async with asyncio.timeout(_HOLD.total_seconds()):
                await self._room.wait()
        except TimeoutError:
            raise BackpressureError from None
