"""Connections of a test to a store."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import ConstantBackoff
from redis.exceptions import ConnectionError as NoConnection

_LIMIT_SECONDS = 20
_RETRY_SECONDS = 0.01


def connect(url: str) -> Redis:
    """Return a connection that tries again while the store is started again, with a limit."""
    retry = Retry(ConstantBackoff(_RETRY_SECONDS), int(_LIMIT_SECONDS / _RETRY_SECONDS), (NoConnection,))
    return Redis.from_url(url, decode_responses=True, socket_timeout=_LIMIT_SECONDS, retry=retry)


class DeathWatch:
    """Learns when the store's process is dead: the kernel then closes its connections."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, url: str) -> Self:
        """Watch the store at `url`."""
        return cls(*await asyncio.open_unix_connection(url.removeprefix("unix://")))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.close()

    async def wait(self) -> None:
        """Wait for the store's death, with a limit."""
        async with asyncio.timeout(_LIMIT_SECONDS):
            await self._reader.read()
