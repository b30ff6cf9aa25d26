"""The page for Prometheus. For the extra `otel` alone, and imported only by a process that has a page."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIEnvironment

from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics.export import AggregationTemporality, MetricsData
from prometheus_client import (
    CollectorRegistry,
    GCCollector,
    PlatformCollector,
    ProcessCollector,
    make_wsgi_app,
)

from gesso_telemetry.distribution import Distributions
from gesso_telemetry.readers import Collected

__all__ = ["PageReader"]


class PageReader(PrometheusMetricReader):
    """Renders a page for Prometheus, with what the process itself takes."""

    def __init__(self, distributions: Distributions) -> None:
        self._distributions = Collected(distributions, AggregationTemporality.CUMULATIVE)
        registry = CollectorRegistry()
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=registry)
        super().__init__(scope_info_enabled=False, registry=registry)
        self._render = make_wsgi_app(registry)
        self._rendering = threading.Lock()

    def page(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Serve the page, one request after the other: the exporter's collector is not made for two at one time."""
        with self._rendering:
            rendered: Iterable[bytes] = self._render(environ, start_response)
            return rendered

    def _receive_metrics(
        self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: object
    ) -> None:
        super()._receive_metrics(self._distributions.beside(metrics_data), timeout_millis, **kwargs)
