"""The metrics of one part of a process, through OpenTelemetry's API.

What counts is a plain number of its owner; it is read when somebody collects. So counting costs an addition. Whether
there is an SDK is asked once, at the start: without one there is no metering, and its users do nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final, Self, TypeAlias

from opentelemetry import metrics
from opentelemetry.metrics import CallbackOptions, Meter, Observation

from gesso_telemetry.distribution import Distribution, Distributions, RecordedDistribution

__all__ = ["SECONDS", "Kind", "Metering", "Metric", "Points", "Read", "has_sdk"]

SECONDS: Final = (
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1,
    2.5,
    5,
    10,
    30,
    60,
    300,
    1800,
    3600,
)
"""Bounds of histograms of what tasks take, the same for whoever tells them: so they can be laid beside each other."""

Points: TypeAlias = Iterable[tuple[float, Mapping[str, str]]]
"""Values and their attributes."""

Read: TypeAlias = Callable[[], Points]
"""Returns the values of a metric, from any thread."""


class Kind(Enum):
    """What a metric's values are."""

    COUNTER = "counter"
    """They only grow."""
    SUM = "up-down counter"
    """They stand for now, and it makes sense to add them up."""
    GAUGE = "gauge"
    """They stand for now."""
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A metric, as its documentation tells of it."""

    name: str
    kind: Kind
    unit: str
    """As UCUM writes it."""
    text: str
    """What it says, a sentence without the full stop."""
    labels: tuple[str, ...] = ()
    """Its attributes."""
    bounds: tuple[float, ...] = ()
    """Upper bounds of a histogram's buckets."""


class Metering:
    """Makes the metrics of one scope."""

    def __init__(self, meter: Meter, distributions: Distributions | None) -> None:
        """Make them with a meter.

        Args:
            meter: Of the scope.
            distributions: Are collected beside the SDK's metrics; None where they are not.
        """
        self._meter = meter
        self._distributions = distributions

    @classmethod
    def found(cls, scope: str) -> Self | None:
        """Return the metering of a scope; None where no SDK was set up."""
        if not has_sdk():
            return None
        provider = metrics.get_meter_provider()
        distributions = getattr(provider, "distributions", None)
        kept = distributions if isinstance(distributions, Distributions) else None
        return cls(provider.get_meter(scope), kept)

    def observe(self, metric: Metric, read: Read) -> None:
        """Let a metric that is no histogram be read whenever somebody collects."""

        def observed(_options: CallbackOptions) -> Iterable[Observation]:
            return [Observation(value, dict(attributes)) for value, attributes in read()]

        make = {
            Kind.COUNTER: self._meter.create_observable_counter,
            Kind.SUM: self._meter.create_observable_up_down_counter,
            Kind.GAUGE: self._meter.create_observable_gauge,
        }[metric.kind]
        make(metric.name, [observed], metric.unit, metric.text)

    def distribution(self, metric: Metric) -> Distribution:
        """Make a histogram."""
        if self._distributions is not None:
            made = Distribution(metric.name, metric.unit, metric.text, metric.bounds, metric.labels)
            self._distributions.add(self._meter.name, made)
            return made
        recorded = RecordedDistribution(metric.name, metric.unit, metric.text, metric.bounds, metric.labels)
        recorded.record_to(
            self._meter.create_histogram(
                metric.name, metric.unit, metric.text, explicit_bucket_boundaries_advisory=list(metric.bounds)
            )
        )
        return recorded


def has_sdk() -> bool:
    """Whether the process has an SDK for metrics: the API's own providers have nothing to flush."""
    return hasattr(metrics.get_meter_provider(), "force_flush")
