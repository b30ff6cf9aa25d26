"""Several measurements of one thing: their median and range, and what two such are to each other."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Spread:
    """Measurements of one thing, at least one."""

    values: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.values:
            raise ValueError("There is no spread of nothing.")

    @property
    def median(self) -> float:
        """The median."""
        return statistics.median(self.values)

    @property
    def low(self) -> float:
        """The least."""
        return min(self.values)

    @property
    def high(self) -> float:
        """The greatest."""
        return max(self.values)

    def to(self, other: Spread) -> float | None:
        """Return how often the other's median goes into this one's. None when that is 0."""
        return self.median / other.median if other.median else None


def percentile(values: Sequence[float], part: int) -> float:
    """Return the value that `part` per cent of the values are below, between two of them if need be.

    Args:
        values: At least one, in any order.
        part: From 1 to 99.
    """
    if not 1 <= part <= 99:  # noqa: PLR2004 - the hundred is its name
        raise ValueError("A percentile lies between 1 and 99.")
    if len(values) == 1:
        return values[0]
    return statistics.quantiles(values, n=100, method="inclusive")[part - 1]
