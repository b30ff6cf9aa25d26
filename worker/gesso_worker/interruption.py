"""Soft time limits: an error raised inside a function that runs, from outside of it.

In a thread it comes at the function's next step in Python: a call into C that blocks is not cut short by it, and gets
it when it returns. In a coroutine it comes at the `await` where it waits. Only a hard limit ends what does neither.
"""

from __future__ import annotations

import asyncio
import ctypes
import threading
import types
from collections.abc import Coroutine, Generator
from types import TracebackType
from typing import Any, Self

from gesso.errors import SoftTimeLimitExceeded

_raise_in_thread = ctypes.pythonapi.PyThreadState_SetAsyncExc
_raise_in_thread.argtypes = (ctypes.c_ulong, ctypes.py_object)
_NOTHING = ctypes.py_object()


class ThreadInterruption:
    """Interrupts the block that it guards, `with interruption:`, and nothing before or after it."""

    def __init__(self) -> None:
        """Guard nothing yet."""
        self._lock = threading.Lock()
        self._thread: int | None = None
        self._sent = False

    def send(self) -> None:
        """Have SoftTimeLimitExceeded raised in the block, once, if it runs. From another thread."""
        with self._lock:
            if self._thread is not None and not self._sent:
                self._sent = True
                _raise_in_thread(self._thread, SoftTimeLimitExceeded)

    def __enter__(self) -> Self:
        with self._lock:
            self._thread = threading.get_ident()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        while self._thread is not None:
            try:
                self._leave()
            except SoftTimeLimitExceeded:  # raised here instead of in the block, which had just ended
                continue

    def _leave(self) -> None:
        with self._lock:
            if self._sent:
                _raise_in_thread(threading.get_ident(), _NOTHING)  # take back what was not raised yet
            self._thread = None


class CoroutineInterruption:
    """Interrupts the coroutine that `run` runs."""

    def __init__(self) -> None:
        """Run nothing yet."""
        self._task: asyncio.Task[Any] | None = None
        self._sent = False
        self._sending = False

    def send(self) -> None:
        """Have SoftTimeLimitExceeded raised in the coroutine, once, if it runs. On the event loop."""
        if self._task is not None and not self._sent:
            self._sent = self._sending = True
            self._task.cancel()

    async def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Return what the coroutine returns; the current task runs nothing else meanwhile."""
        self._task = asyncio.current_task()
        try:
            return await self._drive(coroutine)
        finally:
            self._task = None

    @types.coroutine
    def _drive(self, coroutine: Coroutine[Any, Any, Any]) -> Generator[Any, Any, Any]:
        """Pass everything between the event loop and the coroutine, but for the cancellation that `send` began."""
        thrown: BaseException | None = None
        while True:
            try:
                awaited = coroutine.send(None) if thrown is None else coroutine.throw(thrown)
            except StopIteration as stop:
                return stop.value
            thrown = None
            try:
                yield awaited
            except BaseException as error:  # noqa: BLE001 - what is thrown in goes on inside
                thrown = SoftTimeLimitExceeded() if self._is_ours(error) else error

    def _is_ours(self, error: BaseException) -> bool:
        """Return whether `error` is the cancellation that `send` began, which is then no cancellation any more."""
        if not isinstance(error, asyncio.CancelledError) or not self._sending or self._task is None:
            return False
        self._sending = False
        return self._task.uncancel() == 0  # another one was asked for besides: that wins
