"""One streamed submission: members go out in frames of what has gathered while the frame before was sent."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import grpc

from gesso.canvas.wire import OpenGroup
from gesso.connection.frame import Frame
from gesso.connection.line import Line
from gesso.connection.refusals import from_rpc_error
from gesso.growing import pieces
from gesso.v1 import canvas_pb2
from gesso.v1 import coordinator_service_pb2 as pb

__all__ = ["Upload"]

QUEUE_COUNT = 2_000
"""Members that may wait to be sent. A generator that is faster waits."""

_LOOK_SECONDS = 1.0
"""How often a reader that waits for room looks by itself."""


class _Member(NamedTuple):
    """A member on its way."""

    number: int
    """Its group's."""
    member: canvas_pb2.Canvas | None
    """None says that the group has no more."""
    size: int


class Upload:
    """Sends one canvas whose groups grow.

    Args:
        start: The canvas, with what has come of it so far. It is sent without a request id: a broken stream cancels
            the canvas, so there is nothing to repeat.
        groups: The groups that grow, in order.
    """

    def __init__(self, start: pb.SubmitCanvasRequest, groups: Sequence[OpenGroup]) -> None:
        start.request_id = ""
        self._first = pb.StreamCanvasRequest(start=start, open_paths=[group.path for group in groups])
        self._groups = groups
        self._queue: queue.SimpleQueue[_Member | None] = queue.SimpleQueue()
        self._room = threading.Event()  # some was made since it was last cleared, or the call is over
        self._over = False

    def send(self, line: Line) -> pb.StreamCanvasResponse:
        """Read the groups' members, send them, and return the answer.

        Raises:
            GessoError: If the canvas was refused, or the connection broke: the canvas is then cancelled.
            Exception: What a generator raises; the canvas is then cancelled.
        """
        with line.service() as service:
            call = service.StreamCanvas.future(self._requests())
        call.add_done_callback(self._end)
        try:
            for number, group in enumerate(self._groups):
                for member in group.members:
                    for piece, size in pieces(member):
                        self._put(_Member(number, piece, size), call)
                self._put(_Member(number, None, 0), call)
            self._put(None, call)
            answer: pb.StreamCanvasResponse = call.result()
        except grpc.RpcError as error:
            raise from_rpc_error(error) from error
        except BaseException:
            call.cancel()
            raise
        finally:
            self._queue.put(None)  # lets go of the thread in which gRPC asks for requests
        return answer

    def _end(self, _: object) -> None:
        self._over = True
        self._room.set()

    def _put(self, item: _Member | None, call: grpc.Future[pb.StreamCanvasResponse]) -> None:
        while not self._over:
            if self._queue.qsize() < QUEUE_COUNT:
                self._queue.put(item)
                return
            self._room.clear()
            if self._queue.qsize() >= QUEUE_COUNT and not self._over:
                self._room.wait(_LOOK_SECONDS)
        call.result()  # raises what it was refused with

    def _requests(self) -> Iterator[pb.StreamCanvasRequest]:
        yield self._first
        frame = Frame()
        while (item := self._queue.get()) is not None:
            if not frame.takes(item.size):
                self._room.set()
                yield frame.message
                frame = Frame()
            if item.member is None:
                frame.seal(item.number)
            else:
                frame.add(item.number, item.member, item.size)
            if self._queue.empty():
                self._room.set()
                yield frame.message
                frame = Frame()
        if frame:
            yield frame.message
