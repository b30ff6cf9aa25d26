"""One streamed submission from a coroutine: as `gesso.connection.upload`, a frame at a time."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import grpc
from grpc import aio

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
    call = stub.StreamCanvas()
    try:
        await call.write(pb.StreamCanvasRequest(start=start, open_paths=[group.path for group in groups]))
        for frame in _frames(groups):
            await call.write(frame)
        await call.done_writing()
        answer = await call
    except (grpc.RpcError, aio.UsageError) as error:
        failure = error if isinstance(error, grpc.RpcError) else await _failure(call)
        raise from_rpc_error(failure) from error
    except BaseException:
        call.cancel()
        raise
    return answer.submitted


async def _failure(
    call: aio.StreamUnaryCall[pb.StreamCanvasRequest, pb.StreamCanvasResponse],
) -> grpc.RpcError:
    """Return why a call ended before everything was written."""
    try:
        await call
    except grpc.RpcError as error:
        return error
    raise AssertionError("a call that takes no more has ended")


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
