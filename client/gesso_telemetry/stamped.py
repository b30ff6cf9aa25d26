"""Spans under ids that were chosen before: a task's span has the id that the task was stamped with.

Of OpenTelemetry only the API is imported. Whether there is an SDK is asked once, at the start: without one there is no
tracer here, and its users do nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from functools import lru_cache
from hashlib import blake2b
from typing import NamedTuple, Self

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Link, NonRecordingSpan, Span, SpanContext, SpanKind, TraceFlags, Tracer
from opentelemetry.trace.span import TraceState
from opentelemetry.util.types import AttributeValue

__all__ = ["SpanPlace", "StampedTracer", "attempt_span_id", "linked", "within"]

_SAMPLED, _UNSAMPLED = TraceFlags(TraceFlags.SAMPLED), TraceFlags(TraceFlags.DEFAULT)


class SpanPlace(NamedTuple):
    """A span, by ids in hexadecimal."""

    trace_id: str
    span_id: str
    tracestate: str = ""
    sampled: bool = True

    def context(self) -> SpanContext:
        """Return it as OpenTelemetry has it, made elsewhere."""
        return SpanContext(
            int(self.trace_id, 16), int(self.span_id, 16), is_remote=True,
            trace_flags=_SAMPLED if self.sampled else _UNSAMPLED, trace_state=_state(self.tracestate),
        )  # fmt: skip


def _state(text: str) -> TraceState | None:
    return TraceState.from_header([text]) if text else None


def attempt_span_id(span_id: str, attempt: int) -> str:
    """Return the id of the span of an attempt at the task that was stamped with `span_id`.

    It can be told without having seen the attempt, so a retry knows what to link to.
    """
    digest = blake2b(f"{span_id}-{attempt}".encode(), digest_size=8).hexdigest()
    return digest if digest.strip("0") else "1".zfill(16)


def within(place: SpanPlace, context: Context | None = None) -> Context:
    """Return a context, by default the current one, whose current span is one that was made elsewhere."""
    return trace.set_span_in_context(NonRecordingSpan(place.context()), context)


def linked(places: Sequence[SpanPlace]) -> list[Link]:
    """Return links to spans."""
    return [Link(place.context()) for place in places]


@lru_cache(maxsize=256)
def _context(parent: SpanPlace | None) -> Context:
    """Return the context of a child, which has nothing else. Kept, since the members of a group have one parent."""
    return within(parent, Context()) if parent is not None else Context()


class _ChosenIds:
    """What an SDK's tracer asks for new ids. In place of its own, and its own where nothing was chosen."""

    def __init__(self) -> None:
        self.next: ContextVar[SpanPlace] = ContextVar("gesso_chosen_span")

    def generate_span_id(self) -> int:
        return int(self.next.get().span_id, 16)

    def generate_trace_id(self) -> int:
        return int(self.next.get().trace_id, 16)

    def is_trace_id_random(self) -> bool:
        return False  # a canvas's id begins with its partition's number


class StampedTracer:
    """Starts spans under chosen ids."""

    def __init__(self, tracer: Tracer, ids: _ChosenIds) -> None:
        self._tracer = tracer
        self._ids = ids

    @classmethod
    def found(cls, scope: str) -> Self | None:
        """Return the tracer of a scope that is used for nothing else; None where no SDK was set up."""
        tracer = trace.get_tracer_provider().get_tracer(scope)
        if not hasattr(tracer, "id_generator"):  # the API's own, which records nothing, or a stranger's
            return None
        ids = _ChosenIds()
        setattr(tracer, "id_generator", ids)  # noqa: B010 - the API's type does not know it, every SDK's tracer has its own
        return cls(tracer, ids)

    def start(
        self,
        name: str,
        place: SpanPlace,
        *,
        parent: SpanPlace | None,
        kind: SpanKind,
        attributes: Mapping[str, AttributeValue],
        links: Sequence[SpanPlace] = (),
        start_ns: int | None = None,
    ) -> Span:
        """Start a span.

        Args:
            name: Of low cardinality.
            place: Its ids.
            parent: The span that it is a child of; None for a root.
            kind: What it is in its trace.
            attributes: What it tells.
            links: Spans that it is linked to.
            start_ns: When it began, in ns of Unix time. None means now.
        """
        token = self._ids.next.set(place)
        try:
            return self._tracer.start_span(
                name, _context(parent), kind, dict(attributes), linked(links),
                start_ns, record_exception=False, set_status_on_exception=False,
            )  # fmt: skip
        finally:
            self._ids.next.reset(token)
