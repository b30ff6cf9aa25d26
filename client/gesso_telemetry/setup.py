"""OpenTelemetry's SDK, set up for a process of Gesso as the standard `OTEL_*` variables say.

Nothing is imported and nothing done unless an exporter is asked for: `OTEL_TRACES_EXPORTER` or
`OTEL_METRICS_EXPORTER` names one, or one of the endpoints is set; or the process has a page for Prometheus. A program
that has an SDK already (such as `opentelemetry-instrument` gives it) keeps it.
"""

from __future__ import annotations

import importlib
import logging
import os
from collections.abc import Mapping
from enum import Enum
from types import ModuleType
from wsgiref.types import WSGIApplication

from opentelemetry import metrics, trace

from gesso_telemetry.metering import has_sdk

__all__ = ["Signal", "flush", "set_up", "set_up_metrics", "wanted_exporters"]

_LOG = logging.getLogger(__name__)
_FLUSH_MS = 5000


class Signal(Enum):
    """A kind of telemetry, by its word in the variables' names."""

    TRACES = "TRACES"
    METRICS = "METRICS"


def wanted_exporters(environment: Mapping[str, str], signal: Signal) -> list[str]:
    """Return the exporters that the environment asks for, by the names that OpenTelemetry gives them."""
    if _disabled(environment):
        return []
    named = environment.get(f"OTEL_{signal.value}_EXPORTER", "").strip()
    if not named:
        endpoints = ("OTEL_EXPORTER_OTLP_ENDPOINT", f"OTEL_EXPORTER_OTLP_{signal.value}_ENDPOINT")
        named = "otlp" if any(environment.get(name) for name in endpoints) else ""
    return [name for part in named.split(",") if (name := part.strip()) and name != "none"]


def set_up(service: str) -> None:
    """Set the SDK up for spans if the environment asks for it and nobody else has.

    Args:
        service: Name of the service, unless `OTEL_SERVICE_NAME` or `OTEL_RESOURCE_ATTRIBUTES` says another.
    """
    names = wanted_exporters(os.environ, Signal.TRACES)
    if not names or not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
        return
    exporting = _optional("gesso_telemetry.exporting")
    if exporting is not None:
        exporting.export_spans(names, service)


def set_up_metrics(service: str, *, page: bool = False) -> WSGIApplication | None:
    """Set the SDK up for metrics if the environment or a page asks for it and nobody else has.

    Args:
        service: As above.
        page: Whether the process has a page of its metrics for Prometheus, whatever the environment names.

    Returns:
        What serves the page; None where there is none, or it cannot be had.
    """
    names = wanted_exporters(os.environ, Signal.METRICS)
    page = page and not _disabled(os.environ)
    if not (names or page):
        return None
    if has_sdk():
        if page:
            _LOG.warning(
                "metrics.no_page", extra={"reason": "the process was given an SDK, which exports them"}
            )
        return None
    exporting = _optional("gesso_telemetry.metrics_exporting")
    if exporting is None:
        return None
    served: WSGIApplication | None = exporting.export_metrics(names, service, page=page)
    return served


def _optional(module: str) -> ModuleType | None:
    try:
        return importlib.import_module(module)
    except ImportError:
        _LOG.warning(
            "telemetry.unavailable", extra={"reason": "install gesso[otel] to export spans and metrics"}
        )
        return None


def flush() -> None:
    """Send what has not been sent, for a process that is about to end without its exit handlers."""
    for provider in (trace.get_tracer_provider(), metrics.get_meter_provider()):
        force = getattr(provider, "force_flush", None)
        if force is not None:
            force(_FLUSH_MS)


def _disabled(environment: Mapping[str, str]) -> bool:
    return environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
