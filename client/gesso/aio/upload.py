"""One streamed submission from a coroutine: as `gesso.connection.upload`, a frame at a time."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import TYPE_CHECKING

import grpc

from gesso.canvas.wire import OpenGroup
from gesso.connection.frame import Frame
from gesso.connection.refusals import from_rpc_error
from gesso.growing import pieces
from gesso.v1 import coordinator_service_pb2 as pb

if TYPE_CHECKING:  # it exists for type checkers only
    from gesso.v1.coordinator_service_pb2_grpc import CoordinatorServiceAsyncStub

__all__ = ["stream"]

_FRAME_COUNT = 500
"""Members of a frame: the event loop waits while so many are read."""

_FRAME_SECONDS = 0.05
"""How long a frame may be filled; it ends with the member that is read then."""


async def stream(
    stub: CoordinatorServiceAsyncStub, start: pb.SubmitCanvasRequest, groups: Sequence[OpenGroup]
) -> pb.SubmitCanvasResponse:
    """Send a canvas whose groups grow while they are read, and return the answer.

    Raises:
        GessoError: If the canvas was refused, or the connection broke: the canvas is then cancelled.
        Exception: What a generator raises; the canvas is then cancelled.
    """
    start.request_id = ""
    requests = _Requests(
        pb.StreamCanvasRequest(start=start, open_paths=[group.path for group in groups]), groups
    )
    # Handed over, not written one by one: an interceptor that awaits the answer would let no write through.
    call = stub.StreamCanvas(requests.each())
    try:
        answer = await call
    except BaseException as error:
        call.cancel()
        if requests.error is not None:
            raise requests.error from None
        if isinstance(error, grpc.RpcError):
            raise from_rpc_error(error) from error
        raise
    return answer.submitted


class _Requests:
    """The messages of one call, and what went wrong when they were made."""

    def __init__(self, first: pb.StreamCanvasRequest, groups: Sequence[OpenGroup]) -> None:
        self.error: BaseException | None = None
        self._first = first
        self._groups = groups

    async def each(self) -> AsyncIterator[pb.StreamCanvasRequest]:
        yield self._first
        frames = _frames(self._groups)
        while (frame := self._next(frames)) is not None:
            yield frame

    def _next(self, frames: Iterator[pb.StreamCanvasRequest]) -> pb.StreamCanvasRequest | None:
        try:
            return next(frames, None)
        except BaseException as error:
            self.error = error  # gRPC tells only that the call was cancelled
            raise


def _frames(groups: Sequence[OpenGroup]) -> Iterator[pb.StreamCanvasRequest]:
    for number, group in enumerate(groups):
        frame, until = _begun()
        for member in group.members:
            for piece, size in pieces(member):
                if not frame.takes(size) or time.monotonic() > until:
                    yield frame.message
                    frame, until = _begun()
                frame.add(number, piece, size)
        frame.seal(number)
        yield frame.message


def _begun() -> tuple[Frame, float]:
    return Frame(_FRAME_COUNT), time.monotonic() + _FRAME_SECONDS
