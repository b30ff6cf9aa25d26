"""One streamed submission: members go out in frames of what has gathered while the frame before was sent."""

from __future__ import annotations

import queue
from collections.abc import Iterator, Sequence

import grpc

from gesso.canvas.wire import OpenGroup
from gesso.connection.line import Line
from gesso.connection.refusals import from_rpc_error
from gesso.v1 import canvas_pb2
from gesso.v1 import coordinator_service_pb2 as pb

__all__ = ["Upload"]

FRAME_BYTES = 512 << 10
"""A frame is sent when it has so much, if more has gathered."""

QUEUE_COUNT = 2_000
"""Members that may wait to be sent. A generator that is faster waits."""

_LOOK_SECONDS = 1.0
"""How often a reader that waits for room looks whether the coordinator has refused the canvas."""


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
        self._queue: queue.Queue[tuple[int, canvas_pb2.Canvas] | None] = queue.Queue(QUEUE_COUNT)

    def send(self, line: Line) -> pb.StreamCanvasResponse:
        """Read the groups' members, send them, and return the answer.

        Raises:
            GessoError: If the canvas was refused, or the connection broke: the canvas is then cancelled.
            Exception: What a generator raises; the canvas is then cancelled.
        """
        with line.service() as service:
            call = service.StreamCanvas.future(self._requests())
        try:
            for number, group in enumerate(self._groups):
                for member in group.members:
                    self._put((number, member), call)
            self._put(None, call)
            answer: pb.StreamCanvasResponse = call.result()
        except grpc.RpcError as error:
            raise from_rpc_error(error) from error
        except BaseException:
            call.cancel()
            raise
        return answer

    def _put(
        self, item: tuple[int, canvas_pb2.Canvas] | None, call: grpc.Future[pb.StreamCanvasResponse]
    ) -> None:
        while True:
            if call.done():
                call.result()  # raises what it was refused with
            try:
                self._queue.put(item, timeout=_LOOK_SECONDS)
            except queue.Full:
                continue
            return

    def _requests(self) -> Iterator[pb.StreamCanvasRequest]:
        yield self._first
        while True:
            item = self._queue.get()
            if item is None:
                return
            frame, size, last = pb.StreamCanvasRequest(), 0, False
            while item is not None:
                number, member = item
                if not frame.growths or frame.growths[-1].open_index != number:
                    frame.growths.add(open_index=number)
                frame.growths[-1].members.append(member)
                size += member.ByteSize()
                if size >= FRAME_BYTES or self._queue.empty():
                    break
                item = self._queue.get()
                last = item is None
            yield frame
            if last:
                return
