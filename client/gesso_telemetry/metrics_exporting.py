"""The SDK's provider of metrics, with the exporters that were asked for. For the extra `otel` alone."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Sequence
from wsgiref.types import WSGIApplication

from opentelemetry import metrics
from opentelemetry.sdk.metrics.export import MetricReader

from gesso_telemetry.distribution import Distributions
from gesso_telemetry.exporting import made, resource
from gesso_telemetry.readers import Provider, PushReader
from gesso_telemetry.setup import Signal

_LOG = logging.getLogger(__name__)


def export_metrics(names: Sequence[str], service: str, *, page: bool) -> WSGIApplication | None:
    """Make the process's provider of metrics: intervals and temporality as `OTEL_*` says, ended when it exits.

    Args:
        names: Exporters, as `OTEL_METRICS_EXPORTER` names them. `prometheus` means the page: the exporter's
            own port would not have the distributions, and every process of a worker would want it.
        service: The service's name where the environment has none.
        page: Whether there is a page for Prometheus.

    Returns:
        What serves the page.
    """
    distributions = Distributions()
    readers: list[MetricReader] = []
    for name in names:
        if name == "prometheus":
            if not page:
                _LOG.warning("metrics.no_page", extra={"reason": "gesso server --http serves the page"})
        elif (exporter := made(Signal.METRICS, name)) is not None:
            readers.append(PushReader(exporter, distributions))
    served: WSGIApplication | None = None
    if page:
        # Not at the top: workers, which have no page, start sooner without.
        reader = importlib.import_module("gesso_telemetry.page_reader").PageReader(distributions)
        readers.append(reader)
        served = reader.page
    metrics.set_meter_provider(Provider(readers, resource(service), distributions))
    return served
