"""The one bidirectional stream of an event loop and address.

The same as `gesso.connection.conversation`, for coroutines: callers put calls into the table and wake the
writer, which gRPC pulls messages from; one task reads the replies and opens another stream when this one
breaks. Everything here runs in one event loop.
"""

from __future__ import annotations

import asyncio
import logging
from asyncio import Future
from collections.abc import AsyncIterator, Callable
from contextvars import Context
from typing import TYPE_CHECKING, Any

import grpc

from gesso.connection.backoff import backoff, jittered
from gesso.connection.calls import Calls, Settled
from gesso.connection.refusals import from_rpc_error, repeatable, to_call_error
from gesso.errors import CoordinatorFault, GessoError, ServiceError, Unavailable
from gesso.v1 import coordinator_service_pb2 as pb

if TYPE_CHECKING:  # it exists for type checkers only
    from gesso.v1.coordinator_service_pb2_grpc import CoordinatorServiceAsyncStub

__all__ = ["Conversation"]

logger = logging.getLogger(__name__)

_ODD_ATTEMPTS = 5
"""How many streams may end in an odd way, one after the other, before their calls fail."""


class _Stream:
    def __init__(self) -> None:
        self._something = asyncio.Event()
        self._over = False

    def wake(self) -> None:
        """Have the writer look for something to send."""
        self._something.set()

    def half_close(self) -> None:
        """Have the writer end its side."""
        self._over = True
        self._something.set()

    async def awake(self) -> bool:
        """Wait until there is something to do; return False when that is to end."""
        await self._something.wait()
        self._something.clear()
        return not self._over


class Conversation:
    """The calls of this event loop to one address.

    Args:
        address: Named in the log.
        stub: Returns the service.
    """

    def __init__(self, address: str, stub: Callable[[], CoordinatorServiceAsyncStub]) -> None:
        self._address = address
        self._stub = stub
        self._calls = Calls()
        self._stream: _Stream | None = None
        self._starting = False
        self._readers: set[asyncio.Task[None]] = set()
        self._attempts = 0  # streams opened since the last reply
        self.trouble = ""  # what the last stream ended with; empty while one answers

    def submit(self, request: pb.SubmitCanvasRequest, answer: Future[Any], end: Future[Any] | None) -> int:
        """Send a submission; see `Calls.submit`. Returns at once, with the number for `drop`."""
        call_id = self._calls.submit(request, answer, end)
        self._send()
        return call_id

    def wait(self, node_id: str, end: Future[Any]) -> int:
        """Send a wait; see `Calls.wait`. Returns at once, with the number for `drop`."""
        call_id = self._calls.wait(node_id, end)
        self._send()
        return call_id

    def drop(self, call_id: int) -> None:
        """Forget a call whose answer nobody wants."""
        self._calls.drop(call_id)

    def unanswered_count(self) -> int:
        """Return how many calls are not answered."""
        return len(self._calls)

    async def close(self) -> None:
        """Let go of the stream, and fail what is unanswered. A later call opens another."""
        self._stream = None
        readers = tuple(self._readers)
        for reader in readers:
            reader.cancel()
        await asyncio.gather(*readers, return_exceptions=True)
        _settle(self._calls.fail(to_call_error(Unavailable("The app was closed.", code="CANCELLED"))))

    # --- inside ------------------------------------------------------------------------------

    def _send(self) -> None:
        if self._stream is not None:
            self._stream.wake()
        elif not self._starting:
            self._start(pause=0.0)

    def _start(self, *, pause: float) -> None:
        """Have a task open a stream after `pause` seconds."""
        self._starting = True
        # In a context of its own: it outlives whoever has the first call, and is no part of what that one traces.
        reader = asyncio.create_task(self._run(pause), name="gesso-conversation", context=Context())
        self._readers.add(reader)
        reader.add_done_callback(self._readers.discard)

    async def _run(self, pause: float) -> None:
        """Open a stream, read it to its end, and start a successor if there is need of one."""
        try:
            if pause:
                await asyncio.sleep(pause)
        finally:
            self._starting = False
        if not len(self._calls):
            return
        stream = self._stream = _Stream()
        self._attempts += 1
        self._calls.restart()
        stream.wake()
        try:
            error = await self._read(stream)
        except BaseException:
            if self._stream is stream:
                self._stream = None
            raise
        finally:
            stream.half_close()
        self._succeed(stream, error)

    async def _read(self, stream: _Stream) -> GessoError:
        """Take in what a stream brings, and return what it ended with."""
        try:
            async for response in self._stub().Converse(self._messages(stream)):
                self._receive(stream, response)
        except grpc.RpcError as error:
            return from_rpc_error(error)
        except asyncio.InvalidStateError:  # so grpc.aio tells at times that a connection is gone
            return Unavailable("the connection was lost", code="UNAVAILABLE")
        return Unavailable("the coordinator ended the stream", code="UNAVAILABLE")

    def _receive(self, stream: _Stream, response: pb.ConverseResponse) -> None:
        settled = self._calls.apply(response)
        if response.replies:
            self._attempts = 0
            self.trouble = ""
        if response.draining and self._stream is stream:
            logger.info("The coordinator at %s is going away; connecting again.", self._address)
            stream.half_close()
            self._replace()
        elif self._stream is not None and self._calls.queued:
            self._stream.wake()  # an answer may let a queued call go
        _settle(settled)

    def _succeed(self, stream: _Stream, error: GessoError) -> None:
        if self._stream is not stream:
            return  # it was replaced, or let go
        self._stream = None
        self.trouble = str(error)
        if not len(self._calls):
            return
        if self._passing(error):
            self._replace(error)
        else:
            _settle(self._calls.fail(to_call_error(error)))

    def _passing(self, error: GessoError) -> bool:
        """Return whether another stream may do better. Proxies tell a broken connection in odd ways, too."""
        odd = isinstance(error, CoordinatorFault) or type(error) is ServiceError
        return repeatable(error) is not None or (odd and self._attempts <= _ODD_ATTEMPTS)

    def _replace(self, error: GessoError | None = None) -> None:
        """Start the reader of another stream; the first time soon, then after growing pauses."""
        self._stream = None
        pause = jittered(backoff(self._attempts + 1)).total_seconds() if self._attempts else 0.0
        if error is not None:
            level = logging.WARNING if self._attempts > 1 else logging.INFO
            logger.log(level, "No answer from %s (%s); trying again in %.1f s.", self._address, error, pause)
        self._start(pause=pause)

    async def _messages(self, stream: _Stream) -> AsyncIterator[pb.ConverseRequest]:
        """Yield frames as calls come, until the stream is done with."""
        while await stream.awake():
            while self._stream is stream and (frame := self._calls.frame()) is not None:
                yield frame


def _settle(settled: Settled) -> None:
    for promise, value in settled:
        if not promise.done():
            promise.set_result(value)
