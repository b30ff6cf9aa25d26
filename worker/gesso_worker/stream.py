"""One stream to one coordinator: it moves frames, and leaves every decision to the session.

Three tasks share it. The reader gives the session each response; the writer, the only one that writes,
sleeps until it is woken and sends what the session has to say; the pulse wakes it in time for a
heartbeat. To most responses there is nothing to say at once: the reader asks, and wakes the writer if there is. The
stream ends when the session is over, when it is to be left for another, or when it breaks.
"""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Callable
from contextlib import suppress
from typing import TypeAlias

import grpc
from grpc import aio

from gesso.v1 import worker_service_pb2 as pb
from gesso.v1.worker_service_pb2_grpc import WorkerServiceStub
from gesso_worker.session import Session

# How long a coordinator may take to welcome, and to end a stream after the goodbye.
_WELCOME_TIMEOUT_SECONDS = 15.0
_END_TIMEOUT_SECONDS = 2.0
# What is used of the heartbeat's interval, so that a beat is never late.
_HEARTBEAT_PART = 0.8
_DEFAULT_HEARTBEAT_SECONDS = 5.0

_Call: TypeAlias = aio.StreamStreamCall[pb.WorkRequest, pb.WorkResponse]


class Ended(enum.Enum):
    """How a stream ended that did not break."""

    OVER = enum.auto()
    """The session said goodbye."""
    LEFT = enum.auto()
    """The session wants another stream."""


class StreamBroken(Exception):
    """The stream ended and the session goes on.

    Attributes:
        code: The status that it ended with.
    """

    def __init__(self, code: grpc.StatusCode, details: str) -> None:
        """Keep what a person and the retry need to know."""
        super().__init__(f"{code.name}: {details}")
        self.code = code


# How a stream that ends shows, to whoever reads or writes.
_BREAKS = (aio.AioRpcError, asyncio.InvalidStateError, StreamBroken, TimeoutError)


class Stream:
    """One `Work` call."""

    def __init__(self, channel: aio.Channel, session: Session, welcomed: Callable[[], None]) -> None:
        """Open nothing yet; `welcomed` is called after the coordinator's welcome."""
        self._stub = WorkerServiceStub(channel)
        self._session = session
        self._welcomed = welcomed
        self._awake = asyncio.Event()
        self._frame: pb.WorkRequest | None = None  # the next to be sent
        self._beat_due = False
        self._parted = False
        self._heartbeat_seconds = _DEFAULT_HEARTBEAT_SECONDS
        self._look: asyncio.TimerHandle | None = None

    def wake(self) -> None:
        """Have the writer ask the session what there is to say."""
        self._awake.set()

    async def run(self) -> Ended:
        """Hold the stream until it ends.

        Raises:
            StreamBroken: If it ended otherwise than the session wanted.
        """
        call = self._stub.Work()
        try:
            return await self._converse(call)
        except ExceptionGroup as errors:
            faults = errors.subgroup(lambda error: not isinstance(error, (ExceptionGroup, *_BREAKS)))
            if faults is not None:
                raise faults from None
            raise await _broken(call, errors.exceptions[0]) from errors
        except _BREAKS as error:
            raise await _broken(call, error) from error
        finally:
            call.cancel()
            if self._look is not None:
                self._look.cancel()

    async def _converse(self, call: _Call) -> Ended:
        async with asyncio.timeout(_WELCOME_TIMEOUT_SECONDS):
            await call.write(self._session.hello())
            await self._read_one(call)
        self._welcomed()
        self._awake.set()
        async with asyncio.TaskGroup() as group:
            others = [
                group.create_task(self._read(call), name="read"),
                group.create_task(self._pulse(), name="pulse"),
            ]
            ended = await self._write(call)
            for task in others:
                task.cancel()
        return ended

    async def _read_one(self, call: _Call) -> None:
        response = await call.read()
        if not isinstance(response, pb.WorkResponse):
            raise StreamBroken(await call.code(), "the coordinator ended the stream")
        if response.HasField("welcome") and response.welcome.HasField("heartbeat_interval"):
            self._heartbeat_seconds = response.welcome.heartbeat_interval.ToTimedelta().total_seconds()
        self._session.receive(response)

    async def _read(self, call: _Call) -> None:
        try:
            while True:
                await self._read_one(call)
                if self._has_work():
                    self._awake.set()
        except (aio.AioRpcError, StreamBroken):
            if not self._parted:
                raise

    async def _write(self, call: _Call) -> Ended:
        while True:
            await self._awake.wait()
            self._awake.clear()
            if not self._has_work():
                continue
            if self._session.wants_new_stream:
                self._parted = True
                await call.done_writing()
                return Ended.LEFT
            frame, self._frame = self._frame, None
            if frame is not None:
                self._beat_due = False
                await call.write(frame)
            if self._session.over:
                await self._say_goodbye(call)
                return Ended.OVER
            self._plan_look()

    def _has_work(self) -> bool:
        """Return whether the writer has something to do; what the session has to say is then its next frame."""
        if self._frame is None and not self._session.wants_new_stream:
            self._frame = self._session.next_frame(even_empty=self._beat_due)
        if self._frame is not None or self._session.wants_new_stream or self._session.over:
            return True
        self._plan_look()
        return False

    async def _say_goodbye(self, call: _Call) -> None:
        """Say goodbye and wait, within a limit, until the coordinator has ended the stream."""
        self._parted = True
        await call.write(self._session.goodbye())
        await call.done_writing()
        with suppress(TimeoutError):
            async with asyncio.timeout(_END_TIMEOUT_SECONDS):
                await call.code()

    async def _pulse(self) -> None:
        """Have a frame sent in every interval, if only an empty one."""
        while True:
            self._beat_due = True
            await asyncio.sleep(self._heartbeat_seconds * _HEARTBEAT_PART / 2)
            if self._beat_due:
                self._awake.set()

    def _plan_look(self) -> None:
        """Wake the writer once more when time alone may give it something to say."""
        seconds = self._session.next_look_seconds()
        if seconds is None:
            return
        loop = asyncio.get_running_loop()
        if self._look is None or self._look.when() <= loop.time():
            self._look = loop.call_later(seconds, self._awake.set)


async def _broken(call: _Call, error: Exception) -> StreamBroken:
    """Return what broke the stream, whichever of reading and writing found it first."""
    call.cancel()
    match error:
        case StreamBroken():
            return error
        case aio.AioRpcError():
            return StreamBroken(error.code(), error.details() or "")
        case TimeoutError():
            return StreamBroken(grpc.StatusCode.DEADLINE_EXCEEDED, "the coordinator did not welcome in time")
        case _:  # a write after the end
            return StreamBroken(await call.code(), await call.details() or "")
