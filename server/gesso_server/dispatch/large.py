"""Large messages: converting and compiling one takes a while, and the event loop is to serve others meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol, TypeVar

T = TypeVar("T")

_LARGE_BYTES = 128 << 10
"""From here on a message is large: one of 4 MiB takes up to some seconds."""


class Message(Protocol):
    """What has a size on the wire."""

    def ByteSize(self) -> int:  # noqa: N802  protobuf's name
        """Return how many bytes it has."""
        ...


def is_large(message: Message) -> bool:
    """Whether work on a message is to be done beside the event loop."""
    return message.ByteSize() >= _LARGE_BYTES


async def beside(make: Callable[[], T], *, large: bool) -> T:
    """Return what `make` returns: at once, or for something large from a thread."""
    return await asyncio.to_thread(make) if large else make()
