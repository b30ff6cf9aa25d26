"""Something that arrives once, and that threads wait for.

`concurrent.futures.Future` can do more, and each brings a condition, with a lock and a queue of its own; a call takes
two of them. Here a thread that waits is one more listener, told by letting go of the lock that it waits for; nothing
else is locked:

- Whoever wants to be told enters itself and looks afterwards whether it has arrived. What arrives is put down before
  anyone is told. So nobody is missed; taking an entry out is one step, so nobody is told twice.
- A wait that ends early, because its time is over or by an interrupt, holds up nobody: each has a lock of its own.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, Generic, TypeVar

__all__ = ["Arrival"]

logger = logging.getLogger(__name__)

T = TypeVar("T")

_NOTHING: Final = object()


class Arrival(Generic[T]):
    """Where something arrives. Safe to use from many threads."""

    __slots__ = ("__weakref__", "_listeners", "_value")

    def __init__(self) -> None:
        self._value: Any = _NOTHING
        self._listeners: list[Callable[[], object]] = []

    def done(self) -> bool:
        """Return whether it is there."""
        return self._value is not _NOTHING

    def set_result(self, value: T) -> None:
        """Put it there, once."""
        self._value = value
        self._tell()

    def when_done(self, callback: Callable[[], object]) -> None:
        """Have `callback` called once it is there: by whoever puts it there, or at once. What it raises is logged."""
        self._listeners.append(callback)
        if self.done():
            self._tell()

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until it is there, or the time is over; return whether it is there. None waits for ever."""
        if self._value is not _NOTHING:
            return True
        gate = threading.Lock()
        gate.acquire()
        self.when_done(gate.release)
        if gate.acquire(timeout=-1 if seconds is None else seconds):
            return True
        with suppress(ValueError):  # it has arrived meanwhile
            self._listeners.remove(gate.release)
        return self.done()

    def result(self, seconds: float | None = None) -> T:
        """Return it, once it is there.

        Raises:
            TimeoutError: If it was not there in time; the one that is built in.
        """
        if self._value is _NOTHING and not self.wait(seconds):
            raise TimeoutError
        value: T = self._value
        return value

    def _tell(self) -> None:
        while self._listeners:
            try:
                listener = self._listeners.pop(0)
            except IndexError:  # another thread was faster
                return
            try:
                listener()
            except Exception:
                logger.exception("Being told of an arrival failed.")
