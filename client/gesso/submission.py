"""What is sent for a canvas."""

from __future__ import annotations

from os import urandom

from gesso.canvas import Canvas, wire
from gesso.canvas.sender import Route
from gesso.canvas.wire import OpenGroup
from gesso.canvas.wire_options import seconds, write_span
from gesso.deadline import Timeout
from gesso.errors import InvalidCanvas
from gesso.growing import read_ahead, split
from gesso.publishing import publish
from gesso.request import current_request
from gesso.tracing import UNTRACED, current_trace
from gesso.v1 import canvas_pb2
from gesso.v1 import coordinator_service_pb2 as pb

__all__ = ["REQUEST_BYTES", "submission", "submission_of"]

REQUEST_BYTES = 4 << 20
"""The most that a coordinator takes in one message."""

_ROOM_BYTES = 4 << 10
"""What a request has beside its canvas, at the most."""


def submission(
    canvas: Canvas,
    *,
    error_links_on_header: bool = False,
    route: Route | None = None,
    deadline: Timeout = None,
) -> tuple[pb.SubmitCanvasRequest, list[OpenGroup]]:
    """Return the request for a canvas, under a new request id, and what of it is still to be read.

    Args:
        canvas: Is not changed.
        error_links_on_header: Whether a chord body's error links run for each failed member of the header, too.
        deadline: How long it may take as a whole. None for no limit.
        route: Says the queue of a task whose signature names none.

    Returns:
        The request, and its groups that grow: those whose generator goes on, or all when the canvas is too large for
        one message. Empty for most.

    Raises:
        TypeError: If it cannot be sent, see `wire.encode`.
        ValueError: If an option is out of bounds, or it is too deep.
        InvalidCanvas: If what cannot grow is too large for one message.
    """
    request = pb.SubmitCanvasRequest()
    message = request.canvas
    opened = wire.encode_open(canvas, message, error_links_on_header=error_links_on_header, route=route)
    groups = read_ahead(message, opened) if opened else []
    if message.ByteSize() > REQUEST_BYTES - _ROOM_BYTES:
        groups += split(message)
    _complete(request, deadline)
    return request, groups


def submission_of(message: canvas_pb2.Canvas, *, deadline: Timeout = None) -> pb.SubmitCanvasRequest:
    """Return the request for a canvas that is a message already, under a new request id.

    Raises:
        TypeError: If the deadline is no span.
        ValueError: If it is not positive.
    """
    request = pb.SubmitCanvasRequest(canvas=message)
    _complete(request, deadline)
    return request


def _complete(request: pb.SubmitCanvasRequest, deadline: Timeout) -> None:
    """Write what a request has beside its canvas. Errors are those of `submission_of`."""
    publish(request.canvas)
    request.request_id = urandom(16).hex()
    trace = current_trace()
    if trace is not UNTRACED:
        request.traceparent, request.tracestate, request.baggage = trace
    submitter = current_request.get()
    if submitter is not None and submitter.node_id:
        request.submitter_node_id = submitter.node_id
    if deadline is not None:
        if not seconds("deadline", deadline):
            raise ValueError("deadline= is more than 0 seconds.")
        write_span("deadline", deadline, request.deadline)
    size = request.ByteSize()
    if size > REQUEST_BYTES:
        raise InvalidCanvas(
            f"The canvas takes {size:,} bytes, and one message at most {REQUEST_BYTES:,}.",
            reason="PAYLOAD_TOO_LARGE",
        )
