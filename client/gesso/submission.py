"""What is sent for a canvas."""

from __future__ import annotations

from secrets import token_hex

from gesso.canvas import Canvas, wire
from gesso.canvas.sender import Route
from gesso.canvas.wire import OpenGroup
from gesso.canvas.wire_options import seconds, write_span
from gesso.deadline import Timeout
from gesso.errors import InvalidCanvas
from gesso.growing import read_ahead, split
from gesso.publishing import publish
from gesso.request import current_request
from gesso.tracing import current_trace
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
    message, opened = wire.encode_open(canvas, error_links_on_header=error_links_on_header, route=route)
    groups = read_ahead(message, opened) if opened else []
    if message.ByteSize() > REQUEST_BYTES - _ROOM_BYTES:
        groups += split(message)
    return submission_of(message, deadline=deadline), groups


def submission_of(message: canvas_pb2.Canvas, *, deadline: Timeout = None) -> pb.SubmitCanvasRequest:
    """Return the request for a canvas that is a message already, under a new request id.

    Raises:
        TypeError: If the deadline is no span.
        ValueError: If it is not positive.
    """
    publish(message)
    trace = current_trace()
    request = current_request.get()
    made = pb.SubmitCanvasRequest(
        canvas=message,
        request_id=token_hex(16),
        traceparent=trace.traceparent,
        tracestate=trace.tracestate,
        baggage=trace.baggage,
        submitter_node_id=(request.node_id or "") if request is not None else "",
    )
    if deadline is not None:
        if not seconds("deadline", deadline):
            raise ValueError("deadline= is more than 0 seconds.")
        write_span("deadline", deadline, made.deadline)
    size = made.ByteSize()
    if size > REQUEST_BYTES:
        raise InvalidCanvas(
            f"The canvas takes {size:,} bytes, and one message at most {REQUEST_BYTES:,}.",
            reason="PAYLOAD_TOO_LARGE",
        )
    return made
