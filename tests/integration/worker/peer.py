"""A coordinator that does what a test says: it records what workers send and sends what it is given."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import grpc
from grpc import aio

from gesso import codec
from gesso.v1 import worker_service_pb2 as pb
from gesso.v1.signature_pb2 import Signature
from gesso.v1.value_item_pb2 import ValueItem
from gesso.v1.worker_service_pb2_grpc import WorkerServiceServicer, add_WorkerServiceServicer_to_server

# How long anything may take that a test waits for.
LIMIT_SECONDS = 15.0

Found = TypeVar("Found")


class Noticeboard:
    """Lets a test wait until something about recorded facts is true."""

    def __init__(self) -> None:
        """Nothing has happened yet."""
        self._changed = asyncio.Event()

    def notify(self) -> None:
        """Have everyone who waits look again."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def until(self, look: Callable[[], Found]) -> Found:
        """Wait until `look` returns something true, and return it."""
        async with asyncio.timeout(LIMIT_SECONDS):
            while True:
                changed = self._changed
                if found := look():
                    return found
                await changed.wait()


class PeerStream:
    """One worker's stream, as the coordinator has it."""

    def __init__(self, hello: pb.WorkRequest.Hello, board: Noticeboard) -> None:
        """Record what follows `hello`."""
        self.hello = hello
        self.frames: list[pb.WorkRequest] = []
        self.ended = False
        self.board = board
        self.outbox: asyncio.Queue[pb.WorkResponse | None] = asyncio.Queue()

    # --- what came ---------------------------------------------------------------------------------

    @property
    def reports(self) -> list[pb.Report]:
        """Every report, in order."""
        return [report for frame in self.frames for report in frame.reports]

    @property
    def credit_count(self) -> int:
        """All credits that were granted."""
        return sum(frame.credit_count for frame in self.frames)

    @property
    def started(self) -> list[int]:
        """The nonces that were told to have started, in order."""
        return [token.nonce for frame in self.frames for token in frame.started]

    @property
    def returned(self) -> list[int]:
        """The nonces that were given back, in order."""
        return [token.nonce for frame in self.frames for token in frame.returned]

    @property
    def said_goodbye(self) -> bool:
        """Whether the last frame is a goodbye."""
        return bool(self.frames) and self.frames[-1].HasField("goodbye")

    async def until(self, look: Callable[[PeerStream], Found]) -> Found:
        """Wait until `look` returns something true of this stream, and return it."""
        return await self.board.until(lambda: look(self))

    async def report_of(self, nonce: int) -> pb.Report:
        """Wait for the report of one assignment."""

        def found(stream: PeerStream) -> pb.Report | None:
            return next((report for report in stream.reports if report.token.nonce == nonce), None)

        report = await self.until(found)
        assert report is not None
        return report

    # --- what goes -----------------------------------------------------------------------------------

    def send(self, **fields: Any) -> None:
        """Send a `WorkResponse`."""
        self.outbox.put_nowait(pb.WorkResponse(**fields))

    def assign(self, *assignments: pb.Assignment) -> None:
        """Send assignments, in one frame."""
        self.send(assignments=assignments)

    def acknowledge(self) -> None:
        """Acknowledge everything that has come."""
        self.send(acknowledged_frame=self.frames[-1].frame)

    def end(self) -> None:
        """End the stream in good order."""
        self.outbox.put_nowait(None)


class Peer(WorkerServiceServicer):
    """The coordinator.

    Attributes:
        welcome: What the next streams are welcomed with.
        streams: Every stream, in the order they came.
        acknowledges: Whether each frame is acknowledged as it comes.
        refusal: The status that hellos are refused with; None to welcome them.
        inputs: What `ReadInput` answers, by node.
    """

    def __init__(self) -> None:
        """No stream yet."""
        self.address = ""
        self.server: aio.Server | None = None
        self.welcome = pb.WorkResponse.Welcome()
        self.streams: list[PeerStream] = []
        self.acknowledges = True
        self.refusal: grpc.StatusCode | None = None
        self.inputs: dict[str, list[ValueItem]] = {}
        self.on_frame: Callable[[PeerStream, pb.WorkRequest], None] = lambda _stream, _frame: None
        self.board = Noticeboard()

    async def stream(self, number: int = 1) -> PeerStream:
        """Wait for the stream with this number, from 1, to have been welcomed and to have sent a frame."""
        await self.board.until(lambda: len(self.streams) >= number and bool(self.streams[number - 1].frames))
        return self.streams[number - 1]

    def all_returned(self) -> list[int]:
        """Return what was given back on any stream, sorted."""
        return sorted(nonce for stream in self.streams for nonce in stream.returned)

    async def stop(self) -> None:
        """Be gone."""
        assert self.server is not None
        await self.server.stop(None)

    async def Work(  # noqa: N802 - the contract's name
        self, request_iterator: AsyncIterator[pb.WorkRequest], context: aio.ServicerContext[Any, Any]
    ) -> AsyncIterator[pb.WorkResponse]:
        """Hold a stream."""
        first = await anext(aiter(request_iterator))
        if self.refusal is not None:
            await context.abort(self.refusal, "this coordinator is told to refuse")
        stream = PeerStream(first.hello, self.board)
        self.streams.append(stream)
        yield pb.WorkResponse(welcome=self.welcome)
        reader = asyncio.create_task(self._read(request_iterator, stream))
        try:
            while (response := await stream.outbox.get()) is not None:
                yield response
        finally:
            reader.cancel()
            stream.ended = True
            self.board.notify()

    async def _read(self, requests: AsyncIterator[pb.WorkRequest], stream: PeerStream) -> None:
        async for frame in requests:
            stream.frames.append(frame)
            if self.acknowledges and not frame.HasField("goodbye"):
                stream.send(acknowledged_frame=frame.frame)
            self.on_frame(stream, frame)
            self.board.notify()
        stream.end()

    async def ReadInput(  # noqa: N802 - the contract's name
        self, request: pb.ReadInputRequest, context: aio.ServicerContext[Any, Any]
    ) -> AsyncIterator[pb.ReadInputResponse]:
        """Give out an input, each item in a message of its own."""
        if request.node_id not in self.inputs:
            await context.abort(grpc.StatusCode.NOT_FOUND, "there is no such node")
        for item in self.inputs[request.node_id]:
            yield pb.ReadInputResponse(items=[item])


@asynccontextmanager
async def running_peer(port: int = 0) -> AsyncGenerator[Peer, None]:
    """Run a coordinator on a free port of the loopback, or on `port`."""
    peer = Peer()
    server = aio.server(options=[("grpc.so_reuseport", 0)])
    add_WorkerServiceServicer_to_server(peer, server)
    peer.address = f"127.0.0.1:{server.add_insecure_port(f'127.0.0.1:{port}')}"
    peer.server = server
    await server.start()
    try:
        yield peer
    finally:
        await peer.stop()


def assignment(nonce: int, task: str, *args: Any, **fields: Any) -> pb.Assignment:
    """Return an assignment of `task` in `sample_tasks` to `args`; `fields` are the assignment's own."""
    kwargs = fields.pop("kwargs", None)
    signature = Signature(task=f"sample_tasks.{task}", args=codec.encode(list(args)))
    if kwargs:
        signature.kwargs.CopyFrom(codec.encode(kwargs))
    for name in ("immutable", "options"):
        if name in fields:
            setattr(signature, name, fields.pop(name))
    token = pb.Token(node_id=node_id(nonce), attempt=1, nonce=nonce)
    return pb.Assignment(signature=signature, token=token, **fields)


def assignments(nonces: Iterable[int], task: str, *args: Any) -> list[pb.Assignment]:
    """Return one assignment for each nonce."""
    return [assignment(nonce, task, *args) for nonce in nonces]


def node_id(nonce: int) -> str:
    """Return the id of the node that is assigned with `nonce`."""
    return f"{'c' * 32}-{nonce}"


def value_of(report: pb.Report) -> Any:
    """Return the value that a report brings."""
    assert report.outcome.HasField("value"), report
    return codec.decode(report.outcome.value)
