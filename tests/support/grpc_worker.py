"""A worker made by hand: it speaks WorkerService, and does what a test says."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from itertools import count
from typing import TypeVar

import grpc

from gesso.v1 import worker_service_pb2 as pb

LIMIT_SECONDS = 20.0
FAILING = "fail"
Found = TypeVar("Found")
Answer = Callable[[pb.Assignment], pb.Outcome]
_PATH = "/gesso.v1.WorkerService/Work"


def hello(session: str = "", **fields: object) -> pb.WorkRequest:
    """Return a hello that is taken, with other fields where given."""
    known: dict[str, object] = {
        "protocol_version": 1,
        "session_id": session or secrets.token_hex(8),
        "epoch": 1,
        "queues": ["default"],
        "tasks": ["add", "tsum"],
        "slot_count": 4,
        "worker": "by-hand",
    }
    return pb.WorkRequest(hello=pb.WorkRequest.Hello(**(known | fields)))  # type: ignore[arg-type]  # the fields' own


def done(assignment: pb.Assignment) -> pb.Outcome:
    """End a task well, with its name and its input as value."""
    kind = assignment.WhichOneof("input")
    taken: object = None
    if kind == "value":
        taken = json.loads(assignment.value.data)
    elif kind == "values":
        taken = [json.loads(value.data) for value in assignment.values.values]
    outcome = pb.Outcome()
    outcome.value.data = json.dumps([assignment.signature.task, taken]).encode()
    return outcome


def failing(assignment: pb.Assignment) -> pb.Outcome:
    """Fail tasks of the name FAILING, and end all others well."""
    if assignment.signature.task != FAILING:
        return done(assignment)
    outcome = pb.Outcome()
    outcome.error.type = "builtins.ValueError"
    return outcome


class StreamEnded(AssertionError):
    """A stream has ended that was waited for."""


class Stream:
    """One stream of a worker."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        """Open it; nothing is said."""
        call = channel.stream_stream(
            _PATH,
            request_serializer=bytes,
            response_deserializer=pb.WorkResponse.FromString,
        )
        self.call = call()
        self.frames: list[pb.WorkResponse] = []
        self.assignments: list[pb.Assignment] = []
        self._number = 0
        self._changed = asyncio.Event()
        self._reader = asyncio.create_task(self._read())

    async def send(self, message: pb.WorkRequest | bytes) -> None:
        """Send a message, or bytes that are none."""
        await self.call.write(message if isinstance(message, bytes) else message.SerializeToString())

    async def frame(self, **fields: object) -> None:
        """Send a frame with the next number."""
        self._number += 1
        await self.send(pb.WorkRequest(frame=self._number, **fields))  # type: ignore[arg-type]  # the fields' own

    async def report(
        self, assignments: Iterable[pb.Assignment], answer: Answer = done, *, credit_count: int = 0
    ) -> None:
        """Report how tasks ended."""
        reports = [
            pb.Report(token=assignment.token, outcome=answer(assignment)) for assignment in assignments
        ]
        await self.frame(reports=reports, credit_count=credit_count)

    async def until(self, look: Callable[[], Found]) -> Found:
        """Wait until `look` returns something true, and return it."""
        async with asyncio.timeout(LIMIT_SECONDS):
            while not (found := look()):
                if self._reader.done():
                    raise StreamEnded(f"the stream has ended: {self._reader.result()!r}")
                await self._changed.wait()
                self._changed.clear()
        return found

    async def take(self, count: int = 1) -> list[pb.Assignment]:
        """Wait for so many assignments since the start; return the last ones."""
        await self.until(lambda: len(self.assignments) >= count)
        return self.assignments[-count:]

    async def acknowledged(self) -> None:
        """Wait until every frame was applied."""
        await self.until(lambda: any(frame.acknowledged_frame == self._number for frame in self.frames))

    async def ended(self) -> grpc.aio.AioRpcError | None:
        """Wait for the stream's end; return its error."""
        async with asyncio.timeout(LIMIT_SECONDS):
            return await asyncio.shield(self._reader)

    async def close(self) -> None:
        """End the stream, in good order if it still lives."""
        if not self.call.done():
            with suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):
                await self.frame(goodbye=pb.WorkRequest.Goodbye())
                await self.call.done_writing()
        with suppress(grpc.aio.AioRpcError, TimeoutError):
            await self.ended()
        self.call.cancel()

    async def _read(self) -> grpc.aio.AioRpcError | None:
        try:
            async for frame in self.call:
                self.frames.append(frame)
                self.assignments += frame.assignments
                self._changed.set()
        except grpc.aio.AioRpcError as error:
            return error
        except asyncio.CancelledError:  # how a call ends that was cancelled here
            pass
        finally:
            self._changed.set()
        return None


@asynccontextmanager
async def working(
    channel: grpc.aio.Channel,
    *,
    slots: int = 16,
    answer: Answer = done,
    tasks: Sequence[str] = ("add", "tsum"),
) -> AsyncGenerator[Stream, None]:
    """Run every task that comes, until the context ends."""
    stream = Stream(channel)
    await stream.send(hello(tasks=tasks))
    await stream.until(lambda: stream.frames)
    await stream.frame(credit_count=slots)
    worker = asyncio.create_task(_work(stream, answer))
    try:
        yield stream
    finally:
        worker.cancel()
        with suppress(asyncio.CancelledError):
            await worker
        await stream.close()


@asynccontextmanager
async def staying(channel: grpc.aio.Channel, *, slots: int = 16) -> AsyncGenerator[None, None]:
    """Run every task that comes, over one stream after the other, until the context ends."""
    worker = asyncio.create_task(_stay(channel, slots))
    try:
        yield
    finally:
        worker.cancel()
        with suppress(asyncio.CancelledError):
            await worker


async def _stay(channel: grpc.aio.Channel, slots: int) -> None:
    session = secrets.token_hex(8)
    for epoch in count(1):
        stream = Stream(channel)
        try:
            await stream.send(hello(session, epoch=epoch))
            await stream.until(partial(_welcomed, stream))
            await stream.frame(credit_count=slots)
            await _work(stream, done)
        except (
            StreamEnded,
            grpc.aio.AioRpcError,
            asyncio.InvalidStateError,
        ):  # as reading or writing finds it
            pass
        finally:
            await stream.close()


def _welcomed(stream: Stream) -> bool:
    return bool(stream.frames)


def _more(stream: Stream, than: int) -> bool:
    return len(stream.assignments) > than


async def _work(stream: Stream, answer: Answer) -> None:
    seen = 0
    while True:
        await stream.until(partial(_more, stream, seen))
        batch, seen = stream.assignments[seen:], len(stream.assignments)
        await stream.report(batch, answer, credit_count=len(batch))
