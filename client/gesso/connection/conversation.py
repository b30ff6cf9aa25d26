"""The one bidirectional stream of a process and address, for callers in any thread.

Callers put calls into the table and wake the writer, which is gRPC's own thread pulling messages from
`_messages`; it sends everything that is queued in one frame. A reader thread takes the replies in and
settles the promises. Nothing runs, and no stream is open, before the first call.

When a stream breaks, its reader opens another as long as something is unanswered, after a pause that
grows. A coordinator that is going away says so: then another stream is opened, with what has not been
answered, while the old one is read to its end.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import grpc

from gesso.connection.arrival import Arrival
from gesso.connection.backoff import backoff, jittered
from gesso.connection.calls import Calls, Settled
from gesso.connection.line import Line
from gesso.connection.refusals import from_rpc_error, repeatable, to_call_error
from gesso.errors import CoordinatorFault, GessoError, ServiceError, Unavailable
from gesso.v1 import coordinator_service_pb2 as pb

__all__ = ["Conversation"]

logger = logging.getLogger(__name__)

_JOIN_SECONDS = 1.0
"""How long a fork waits for the reader to notice that its stream is gone."""

_ODD_ATTEMPTS = 5
"""How many streams may end in an odd way, one after the other, before their calls fail."""


@dataclass(slots=True, eq=False)
class _Stream:
    _steps: queue.SimpleQueue[bool] = field(default_factory=queue.SimpleQueue)
    thread: threading.Thread | None = None
    call: grpc.Call | None = None
    let_go: queue.SimpleQueue[None] = field(default_factory=queue.SimpleQueue)

    def wake(self) -> None:
        """Have the writer look for something to send."""
        self._steps.put(True)  # noqa: FBT003 - one of two things to do

    def half_close(self) -> None:
        """Have the writer end its side."""
        self._steps.put(False)  # noqa: FBT003 - as above

    def awake(self) -> bool:
        """Wait until there is something to do; return False when that is to end."""
        return self._steps.get()

    def written(self) -> None:
        """Wait until the writer has let go of its messages, if one began."""
        if self.call is not None:
            with contextlib.suppress(queue.Empty):
                self.let_go.get(timeout=_JOIN_SECONDS)


class _Messages(Iterator[pb.ConverseRequest]):
    """What the writer pulls. It tells when it is let go of: gRPC's thread, which holds it, has then ended.

    A fork waits for that. A thread of gRPC's that is caught while its message is under way holds a lock
    that another one wants, and the fork would wait for both for 5 s and leave the child unusable.
    """

    def __init__(self, messages: Iterator[pb.ConverseRequest], let_go: queue.SimpleQueue[None]) -> None:
        self._messages = messages
        self._let_go = let_go

    def __next__(self) -> pb.ConverseRequest:
        return next(self._messages)

    def __del__(self) -> None:
        self._let_go.put(None)


class Conversation:
    """The calls of this process to one address."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._lock = threading.Lock()
        self._calls = Calls()
        self._stream: _Stream | None = None
        self._open: set[_Stream] = set()  # that one, and those that are only read to their end
        self._reader: threading.Thread | None = None
        self._attempts = 0  # streams opened since the last reply
        self._paused = False
        self.trouble = ""  # what the last stream ended with; empty while one answers
        self._hurry = threading.Event()  # ends the pause before another stream

    def submit(self, request: pb.SubmitCanvasRequest, answer: Arrival[Any], end: Arrival[Any] | None) -> int:
        """Send a submission; see `Calls.submit`. Returns at once, with the number for `drop`."""
        with self._lock:
            call_id = self._calls.submit(request, answer, end)
            self._send()
        return call_id

    def wait(self, node_id: str, end: Arrival[Any]) -> int:
        """Send a wait; see `Calls.wait`. Returns at once, with the number for `drop`."""
        with self._lock:
            call_id = self._calls.wait(node_id, end)
            self._send()
        return call_id

    def drop(self, call_id: int) -> None:
        """Forget a call whose answer nobody wants."""
        self._calls.drop(call_id)

    def unanswered_count(self) -> int:
        """Return how many calls are not answered."""
        with self._lock:
            return len(self._calls)

    def pause(self) -> None:
        """Let go of the stream, before a fork; what is unanswered is sent again after `resume`."""
        with self._lock:
            self._paused = True
            self._stream = None
            streams = tuple(self._open)
            reader = self._reader
        self._line.pause()
        self._hurry.set()
        for stream in streams:
            stream.half_close()
            if stream.call is not None:
                stream.call.cancel()
        threads = {reader, *(stream.thread for stream in streams)}
        for thread in threads - {None, threading.current_thread()}:
            if thread is not None:
                thread.join(_JOIN_SECONDS)
        for stream in streams:
            stream.written()

    def resume(self) -> None:
        """Go on after `pause`."""
        self._line.resume()
        self._hurry.clear()
        with self._lock:
            self._paused = False
            if len(self._calls):
                self._send()

    def close(self) -> None:
        """Let go of the stream, and fail what is unanswered. A later call opens another."""
        self.pause()
        self._line.hang_up()
        error = Unavailable("The app was closed.", code="CANCELLED")
        with self._lock:
            settled = self._calls.fail(to_call_error(error))
        _settle(settled)
        self.resume()

    # --- inside, with the lock held ----------------------------------------------------------

    def _send(self) -> None:
        if self._stream is not None:
            self._stream.wake()
        elif self._reader is None and not self._paused:
            self._start(pause=0.0)

    def _start(self, *, pause: float) -> None:
        """Have a reader open a stream after `pause` seconds."""
        self._reader = threading.Thread(
            target=self._run, args=(pause,), name="gesso-conversation", daemon=True
        )
        self._reader.start()

    # --- the reader's thread -----------------------------------------------------------------

    def _run(self, pause: float) -> None:
        """Open a stream, read it to its end, and start a successor if there is need of one."""
        if pause:
            self._hurry.wait(pause)
        stream = _Stream(thread=threading.current_thread())
        with self._lock:
            self._reader = None
            if self._paused or not len(self._calls):
                return
            self._stream = stream
            self._open.add(stream)
            self._attempts += 1
            self._calls.restart()
        stream.wake()
        error = self._read(stream)
        stream.half_close()
        self._succeed(stream, error)

    def _read(self, stream: _Stream) -> GessoError:
        """Take in what a stream brings, and return what it ended with."""
        try:
            with self._line.service(wait=False) as service:
                call = service.Converse(_Messages(self._messages(stream), stream.let_go))
            with self._lock:
                stream.call = call
                replaced = self._stream is not stream
            if replaced:
                call.cancel()
            for response in call:
                self._receive(stream, response)
        except grpc.RpcError as error:
            return from_rpc_error(error)
        except Unavailable as error:  # a fork is under way
            return error
        except ValueError:  # the channel was closed between being had and being used
            return Unavailable("the channel was closed", code="CANCELLED")
        return Unavailable("the coordinator ended the stream", code="UNAVAILABLE")

    def _receive(self, stream: _Stream, response: pb.ConverseResponse) -> None:
        with self._lock:
            settled = self._calls.apply(response)
            if response.replies:
                self._attempts = 0
                self.trouble = ""
            if response.draining and self._stream is stream:
                logger.info("The coordinator at %s is going away; connecting again.", self._line.address)
                stream.half_close()
                self._replace()
            elif self._stream is not None and self._calls.queued:
                self._stream.wake()  # an answer may let a queued call go
        _settle(settled)

    def _succeed(self, stream: _Stream, error: GessoError) -> None:
        settled: Settled = []
        with self._lock:
            self._open.discard(stream)
            if self._stream is not stream:
                return  # it was replaced, or let go
            self.trouble = str(error)
            if not len(self._calls):
                self._stream = None
            elif self._passing(error):
                self._replace(error)
            else:
                self._stream = None
                settled = self._calls.fail(to_call_error(error))
        _settle(settled)

    def _passing(self, error: GessoError) -> bool:
        """Return whether another stream may do better. Proxies tell a broken connection in odd ways, too."""
        odd = isinstance(error, CoordinatorFault) or type(error) is ServiceError
        return repeatable(error) is not None or (odd and self._attempts <= _ODD_ATTEMPTS)

    def _replace(self, error: GessoError | None = None) -> None:
        """Start the reader of another stream; the first time soon, then after growing pauses."""
        self._stream = None
        longest = backoff(self._attempts + 1)
        pause = jittered(longest).total_seconds() if self._attempts else 0.0
        if error is not None:
            level = logging.WARNING if self._attempts > 1 else logging.INFO
            logger.log(
                level, "No answer from %s (%s); trying again in %.1f s.", self._line.address, error, pause
            )
        if not self._paused:
            self._start(pause=pause)

    # --- the writer's thread, gRPC's own -----------------------------------------------------

    def _messages(self, stream: _Stream) -> Iterator[pb.ConverseRequest]:
        """Yield frames as calls come, until the stream is done with."""
        while stream.awake():
            while (frame := self._frame(stream)) is not None:
                yield frame

    def _frame(self, stream: _Stream) -> pb.ConverseRequest | None:
        with self._lock:
            return self._calls.frame() if self._stream is stream else None


def _settle(settled: Settled) -> None:
    for promise, value in settled:
        if not promise.done():
            promise.set_result(value)
