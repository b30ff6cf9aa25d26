"""The trace that each canvas is in, as its coordinator decides at acceptance.

A submitter that sends a trace context has decided whether its spans are recorded. For one that sends none, the
coordinator's sampler decides, and the coordinator tells the span of the submission itself, so that the canvas's spans
have one root.
"""

from __future__ import annotations

from opentelemetry.trace import Span, SpanKind

from gesso_server.config import Tracing
from gesso_server.ids import CanvasId, Trace, submit_span_id
from gesso_server.plan import Plan
from gesso_server.store.records import telling_joins
from gesso_telemetry.stamped import SpanPlace, StampedTracer


class CanvasTraces:
    """Decides on the traces of the canvases that a coordinator accepts."""

    def __init__(self, tracer: StampedTracer | None, settings: Tracing) -> None:
        """Decide with a tracer; None for a coordinator that tells no spans."""
        self._tracer = tracer
        self._most = settings.group_threshold

    @property
    def on(self) -> bool:
        """Whether any spans are told."""
        return self._tracer is not None

    def begin(
        self, traceparent: str, canvas_id: CanvasId, *, again: Trace | None = None
    ) -> tuple[Trace, Span | None]:
        """Return the trace of a canvas, and the span of its submission, to be ended when it was accepted.

        Args:
            traceparent: What the submitter sent, empty for nothing.
            canvas_id: Its id.
            again: The trace of the canvas that it runs again, to whose submission its own is linked.
        """
        trace = Trace.of(traceparent, canvas_id)
        if self._tracer is None:
            return trace, None
        if trace.parent:
            return trace._replace(told=bool(trace.sampled)), None
        root = submit_span_id(canvas_id)
        span = self._tracer.start(
            "submit", SpanPlace(trace.trace_id, root), parent=None, kind=SpanKind.PRODUCER,
            attributes={
                "messaging.system": "gesso", "messaging.operation.name": "submit",
                "messaging.operation.type": "send", "messaging.message.conversation_id": canvas_id,
                "gesso.canvas.id": canvas_id,
            },
            links=[SpanPlace(again.trace_id, again.parent)] if again is not None and again.told else [],
        )  # fmt: skip
        told = span.is_recording()
        return Trace(trace.trace_id, root, sampled=told, told=told), span

    def telling(self, plan: Plan) -> set[int]:
        """Return the joins of a plan whose spans tell of their members."""
        return telling_joins(plan, self._most) if self.on else set()
