"""A bad network: TCP between two places, that can be cut, held up, slowed down, and mended."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, Self, TypeVar

from support.system import LIMIT_SECONDS

_BYTES = 1 << 16

T = TypeVar("T")


class Wire:
    """A port that leads to another one.

    What passes runs in a thread of its own. *Cut* closes what is open and takes nothing new; *silent* keeps everything
    open and passes nothing on, as a machine that is gone does; *slow* passes everything on later.
    """

    def __init__(self, target_port: int) -> None:
        """Lead to a port of this machine; `port` is where to connect to."""
        self._target = target_port
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="wire", daemon=True)
        self._thread.start()
        self._passing = asyncio.Event()
        self._passing.set()
        self._refusing = False
        self._delay_seconds = 0.0
        self._open: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server = self._call(asyncio.start_server(self._accept, "127.0.0.1", 0))
        self.port: int = self._server.sockets[0].getsockname()[1]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._call(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(LIMIT_SECONDS)
        self._loop.close()

    def cut(self) -> None:
        """Close every connection, and refuse new ones."""
        self._call(self._cut(refusing=True))

    def reset(self) -> None:
        """Close every connection; new ones are taken."""
        self._call(self._cut(refusing=False))

    def silence(self) -> None:
        """Pass nothing on, and close nothing."""
        self._loop.call_soon_threadsafe(self._passing.clear)

    def slow(self, seconds: float) -> None:
        """Pass everything on so much later."""
        self._delay_seconds = seconds

    def mend(self) -> None:
        """Be a good network again. What was silent is cut, as a machine that comes back does not know it."""
        self._delay_seconds = 0.0
        self._refusing = False
        if not self._passing.is_set():
            self._call(self._cut(refusing=False))
            self._loop.call_soon_threadsafe(self._passing.set)

    # --- on the loop ---------------------------------------------------------------------------

    def _call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(LIMIT_SECONDS)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._open.add(writer)
        try:
            if self._refusing:
                return
            await self._passing.wait()
            there, back = await asyncio.open_connection("127.0.0.1", self._target)
            self._open.add(back)
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pass(reader, back))
                both.create_task(self._pass(there, writer))
        except* (
            OSError,
            asyncio.IncompleteReadError,
            asyncio.CancelledError,
        ):  # the last at the wire's own end
            pass
        finally:
            self._tasks.discard(task)
            self._open.discard(writer)
            writer.transport.abort()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(_BYTES):
                if self._delay_seconds:
                    await asyncio.sleep(self._delay_seconds)
                await self._passing.wait()
                writer.write(data)
                await writer.drain()
        finally:
            self._open.discard(writer)
            with suppress(OSError):
                writer.close()

    async def _cut(self, *, refusing: bool) -> None:
        self._refusing = refusing
        for writer in tuple(self._open):
            writer.transport.abort()
        self._open.clear()

    async def _end(self) -> None:
        self._refusing = True
        self._server.close()
        await _rounds()  # what was accepted before begins, and is refused
        await self._cut(refusing=True)
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await _rounds()  # what was aborted is closed


async def _rounds() -> None:
    """Let the event loop go round often enough for everything that is about to happen."""
    for _ in range(10):
        await asyncio.sleep(0)
