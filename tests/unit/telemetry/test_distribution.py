"""Distributions count as the SDK's own histograms do, and are collected with them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from opentelemetry.sdk.metrics import Histogram, MeterProvider
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    HistogramDataPoint,
    InMemoryMetricReader,
    MetricExporter,
    MetricExportResult,
    MetricsData,
)
from opentelemetry.sdk.resources import Resource

from gesso_telemetry.distribution import Distributions
from gesso_telemetry.metering import Kind, Metering, Metric
from gesso_telemetry.readers import Provider, PushReader

METRIC = Metric(
    name="took", kind=Kind.HISTOGRAM, unit="s", text="How long it took", labels=("of",), bounds=(1, 2, 5)
)
VALUES = [0, 0.5, 1, 1.5, 2, 5, 5.1, 100]


class Kept(MetricExporter):
    """Keeps what it is to send."""

    def __init__(self, temporality: AggregationTemporality) -> None:
        super().__init__(preferred_temporality={Histogram: temporality})
        self.delta = temporality is AggregationTemporality.DELTA
        self.sent: list[MetricsData] = []

    def export(
        self, metrics_data: MetricsData, timeout_millis: float = 0, **kwargs: Any
    ) -> MetricExportResult:
        """Keep it."""
        del timeout_millis, kwargs
        self.sent.append(metrics_data)
        return MetricExportResult.SUCCESS

    def force_flush(self, timeout_millis: float = 0) -> bool:
        """Have nothing to send."""
        del timeout_millis
        return True

    def shutdown(self, timeout_millis: float = 0, **kwargs: Any) -> None:
        """Have nothing to end."""
        del timeout_millis, kwargs


def points(data: MetricsData | None) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    """Return count, sum, buckets and bounds of each histogram of METRIC, by its attributes."""
    assert data is not None
    return {
        tuple((point.attributes or {}).items()): (
            point.count, point.sum, list(point.bucket_counts), list(point.explicit_bounds),
        )
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        if metric.name == METRIC.name
        for point in metric.data.data_points
        if isinstance(point, HistogramDataPoint)
    }  # fmt: skip


@pytest.fixture
def exporter(request: pytest.FixtureRequest) -> Kept:
    """What is sent, with the temporality that the test names."""
    return Kept(request.param)


def metering_for(exporter: Kept) -> tuple[Metering, Provider]:
    """Return a metering whose metrics go there when they are flushed."""
    distributions = Distributions()
    provider = Provider([PushReader(exporter, distributions)], Resource({}), distributions)
    metering = Metering(provider.get_meter("test"), distributions)
    metering.observe(Metric(name="one", kind=Kind.GAUGE, unit="1", text="One"), lambda: [(1, {})])
    return metering, provider


def test_values_fall_into_the_buckets_of_the_sdk() -> None:
    """Added in one go, or handed to an SDK one by one, values come out the same."""
    reader = InMemoryMetricReader()
    theirs = MeterProvider([reader], shutdown_on_exit=False)
    recorded = Metering(theirs.get_meter("test"), None).distribution(METRIC)
    exporter = Kept(AggregationTemporality.CUMULATIVE)
    metering, ours = metering_for(exporter)
    counted = metering.distribution(METRIC)

    for distribution in (recorded, counted):
        distribution.add(VALUES, ("a",))
        distribution.add([3], ("b",))
    ours.force_flush()

    assert points(exporter.sent[-1]) == points(reader.get_metrics_data())
    ours.shutdown()
    theirs.shutdown()


@pytest.mark.parametrize(
    ("exporter", "counts"),
    [(AggregationTemporality.CUMULATIVE, [2, 3, 3]), (AggregationTemporality.DELTA, [2, 1, 0])],
    indirect=["exporter"],
)
def test_sent_is_the_whole_or_the_difference(exporter: Kept, counts: list[int]) -> None:
    """Each time all that came since the start, or what came since the last time, as the exporter prefers."""
    metering, provider = metering_for(exporter)
    distribution = metering.distribution(METRIC)

    for values in ([1.0, 3.0], [2.0], []):
        distribution.add(values, ("a",))
        provider.force_flush()

    sent = [points(data)[(("of", "a"),)] for data in exporter.sent]
    assert [count for count, *_ in sent] == counts
    assert [sum(buckets) for _, _, buckets, _ in sent] == counts
    assert sum(total for _, total, *_ in sent) == (6.0 if exporter.delta else 16.0)
    provider.shutdown()


def test_values_of_many_threads_are_all_counted() -> None:
    """Nothing is lost between threads."""
    exporter = Kept(AggregationTemporality.CUMULATIVE)
    metering, provider = metering_for(exporter)
    distribution = metering.distribution(METRIC)

    with ThreadPoolExecutor(8) as pool:
        for _ in range(800):
            pool.submit(distribution.add, [1.0] * 10, ("a",))

    ((_, buckets, total),) = distribution.rows()
    assert (sum(buckets), total) == (8000, 8000)
    provider.shutdown()
