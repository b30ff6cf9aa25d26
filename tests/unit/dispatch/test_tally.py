"""What a coordinator counts of a call: what was applied, whatever else was said."""

from __future__ import annotations

import pytest

from gesso_server.dispatch import metrics
from gesso_server.dispatch.tally import OTHER, Spread, Tally
from gesso_server.store.calls import Deeds, Duties, Exchanged, Frame, Reported, TokenRef
from gesso_telemetry.distribution import Distribution
from gesso_telemetry.metering import Metric

TOKEN = TokenRef("0" * 32, 0, 1, "0")


def counted(metric: Metric) -> Distribution:
    """Return a distribution that nobody collects."""
    return Distribution(metric.name, metric.unit, metric.text, metric.bounds, metric.labels)


@pytest.fixture
def spread() -> Spread:
    """Distributions without values."""
    return Spread(
        queued=counted(metrics.QUEUED), ran=counted(metrics.RAN), canvases=counted(metrics.TOOK),
        calls=counted(metrics.CALLS), reports=counted(metrics.REPORTS), grants=counted(metrics.GRANTS),
    )  # fmt: skip


@pytest.fixture
def tally(spread: Spread) -> Tally:
    """A tally that has seen nothing."""
    return Tally(spread)


def reported(kind: str, error: str = "", seconds: float | None = 1.0) -> Reported:
    """Return a report."""
    return Reported(TOKEN, kind, b"", error=error, run_seconds=seconds)


def answered(answers: str) -> Exchanged:
    """Return an answer to as many started, returned and reported tasks."""
    return Exchanged("O", answers, [], {}, False, Duties())  # noqa: FBT003 - as the call has it


def test_only_what_was_applied_is_an_attempt(tally: Tally, spread: Spread) -> None:
    """Duplicates and stale reports are refused ones, and a state that a task set for itself is no end."""
    frame = Frame(
        started=[TOKEN],
        returned=[TOKEN],
        reported=[reported("v"), reported("e", "E"), reported("s", seconds=None), reported("v")],
    )

    tally.settled(frame, answered("ASADAD"))

    assert tally.attempts == {("succeeded", ""): 1}
    assert tally.refused == {"stale": 1, "duplicate": 2}
    assert [sum(row.buckets) for row in spread.ran.rows()] == [1]


def test_failed_attempts_are_told_apart_by_type(tally: Tally) -> None:
    """Retried or not, a failed attempt is one."""
    tally.settled(
        Frame(reported=[reported("y", "E"), reported("e", "E"), reported("e", "F")]), answered("AAA")
    )

    assert tally.attempts == {("failed", "E"): 2, ("failed", "F"): 1}


def test_types_of_errors_are_a_hundred_at_most(tally: Tally) -> None:
    """A worker that reports ever new types makes no more series; types that were met before go on being told."""
    for number in range(1000):
        tally.settled(Frame(reported=[reported("e", f"E{number}"), reported("e", "E1")]), answered("AA"))

    assert len(tally.attempts) == 101
    assert tally.attempts["failed", OTHER] == 900
    assert tally.attempts["failed", "E1"] == 1001


def test_deeds_of_calls_add_up(tally: Tally, spread: Spread) -> None:
    """A run of tasks that waited together is one number of the answer, and as many values."""
    for _ in range(2):
        tally.note(Deeds([b"S", 3, b"grant", 500], [20, 499, 7000, 1], [1500]))

    assert tally.deeds == {"S": 6, "grant": 1000}
    ((_, buckets, total),) = spread.queued.rows()
    assert sum(buckets) == 1000
    assert total == pytest.approx(2 * (499 * 0.02 + 7))
    assert [row.total for row in spread.canvases.rows()] == [3.0]
