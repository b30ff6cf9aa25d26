"""What a command reads from a stream for as long as it likes, until it ends or Ctrl-C."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from queue import SimpleQueue
from typing import TypeVar

__all__ = ["fed"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Ended:
    """There is no more to read."""

    error: BaseException | None


def fed(events: Iterable[T]) -> Iterator[T]:
    """Yield what a thread reads, each when it is asked for, and raise what that raises.

    Ctrl-C raises wherever the main thread is. Inside of gRPC's streams that may be where a lock was just taken; nobody
    gives it back, and who closes the channel waits for ever. Here the main thread waits for a queue.
    """
    arrived: SimpleQueue[T | _Ended] = SimpleQueue()
    asked: SimpleQueue[None] = SimpleQueue()

    def read() -> None:
        try:
            for event in events:
                arrived.put(event)
                asked.get()  # a watch that is read late tells less: what has changed twice comes once
        except BaseException as error:  # noqa: BLE001  raised where it is waited for
            arrived.put(_Ended(error))
        else:
            arrived.put(_Ended(None))

    threading.Thread(target=read, name="feed", daemon=True).start()
    while not isinstance(item := arrived.get(), _Ended):
        yield item
        asked.put(None)
    if item.error is not None:
        raise item.error
