"""The trace that a submission belongs to, by OpenTelemetry's API alone.

Submitting is a span of the kind *producer*, a child of the caller's current one; the canvas's tasks lie under it. The
SDK, its exporters and their settings are the program's: without them the span is none, and only a context that the
caller has goes on.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import NamedTuple

from opentelemetry import context as contexts
from opentelemetry import trace
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.trace import INVALID_SPAN, NoOpTracerProvider, ProxyTracerProvider, Span, SpanKind

from gesso.v1 import canvas_pb2
from gesso.v1 import coordinator_service_pb2 as pb

__all__ = ["UNTRACED", "TraceContext", "current_trace", "submitted", "submitting"]

STATE_BYTES = 512
"""The most that the contract takes as `tracestate`."""
_BAGGAGE = W3CBaggagePropagator()
_NO_SPAN = nullcontext(INVALID_SPAN)


class TraceContext(NamedTuple):
    """A place in a trace, and what goes along with it, as the W3C's headers."""

    traceparent: str
    """Empty when there is none."""
    tracestate: str
    """Empty when there is none, or it is too long."""
    baggage: str
    """Empty when there is none. Also without a span: a program may use baggage alone."""


UNTRACED = TraceContext("", "", "")
"""No place in any trace, and nothing that goes along."""


def current_trace() -> TraceContext:
    """Return the current span's context, empty when there is no valid one, and the current baggage."""
    if not contexts.get_current():
        return UNTRACED  # as it is in a program that traces nothing; asking for each of them takes longer
    context = trace.get_current_span().get_span_context()
    carrier: dict[str, str] = {}
    _BAGGAGE.inject(carrier)
    baggage = carrier.get("baggage", "")
    if not context.is_valid:
        return TraceContext("", "", baggage)
    parent = f"00-{context.trace_id:032x}-{context.span_id:016x}-{int(context.trace_flags):02x}"
    state = context.trace_state.to_header()
    return TraceContext(parent, state if len(state.encode()) <= STATE_BYTES else "", baggage)


def submitting() -> AbstractContextManager[Span]:
    """Be a submission, for as long as the context lasts. In a program that traces nothing the span is none."""
    if isinstance(trace.get_tracer_provider(), (ProxyTracerProvider, NoOpTracerProvider)):
        return _NO_SPAN  # OpenTelemetry's own way to the same takes a fifth of a submission's time
    return _span()


@contextmanager
def _span() -> Generator[Span, None, None]:
    with trace.get_tracer("gesso").start_as_current_span("submit", kind=SpanKind.PRODUCER) as span:
        yield span


def submitted(span: Span, canvas: canvas_pb2.Canvas, response: pb.SubmitCanvasResponse) -> None:
    """Let a submission's span tell what was accepted."""
    if not span.is_recording():
        return
    span.update_name(f"submit {_name(canvas)}")
    span.set_attributes(
        {
            "messaging.system": "gesso",
            "messaging.operation.name": "submit",
            "messaging.operation.type": "send",
            "messaging.message.conversation_id": response.canvas_id,
            "gesso.canvas.id": response.canvas_id,
            "gesso.canvas.node_count": response.node_count,
        }
    )
    if response.HasField("last"):
        span.set_attribute("gesso.node.id", response.last.node_id)


def _name(canvas: canvas_pb2.Canvas) -> str:
    kind = canvas.WhichOneof("kind") or "canvas"
    return canvas.signature.task if kind == "signature" else kind
