"""What is said of growth."""

from __future__ import annotations

from bench.scale_report import bounds, bounds_table, faults, tables
from bench.scale_run import Outcome, Plan

MB = 1_000_000


def _chord(size: int, seconds: float) -> Outcome:
    return Outcome(
        plan=Plan(kind="chord", size=size), total_s=seconds, handover_s=0.5, call_s=2.0,
        idle={"client": 40 * MB}, submitting={"client": 80 * MB},
    )  # fmt: skip


def test_the_million_is_held_against_the_targets() -> None:
    """Its time, its growth over 10,000, its body and its client."""
    found = {
        each.text: (each.found, each.reached) for each in bounds([_chord(10_000, 1), _chord(1_000_000, 160)])
    }
    assert found == {
        "a chord of 1,000,000 ends within": (160, False),
        "its time a task, to that at 10,000": (1.6, False),
        "its body is handed over after the last member within": (0.5, True),
        "the client, while it streams them, over idle": (40, True),
    }


def test_fewer_members_reach_nothing() -> None:
    """A quick run does not say that the million would do."""
    found = bounds([_chord(10_000, 1)])
    assert {each.reached for each in found} == {None}
    assert "too few to tell" in bounds_table(found)[1]


def test_a_million_that_failed_is_not_passed_over() -> None:
    """The target is unknown, and the reason is told."""
    failed = Outcome(plan=Plan(kind="chord", size=1_000_000), fault="submit: not within 60 s")
    found = bounds([_chord(10_000, 1), failed])
    assert {each.size for each in found} == {1_000_000}
    assert {each.reached for each in found} == {None}
    assert faults([_chord(10_000, 1), failed]) == [
        "chord of 1,000,000, coordinators 1, worker processes 2: submit: not within 60 s"
    ]


def test_each_question_has_its_table() -> None:
    """Those that were not asked have none."""
    echo = Outcome(plan=Plan(kind="echo", size=10, payload=1_000), total_s=0.5, read_s=0.5)
    assert len(tables([_chord(1_000, 1)], [], [], [])) == 3
    [payloads] = tables([], [], [], [echo])
    assert payloads[1].split()[-2:] == ["100,000", "0.01"]


def test_the_processor_is_told_for_a_task() -> None:
    """Of each part, and of all together."""
    taken = {"client": 0.01, "coordinator": 0.06, "worker": 0.05, "store": 0.03}
    [parts] = tables([], [Outcome(plan=Plan(kind="list", size=1_000), processor=taken)], [], [])
    assert parts[1].split()[-5:] == ["10.0", "60.0", "50.0", "30.0", "150"]
