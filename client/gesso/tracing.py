"""The trace that a submission belongs to: the caller's, by OpenTelemetry's API alone."""

from __future__ import annotations

from typing import NamedTuple

from opentelemetry import trace

__all__ = ["TraceContext", "current_trace"]

STATE_BYTES = 512
"""The most that the contract takes as `tracestate`."""


class TraceContext(NamedTuple):
    """A place in a trace, as the W3C's headers."""

    traceparent: str
    """Empty when there is none."""
    tracestate: str
    """Empty when there is none, or it is too long."""


def current_trace() -> TraceContext:
    """Return the current span's context; empty when there is no valid one."""
    context = trace.get_current_span().get_span_context()
    if not context.is_valid:
        return TraceContext("", "")
    parent = f"00-{context.trace_id:032x}-{context.span_id:016x}-{int(context.trace_flags):02x}"
    state = context.trace_state.to_header()
    return TraceContext(parent, state if len(state.encode()) <= STATE_BYTES else "")
