"""One connection for the calls of everybody: each is one write, and its reply wakes its caller.

redis-py's asyncio client (8.1) takes a connection out of a pool for every call, packs it in Python, and begins a task
that writes it within a time limit; a caller who gives up costs it the connection. Measured with 500 bytes there and
back, that is 250 µs of a coordinator's time, and this 30. A server answers in order, so nothing is gained by more
connections to it. redis-py still opens the connection: it knows addresses, TLS, and how to log in.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, cast

import hiredis
from redis.asyncio.connection import AbstractConnection, DefaultParser
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import InvalidResponse
from redis.exceptions import TimeoutError as RedisTimeoutError

_READ_BYTES = 1 << 16
_UNFINISHED = object()


class Wire:
    """A connection that is opened when it is first needed, and again after it broke."""

    def __init__(self, connected: Callable[[], Awaitable[AbstractConnection]], timeout: float) -> None:
        """Open nothing yet.

        Args:
            connected: Returns a new connection, which is open.
            timeout: Seconds that a reply may take. When one takes longer the connection is given up.
        """
        self._connected = connected
        self._timeout = timeout
        self._replies: _Replies | None = None
        self._opening = asyncio.Lock()
        self._closed = False

    async def call(self, *words: bytes | str | int) -> Any:  # noqa: ANN401  whatever the server answers
        """Run a command and return its reply.

        Raises:
            RedisError: What the server answers, or why it does not. Whether it was run is then not known.
            OSError: If it cannot be reached.
        """
        packed = hiredis.pack_command(cast("Any", words))  # its stub says a tuple of one, and means any
        while True:
            replies = self._replies
            if replies is None or replies.lost:
                await self._open()
            elif not replies.room.is_set():
                await replies.room.wait()
            else:
                return await replies.asked(packed)

    def close(self) -> None:
        """Close it for good; calls under way fail."""
        self._closed = True
        if self._replies is not None:
            self._replies.give_up(RedisConnectionError("The connection was closed."))

    async def _open(self) -> None:
        async with self._opening:
            if self._closed:
                raise RedisConnectionError("The connection is closed.")
            if self._replies is None or self._replies.lost:
                self._take_over(await self._connected())

    def _take_over(self, connection: AbstractConnection) -> None:
        self._replies = _Replies(connection, self._timeout)
        if self._closed:  # while it was opened
            self.close()


class _Replies(asyncio.BufferedProtocol):
    """What is asked over one open connection, and what is answered."""

    def __init__(self, connection: AbstractConnection, timeout: float) -> None:
        self.lost = False
        self.room = asyncio.Event()
        """Clear while too much waits to go out."""
        self.room.set()
        self._timeout = timeout
        self._loop = asyncio.get_running_loop()
        self._asked: deque[tuple[asyncio.Future[Any], float]] = deque()  # in order, and when each was written
        self._look: asyncio.TimerHandle | None = None
        self._error: Exception | None = None  # why it is given up
        self._buffer = memoryview(bytearray(_READ_BYTES))
        self._reader = hiredis.Reader(
            protocolError=InvalidResponse, replyError=DefaultParser.parse_error, notEnoughData=_UNFINISHED
        )
        # redis-py has no words for taking over what it has opened, nor for closing it at once; these are its own.
        self._opened = cast("Any", connection)
        self._transport = cast("asyncio.Transport", self._opened._writer.transport)  # noqa: SLF001
        self._transport.set_protocol(self)
        if self._transport.is_closing():
            self.connection_lost(None)

    def asked(self, packed: bytes) -> asyncio.Future[Any]:
        """Write a command, and return its reply."""
        reply: asyncio.Future[Any] = self._loop.create_future()
        self._asked.append((reply, self._loop.time()))
        if self._look is None:
            self._look = self._loop.call_later(self._timeout, self._look_at_time)
        self._transport.write(packed)
        return reply

    def give_up(self, error: Exception) -> None:
        """Close the connection. What is not answered fails with `error`."""
        if not self.lost:
            self._error = error
            self._transport.abort()
            self.connection_lost(None)

    # --- what the transport tells ------------------------------------------------------------

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002  it takes what comes
        """Say where to put what comes."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Settle the calls whose replies have come."""
        self._reader.feed(cast("Any", self._buffer[:nbytes]))  # its stub does not know buffers
        try:
            while not self.lost and (reply := self._reader.gets()) is not _UNFINISHED:
                self._settle(reply)
        except (InvalidResponse, IndexError):  # no reply, or one that nobody asked for
            self.give_up(RedisConnectionError("The server sent something else than a reply."))

    def pause_writing(self) -> None:
        """Let calls wait until what is written has gone out."""
        self.room.clear()

    def resume_writing(self) -> None:
        """Let calls be written again."""
        self.room.set()

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail the calls that have no reply."""
        if self.lost:
            return
        self.lost = True
        self.room.set()
        self._opened._close()  # noqa: SLF001
        if self._look is not None:
            self._look.cancel()
        error = self._error or RedisConnectionError(
            f"The connection was lost: {exc or 'closed by the server'}"
        )
        while self._asked:
            reply, _ = self._asked.popleft()
            if not reply.done():
                reply.set_exception(error)

    # --- inside ------------------------------------------------------------------------------

    def _settle(self, reply: Any) -> None:  # noqa: ANN401  whatever the server answers
        future, _ = self._asked.popleft()
        if not future.done():  # its caller may have given up
            if isinstance(reply, Exception):
                future.set_exception(reply)
            else:
                future.set_result(reply)
        if isinstance(reply, RedisConnectionError):  # it is loading, or wants a login: begin anew
            self.give_up(reply)

    def _look_at_time(self) -> None:
        """Give the connection up if the oldest call has waited for too long."""
        self._look = None
        if self._asked:
            due = self._asked[0][1] + self._timeout
            if self._loop.time() < due:
                self._look = self._loop.call_at(due, self._look_at_time)
            else:
                self.give_up(RedisTimeoutError(f"The server did not answer within {self._timeout:.0f} s."))
