"""From seconds to figures, and from figures to verdicts."""

from __future__ import annotations

import pytest

from bench.results import Results
from bench.targets import judge
from bench.workloads import WORKLOADS


@pytest.mark.parametrize(
    ("workload", "seconds", "key", "value"),
    [
        ("group", [2.0], "group", 5_000.0),
        ("chain", [1.0], "chain", 5.0),
        ("chains", [3.0], "chains", 100.0),
        ("call", [0.001, 0.002, 0.003], "call_p50", 2.0),
    ],
)
def test_seconds_become_rates_and_times(workload: str, seconds: list[float], key: str, value: float) -> None:
    """A rate counts every task, a time is in milliseconds."""
    results = Results(["gesso"], {each.key: each.size for each in WORKLOADS})
    results.add("gesso", workload, seconds)
    spread = results.spread("gesso", key)
    assert spread is not None
    assert spread.median == pytest.approx(value)


def test_a_workload_that_failed_once_has_no_figure(results: Results) -> None:
    """The times that went well are not quoted, and the reason is kept."""
    assert results.spread("dramatiq", "chord") is None
    assert results.fault("dramatiq", "chord") == "no <callback>"
    assert results.fault("gesso", "chord") == ""


def test_a_system_that_broke_has_its_reason_where_nothing_was_measured(results: Results) -> None:
    """What was measured before stands."""
    results.faults["dramatiq"] = "the client ended"
    assert results.fault("dramatiq", "group") == ""
    assert (
        Results(["celery"], {}, faults={"celery": "not installed"}).fault("celery", "group")
        == "not installed"
    )


def test_targets_are_judged_by_the_medians(results: Results) -> None:
    """Ten times Celery's rate is not twenty; a tenth of its time is less than a third."""
    judged = {
        verdict.target.text: (round(verdict.ratio or 0, 3), verdict.reached)
        for verdict in judge(results, "gesso")
    }
    assert {
        "group: 20 times Celery's rate": (10, False),
        "group: a quarter of the bare loop's rate": (0.5, True),
        "chain: a third of Celery's time a hop": (0.1, True),
    }.items() <= judged.items()


def test_a_target_without_its_peer_is_unknown() -> None:
    """It is neither reached nor missed."""
    assert {verdict.reached for verdict in judge(Results(["gesso"], {}), "gesso")} == {None}
