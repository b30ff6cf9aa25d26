"""What a line of the log says of the current span."""

from __future__ import annotations

from collections.abc import Mapping

from opentelemetry import trace

__all__ = ["span_fields"]


def span_fields() -> Mapping[str, object]:
    """Return the current span's trace and id; nothing where there is none."""
    context = trace.get_current_span().get_span_context()
    if not context.is_valid:
        return {}
    return {"trace_id": f"{context.trace_id:032x}", "span_id": f"{context.span_id:016x}"}
