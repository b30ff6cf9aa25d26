"""OpenTelemetry's SDK, set up for a process of Gesso as the standard `OTEL_*` variables say.

Nothing is imported and nothing done unless an exporter is asked for: `OTEL_TRACES_EXPORTER` names one, or one of the
endpoints is set. A program that has an SDK already (such as `opentelemetry-instrument` gives it) keeps it.
"""

from __future__ import annotations

import importlib
import logging
import os
from collections.abc import Mapping

from opentelemetry import trace

__all__ = ["flush", "set_up", "wanted_exporters"]

_LOG = logging.getLogger(__name__)
_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_FLUSH_MS = 5000


def wanted_exporters(environment: Mapping[str, str]) -> list[str]:
    """Return the exporters of spans that the environment asks for, by the names that OpenTelemetry gives them."""
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return []
    named = environment.get("OTEL_TRACES_EXPORTER", "").strip()
    if not named:
        named = "otlp" if any(environment.get(name) for name in _ENDPOINTS) else ""
    return [name for part in named.split(",") if (name := part.strip()) and name != "none"]


def set_up(service: str) -> None:
    """Set the SDK up if the environment asks for it and nobody else has.

    Args:
        service: Name of the service, unless `OTEL_SERVICE_NAME` or `OTEL_RESOURCE_ATTRIBUTES` says another.
    """
    names = wanted_exporters(os.environ)
    if not names or not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
        return
    try:
        exporting = importlib.import_module("gesso_telemetry.exporting")
    except ImportError:
        _LOG.warning("tracing.unavailable", extra={"reason": "install gesso[otel] to export spans"})
        return
    exporting.export_to(names, service)


def flush() -> None:
    """Send what has not been sent, for a process that is about to end without its exit handlers."""
    force = getattr(trace.get_tracer_provider(), "force_flush", None)
    if force is not None:
        force(_FLUSH_MS)
