"""The span of each attempt: a child of the span that the task was stamped with, and current while the task runs.

A worker without OpenTelemetry's SDK makes none, and only passes on the context of a canvas that somebody traces, so
that what its tasks submit and call stays in the trace. Baggage that the coordinator let pass goes on with or without a
trace.
"""

from __future__ import annotations

from contextvars import Token
from typing import NamedTuple

from opentelemetry import context as contexts
from opentelemetry import trace
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, Status, StatusCode
from opentelemetry.util.types import AttributeValue

from gesso.v1.task_error_pb2 import TaskError
from gesso.v1.worker_service_pb2 import Assignment, Outcome
from gesso_telemetry.stamped import SpanPlace, StampedTracer, attempt_span_id, within

_DEFAULT_QUEUE = "default"
_BAGGAGE = W3CBaggagePropagator()


class Run(NamedTuple):
    """An attempt that a span or a context was made for."""

    span: Span | None
    token: Token[Context]


class RunSpans:
    """Makes the spans of attempts."""

    def __init__(self, worker: str, tracer: StampedTracer | None) -> None:
        """Make them with a tracer; None for none.

        Args:
            worker: The worker's name for people.
            tracer: Is used for nothing else.
        """
        self._worker = worker
        self._tracer = tracer

    def begin(self, assignment: Assignment) -> Run | None:
        """Make the attempt's span and baggage the current ones. None when there is neither."""
        carried = _BAGGAGE.extract({"baggage": assignment.baggage}) if assignment.baggage else None
        if self._tracer is None and not assignment.HasField("sampled"):
            return Run(None, contexts.attach(carried)) if carried is not None else None
        sampled = assignment.sampled or not assignment.HasField("sampled")
        stamped = SpanPlace(assignment.trace_id, assignment.span_id, assignment.tracestate, sampled)
        if self._tracer is None or not sampled:
            return Run(None, contexts.attach(within(stamped, carried)))
        span = self._started(self._tracer, stamped, assignment)
        return Run(span, contexts.attach(trace.set_span_in_context(span, carried)))

    def end(self, run: Run | None, outcome: Outcome) -> None:
        """End the attempt's span with what the attempt ended with."""
        if run is None:
            return
        contexts.detach(run.token)
        if run.span is not None:
            if run.span.is_recording():
                _tell(run.span, outcome)
            run.span.end()

    def _started(self, tracer: StampedTracer, stamped: SpanPlace, assignment: Assignment) -> Span:
        attempt = assignment.token.attempt
        before = (
            (stamped._replace(span_id=attempt_span_id(stamped.span_id, attempt - 1)),) if attempt > 1 else ()
        )
        return tracer.start(
            f"run {assignment.signature.task}",
            stamped._replace(span_id=attempt_span_id(stamped.span_id, attempt)),
            parent=stamped,
            kind=SpanKind.CONSUMER,
            attributes=self._attributes(assignment),
            links=before,
        )

    def _attributes(self, assignment: Assignment) -> dict[str, AttributeValue]:
        token, queue = assignment.token, assignment.signature.options.queue or _DEFAULT_QUEUE
        canvas_id = token.node_id.rpartition("-")[0]
        return {
            "messaging.system": "gesso",
            "messaging.operation.name": "run",
            "messaging.operation.type": "process",
            "messaging.destination.name": queue,
            "messaging.message.id": token.node_id,
            "messaging.message.conversation_id": canvas_id,
            "messaging.consumer.group.name": self._worker.rpartition("/")[0],
            "gesso.canvas.id": canvas_id,
            "gesso.node.id": token.node_id,
            "gesso.task": assignment.signature.task,
            "gesso.queue": queue,
            "gesso.attempt": token.attempt,
            "gesso.worker": self._worker,
        }


def _tell(span: Span, outcome: Outcome) -> None:
    match outcome.WhichOneof("kind"):
        case "error":
            span.set_attribute("gesso.outcome", "failed")
            _tell_error(span, outcome.error)
        case "retry":
            span.set_attribute("gesso.outcome", "retry")
            _tell_error(span, outcome.retry.error)
        case "value":
            span.set_attribute("gesso.outcome", "succeeded")
        case kind:
            span.set_attribute("gesso.outcome", kind or "none")


def _tell_error(span: Span, error: TaskError) -> None:
    """Record an exception: what its author wrote and where it was raised, never the values that it was given."""
    span.set_attribute("error.type", error.type)
    attributes = {"exception.type": error.type, "exception.message": error.message}
    if error.traceback:
        attributes["exception.stacktrace"] = error.traceback
    span.add_event("exception", attributes)
    span.set_status(Status(StatusCode.ERROR, error.type))
