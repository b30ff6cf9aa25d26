"""Stamps that no task may bear any more: whatever carries one is revoked when its turn comes, also if submitted later.

Source: `semantics.md`, Stamping, `revoke_by_stamped_headers`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta

from gesso_server.store.errors import StoreError
from gesso_server.store.store import Store

_log = logging.getLogger(__name__)

_HOLDS = timedelta(days=7)
"""How long a revocation holds."""
_MS = timedelta(milliseconds=1)


class Revocations:
    """The revoked stamps of one namespace, as this coordinator knows them."""

    def __init__(self, store: Store, namespace: str) -> None:
        self._store = store
        self._namespace = namespace
        self._revoked: set[tuple[str, str]] = set()

    def __bool__(self) -> bool:
        """Whether anything is revoked."""
        return bool(self._revoked)

    def hit(self, stamps: Mapping[str, Iterable[str]]) -> bool:
        """Whether one of the stamps' values is revoked."""
        return any((stamp, value) in self._revoked for stamp, values in stamps.items() for value in values)

    async def add(self, values: Sequence[tuple[str, str]]) -> None:
        """Revoke whatever bears one of these values.

        Raises:
            StoreError: If the store does not answer.
        """
        await self._store.partitions[0].revoke_stamps(self._namespace, values, ttl_ms=_HOLDS // _MS)
        await self.load()

    async def load(self) -> None:
        """Read what is revoked.

        Raises:
            StoreError: If the store does not answer.
        """
        self._revoked = await self._store.partitions[0].revoked_stamps(self._namespace)

    async def reload(self) -> None:
        """Read what is revoked, if the store answers; else what is known goes on to hold."""
        try:
            await self.load()
        except StoreError as error:
            _log.warning("revocations.stale reason=%s", error)
