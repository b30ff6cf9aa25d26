"""What a command reads from a stream for as long as it likes, until it ends or Ctrl-C."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from queue import SimpleQueue
from typing import TypeAlias, TypeVar

__all__ = ["fed"]

T = TypeVar("T")

_Item: TypeAlias = tuple[T | None, BaseException | None]
"""What was read, or how reading ended; neither at the end."""


def fed(events: Iterable[T]) -> Iterator[T]:
    """Yield what a thread reads, and raise what it raises.

    Ctrl-C raises wherever the main thread is. Inside of gRPC's streams that may be where a lock was just taken; nobody
    gives it back, and who closes the channel waits for ever. Here the main thread waits for a queue.
    """
    arrived: SimpleQueue[_Item[T]] = SimpleQueue()

    def read() -> None:
        try:
            for event in events:
                arrived.put((event, None))
        except BaseException as error:  # noqa: BLE001  raised where it is waited for
            arrived.put((None, error))
        else:
            arrived.put((None, None))

    threading.Thread(target=read, name="feed", daemon=True).start()
    while True:
        event, error = arrived.get()
        if error is not None:
            raise error
        if event is None:
            return
        yield event
