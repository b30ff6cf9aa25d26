"""The statistics."""

from __future__ import annotations

import pytest

from bench.spread import Spread, percentile


def test_a_spread_has_its_median_and_its_ends() -> None:
    """In whatever order the values came."""
    spread = Spread((3.0, 1.0, 2.0, 10.0))
    assert (spread.median, spread.low, spread.high) == (2.5, 1.0, 10.0)


def test_a_ratio_is_that_of_the_medians() -> None:
    """Twice as much is 2, and to nothing there is no ratio."""
    assert Spread((4.0, 2.0, 100.0)).to(Spread((2.0,))) == 2.0
    assert Spread((4.0,)).to(Spread((0.0,))) is None


def test_there_is_no_spread_of_nothing() -> None:
    """What was not measured has no median."""
    with pytest.raises(ValueError, match="nothing"):
        Spread(())


@pytest.mark.parametrize(("part", "expected"), [(50, 50.0), (99, 99.0), (1, 1.0)])
def test_percentiles_of_a_hundred_and_one_values_are_the_values(part: int, expected: float) -> None:
    """Of 0 to 100 the value at 50 per cent is 50, whatever the order."""
    assert percentile(list(map(float, reversed(range(101)))), part) == pytest.approx(expected)


def test_percentiles_of_one_value_are_that_value() -> None:
    """A single call has a p99."""
    assert percentile([7.0], 99) == 7.0


@pytest.mark.parametrize("part", [0, 100])
def test_the_ends_are_no_percentiles(part: int) -> None:
    """They are the least and the greatest, and have their own names."""
    with pytest.raises(ValueError, match="between 1 and 99"):
        percentile([1.0, 2.0], part)
