"""The SDK's provider with the exporters that were asked for. Importable only where the extra `otel` is installed."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from functools import cached_property
from importlib.metadata import entry_points

from opentelemetry import trace
from opentelemetry.sdk.resources import SERVICE_NAME, OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

_LOG = logging.getLogger(__name__)
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")


def export_to(names: Sequence[str], service: str) -> None:
    """Make the process's provider: sampler, limits and batches as `OTEL_*` says, ended when the process exits.

    Args:
        names: Exporters, as `OTEL_TRACES_EXPORTER` names them.
        service: The service's name where the environment has none.
    """
    provider = TracerProvider(resource=_resource(service))
    for name in names:
        found = list(entry_points(group="opentelemetry_traces_exporter", name=_entry_point(name)))
        if not found:
            _LOG.warning("tracing.exporter_unknown", extra={"exporter": name})
            continue
        provider.add_span_processor(BatchSpanProcessor(found[0].load()()))
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


def _resource(service: str) -> Resource:
    given = OTELResourceDetector().detect().attributes
    made = Resource.create({} if SERVICE_NAME in given else {SERVICE_NAME: service})
    return _Resource(dict(made.attributes), made.schema_url)


def _entry_point(name: str) -> str:
    """Return the entry point of an exporter; that of `otlp` is chosen by the protocol."""
    if name != "otlp":
        return name
    protocol = next((found for variable in _PROTOCOLS if (found := os.environ.get(variable))), "grpc")
    return "otlp_proto_http" if protocol.startswith("http") else "otlp_proto_grpc"
