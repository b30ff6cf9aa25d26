"""A proxy before a store that lets every call pass, and drops answers."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

_CHUNK_BYTES = 1 << 16
_CALLED = re.compile(rb"FCALL\r\n\$\d+\r\ngesso_[0-9a-f]+_(\w+)\r\n")


class LossyProxy:
    """Passes bytes on; of the answers to `FCALL`, numbered from 1, some are dropped, and their connection is closed."""

    def __init__(self, target: str, socket: Path) -> None:
        """Prepare to stand before a store.

        Args:
            target: The path of the store's socket.
            socket: The path of its own.
        """
        self.url = f"unix://{socket}"
        self.drops: Callable[[int], bool] = lambda _number: False
        """Says whether the answer of this number is dropped."""
        self.counts: Callable[[str], bool] = lambda _function: True
        """Says whether answers of a function are counted, and may be dropped."""
        self.called: list[str] = []
        """The functions whose answers were counted, in their order."""
        self.dropped = 0
        self._target = target
        self._socket = socket
        self._open: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[LossyProxy]:
        """Listen until the block ends."""
        server = await asyncio.start_unix_server(self._serve, self._socket)
        try:
            yield self
        finally:
            server.close()
            for task in self._open:
                task.cancel()
            await asyncio.gather(*self._open, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        there, to_store = await asyncio.open_unix_connection(self._target)
        pending = [""]
        with suppress(asyncio.CancelledError):
            try:
                directions = [
                    asyncio.create_task(self._asks(reader, to_store, pending)),
                    asyncio.create_task(self._answers(there, writer, pending)),
                ]
                self._open.update(directions)
                await asyncio.wait(directions, return_when=asyncio.FIRST_COMPLETED)
                for direction in directions:
                    direction.cancel()
                await asyncio.gather(*directions, return_exceptions=True)
                self._open.difference_update(directions)
            finally:
                to_store.close()
                writer.close()
        self._open.discard(task)

    async def _asks(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, pending: list[str]
    ) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(_CHUNK_BYTES):
                if found := _CALLED.search(data[:200]):
                    pending[0] = found[1].decode()
                writer.write(data)
                await writer.drain()

    async def _answers(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, pending: list[str]
    ) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(_CHUNK_BYTES):
                function, pending[0] = pending[0], ""
                if function and self.counts(function):
                    self.called.append(function)
                    if self.drops(len(self.called)):
                        self.dropped += 1
                        return
                writer.write(data)
                await writer.drain()
