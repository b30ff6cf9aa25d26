"""The SDK's provider and reader of metrics, which collect distributions beside. For the extra `otel` alone."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from opentelemetry.sdk.metrics import Histogram as HistogramInstrument
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricExporter,
    MetricReader,
    MetricsData,
    PeriodicExportingMetricReader,
    ScopeMetrics,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from gesso_telemetry.distribution import Distribution, DistributionRow, Distributions

__all__ = ["Collected", "Provider", "PushReader"]


class Provider(MeterProvider):
    """The SDK's provider, with the distributions that its readers collect."""

    def __init__(
        self, readers: Sequence[MetricReader], resource: Resource, distributions: Distributions
    ) -> None:
        """Provide for readers that collect the same distributions."""
        super().__init__(readers, resource)
        self.distributions = distributions


class PushReader(PeriodicExportingMetricReader):
    """Sends metrics with an exporter, again and again."""

    def __init__(self, exporter: MetricExporter, distributions: Distributions) -> None:
        preferred = exporter._preferred_temporality or {}  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
        wanted = preferred.get(HistogramInstrument, AggregationTemporality.CUMULATIVE)
        self._distributions = Collected(distributions, wanted)
        super().__init__(exporter)

    def _receive_metrics(
        self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: object
    ) -> None:
        super()._receive_metrics(self._distributions.beside(metrics_data), timeout_millis, **kwargs)

    def _at_fork_reinit(self) -> None:
        """Send nothing from a process that a task has forked: no gRPC works there, and the numbers are its parent's."""


class Collected:
    """What one reader has collected of distributions."""

    def __init__(self, distributions: Distributions, temporality: AggregationTemporality) -> None:
        self._distributions = distributions
        self._temporality = temporality
        self._begun_ns = time.time_ns()
        self._before: dict[tuple[str, str, tuple[str, ...]], DistributionRow] = {}

    def beside(self, data: MetricsData) -> MetricsData:
        """Return metrics with the distributions among them. Where there is no other metric, nothing is collected."""
        now_ns = time.time_ns()
        added = {
            scope: [self._metric(scope, each, now_ns) for each in found]
            for scope, found in self._distributions.by_scope().items()
        }
        if self._temporality is AggregationTemporality.DELTA:
            self._begun_ns = now_ns
        if not data.resource_metrics:
            return data
        first, *rest = data.resource_metrics
        # One entry for a scope: exporters keep no more.
        known = [
            replace(each, metrics=[*each.metrics, *added.pop(each.scope.name, [])])
            for each in first.scope_metrics
        ]
        new = [
            ScopeMetrics(InstrumentationScope(scope), found, schema_url="") for scope, found in added.items()
        ]
        return MetricsData([replace(first, scope_metrics=[*known, *new]), *rest])

    def _metric(self, scope: str, distribution: Distribution, now_ns: int) -> Metric:
        points = [self._point(scope, distribution, row, now_ns) for row in distribution.rows()]
        return Metric(
            distribution.name,
            distribution.description,
            distribution.unit,
            Histogram(points, self._temporality),
        )

    def _point(
        self, scope: str, distribution: Distribution, row: DistributionRow, now_ns: int
    ) -> HistogramDataPoint:
        buckets, total = row.buckets, row.total
        if self._temporality is AggregationTemporality.DELTA:
            key = scope, distribution.name, tuple(row.attributes.values())
            before = self._before.get(key)
            self._before[key] = row
            if before is not None:
                buckets = [new - old for new, old in zip(row.buckets, before.buckets, strict=True)]
                total = row.total - before.total
        unknown: Any = None  # the least and the greatest are optional in the protocol, if not in the type
        return HistogramDataPoint(
            attributes=dict(row.attributes), start_time_unix_nano=self._begun_ns, time_unix_nano=now_ns,
            count=sum(buckets), sum=total, bucket_counts=buckets, explicit_bounds=distribution.bounds,
            min=unknown, max=unknown,
        )  # fmt: skip
