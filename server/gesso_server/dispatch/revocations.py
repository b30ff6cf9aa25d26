"""Stamps that no task may bear any more.

Whatever carries one is revoked: what waits when its turn comes, also if submitted later; what a worker holds at once.

Source: `semantics.md`, Stamping, `revoke_by_stamped_headers`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import TypeAlias

from gesso_server.store.errors import StoreError, level_of
from gesso_server.store.store import Store

_log = logging.getLogger(__name__)

Stamps: TypeAlias = Mapping[str, Iterable[str]]
"""Values by stamp."""

_HOLDS = timedelta(days=7)
"""How long a revocation holds."""
_MS = timedelta(milliseconds=1)


class TooManyRevocationsError(Exception):
    """As many stamps' values are revoked as may be."""


class Revocations:
    """The revoked stamps of one namespace, as this coordinator knows them."""

    def __init__(self, store: Store, namespace: str) -> None:
        self._store = store
        self._namespace = namespace
        self._revoked: dict[tuple[str, str], bool] = {}
        self._changed = asyncio.Event()
        self._version = 0

    def __bool__(self) -> bool:
        """Whether anything is revoked."""
        return bool(self._revoked)

    def hit(self, stamps: Stamps) -> bool:
        """Whether one of the stamps' values is revoked."""
        return any((stamp, value) in self._revoked for stamp, values in stamps.items() for value in values)

    def kills(self, stamps: Stamps) -> bool:
        """Whether one of the stamps' values is revoked, and what runs with it to be killed."""
        return any(
            self._revoked.get((stamp, value), False) for stamp, values in stamps.items() for value in values
        )

    async def changed(self, version: int) -> int:
        """Return the number of changes so far, once there are more than `version`."""
        while self._version <= version:
            await self._changed.wait()
        return self._version

    async def add(self, values: Sequence[tuple[str, str]], *, terminate: bool) -> None:
        """Revoke whatever bears one of these values.

        Raises:
            TooManyRevocationsError: If more would be revoked than may be.
            StoreError: If the store does not answer.
        """
        home = self._store.partitions[0]
        if not await home.revoke_stamps(self._namespace, values, ttl_ms=_HOLDS // _MS, terminate=terminate):
            raise TooManyRevocationsError
        await self.load()

    async def load(self) -> None:
        """Read what is revoked.

        Raises:
            StoreError: If the store does not answer.
        """
        found = await self._store.partitions[0].revoked_stamps(self._namespace)
        if found != self._revoked:
            self._revoked = found
            self._version += 1
            self._changed.set()
            self._changed = asyncio.Event()

    async def reload(self) -> bool:
        """Read what is revoked, if the store answers; else what is known goes on to hold. Returns whether it did."""
        try:
            await self.load()
        except StoreError as error:
            _log.log(level_of(error), "revocations.stale reason=%s", error)
            return False
        return True
