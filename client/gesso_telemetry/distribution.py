"""How values are distributed: a histogram to which the values of a whole frame are added at one time.

The SDK's own takes one value a call, under a lock and with a dictionary of attributes, some microseconds each: for what
happens some ten thousand times a second that is too much. This one counts into buckets; readers of ours
(`readers.py`) put its counts among the SDK's as they collect. To an SDK that somebody else has set up it hands each
value.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from opentelemetry.metrics import Histogram

__all__ = ["Distribution", "DistributionRow", "Distributions", "RecordedDistribution"]


class DistributionRow(NamedTuple):
    """The counts of values with the same attributes."""

    attributes: Mapping[str, str]
    buckets: Sequence[int]
    """As many as there are bounds, and one more: values up to the bound, above the one before."""
    total: float
    """All values added up."""


@dataclass(slots=True)
class _Row:
    buckets: list[int]
    total: float = 0.0


class Distribution:
    """Counts values into buckets, from any thread."""

    def __init__(
        self, name: str, unit: str, description: str, bounds: Sequence[float], labels: Sequence[str]
    ) -> None:
        """Have no values.

        Args:
            name: As OpenTelemetry names metrics.
            unit: As UCUM writes it.
            description: A sentence.
            bounds: Upper bounds of the buckets, ascending; one without bound follows.
            labels: Names of the attributes.
        """
        self.name, self.unit, self.description = name, unit, description
        self.bounds = tuple(bounds)
        self._labels = tuple(labels)
        self._rows: dict[tuple[str, ...], _Row] = {}
        self._lock = threading.Lock()
        if not labels:
            self._rows[()] = _Row([0] * (len(self.bounds) + 1))

    def add(self, values: Iterable[float], key: tuple[str, ...] = ()) -> None:
        """Add values.

        Args:
            values: They are not negative.
            key: Their attributes, a text for each label. All that come are kept, so they are to be few.
        """
        with self._lock:
            row = self._row(key)
            for value in values:
                row.buckets[bisect_left(self.bounds, value)] += 1
                row.total += value

    def add_many(self, value: float, count: int) -> None:
        """Add the same value `count` times, to a distribution without labels."""
        with self._lock:
            row = self._row(())
            row.buckets[bisect_left(self.bounds, value)] += count
            row.total += value * count

    def rows(self) -> list[DistributionRow]:
        """Return what has come so far."""
        with self._lock:
            return [
                DistributionRow(dict(zip(self._labels, key, strict=True)), tuple(row.buckets), row.total)
                for key, row in self._rows.items()
            ]

    def _row(self, key: tuple[str, ...]) -> _Row:
        row = self._rows.get(key)
        if row is None:
            row = self._rows[key] = _Row([0] * (len(self.bounds) + 1))
        return row


class RecordedDistribution(Distribution):
    """Hands each value to a histogram of the API."""

    def record_to(self, histogram: Histogram) -> None:
        """Hand values to `histogram` from now on."""
        self._histogram = histogram

    def add(self, values: Iterable[float], key: tuple[str, ...] = ()) -> None:
        """Add values."""
        attributes = dict(zip(self._labels, key, strict=True))
        for value in values:
            self._histogram.record(value, attributes)

    def add_many(self, value: float, count: int) -> None:
        """Add the same value `count` times."""
        self.add([value] * count)


class Distributions:
    """The distributions of a process, by scope."""

    def __init__(self) -> None:
        self._found: list[tuple[str, Distribution]] = []

    def add(self, scope: str, distribution: Distribution) -> None:
        """Take one in."""
        self._found.append((scope, distribution))

    def by_scope(self) -> dict[str, list[Distribution]]:
        """Return all, by the scope that they are of."""
        found: dict[str, list[Distribution]] = {}
        for scope, distribution in self._found:
            found.setdefault(scope, []).append(distribution)
        return found
