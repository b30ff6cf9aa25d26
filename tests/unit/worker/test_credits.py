"""How many tasks a child asks for."""

from __future__ import annotations

import pytest

from gesso_worker.credits import CreditPolicy


def test_nothing_is_taken_ahead_before_a_pace_is_known() -> None:
    """A new child holds as many tasks as it has slots."""
    assert CreditPolicy(slot_count=4).limit() == 4


@pytest.mark.parametrize(
    ("slot_count", "run_seconds", "ahead"),
    [
        (1, 0.0, 128),
        (1, 0.000_01, 128),
        (1, 0.001, 50),
        (1, 0.01, 5),
        (1, 0.049, 1),
        (1, 0.1, 0),
        (10, 0.01, 50),
        (10, 0.001, 128),
        (100, 0.1, 50),
    ],
)
def test_about_50_ms_of_work_is_taken_ahead(slot_count: int, run_seconds: float, ahead: int) -> None:
    """At a steady pace the limit is the slots and 50 ms of work, at most 128 tasks."""
    policy = CreditPolicy(slot_count=slot_count)

    for _ in range(100):
        policy.observe(run_seconds)

    assert policy.limit() == slot_count + ahead


@pytest.mark.parametrize(("run_seconds", "aheads"), [(0.0, [128, 128, 128, 0]), (0.01, [15, 10, 5, 0])])
def test_nothing_is_taken_ahead_for_stuck_slots(run_seconds: float, aheads: list[int]) -> None:
    """Of three slots only those that are quick count; the slots themselves are always asked for."""
    policy = CreditPolicy(slot_count=3)
    policy.observe(run_seconds)

    assert [policy.limit(stuck_count=stuck) - 3 for stuck in range(4)] == aheads


def test_limit_follows_a_change_of_pace() -> None:
    """Quick tasks after slow ones raise the limit again."""
    policy = CreditPolicy(slot_count=1)
    policy.observe(1.0)
    assert policy.limit() == 1

    for _ in range(100):
        policy.observe(0.0)

    assert policy.limit() == 129
