"""The SDK's provider of spans, with the exporters that were asked for. For the extra `otel` alone."""

from __future__ import annotations

import logging
import os
import uuid
from collections.abc import Sequence
from functools import cache, cached_property
from importlib.metadata import entry_points
from typing import Any

from opentelemetry import trace
from opentelemetry.sdk.resources import (
    SERVICE_INSTANCE_ID,
    SERVICE_NAME,
    OTELResourceDetector,
    Resource,
)
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from gesso_telemetry.setup import Signal

_LOG = logging.getLogger(__name__)


def export_spans(names: Sequence[str], service: str) -> None:
    """Make the process's provider of spans: sampler, limits and batches as `OTEL_*` says, ended when it exits.

    Args:
        names: Exporters, as `OTEL_TRACES_EXPORTER` names them.
        service: The service's name where the environment has none.
    """
    provider = TracerProvider(resource=resource(service))
    for name in names:
        if (exporter := made(Signal.TRACES, name)) is not None:
            provider.add_span_processor(BatchSpanProcessor(exporter))
    trace.set_tracer_provider(provider)


class _Resource(Resource):
    """A resource that is hashed once: exporters ask for that with every span, and the SDK makes JSON each time."""

    @cached_property
    def _hash(self) -> int:
        return super().__hash__()

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return super().__eq__(other)


def made(signal: Signal, name: str) -> Any:  # noqa: ANN401 - whatever the entry point makes
    """Return what the entry point of an exporter makes; None, and a line in the log, if there is none."""
    found = list(
        entry_points(group=f"opentelemetry_{signal.value.lower()}_exporter", name=_entry_point(signal, name))
    )
    if not found:
        _LOG.warning("telemetry.exporter_unknown", extra={"exporter": name, "signal": signal.value.lower()})
        return None
    return found[0].load()()


@cache
def resource(service: str) -> Resource:
    """Return what all telemetry of the process says of it; processes of one service are told apart."""
    given = OTELResourceDetector().detect().attributes
    own = {SERVICE_NAME: service, SERVICE_INSTANCE_ID: str(uuid.uuid4())}
    found = Resource.create({name: value for name, value in own.items() if name not in given})
    return _Resource(dict(found.attributes), found.schema_url)


def _entry_point(signal: Signal, name: str) -> str:
    """Return the entry point of an exporter; that of `otlp` is chosen by the protocol."""
    if name != "otlp":
        return name
    variables = (f"OTEL_EXPORTER_OTLP_{signal.value}_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
    protocol = next((found for variable in variables if (found := os.environ.get(variable))), "grpc")
    return "otlp_proto_http" if protocol.startswith("http") else "otlp_proto_grpc"
