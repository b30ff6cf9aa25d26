"""Waits between attempts."""

from __future__ import annotations

import random
from datetime import timedelta

from gesso_worker.backoff import Backoff


def test_waits_double_up_to_the_longest() -> None:
    """Each is by chance between half and all of its step, and a success begins anew."""
    backoff = Backoff(first=timedelta(seconds=1), longest=timedelta(seconds=5), chance=random.Random(1))  # noqa: S311

    waits = [backoff.wait_seconds() for _ in range(6)]
    backoff.reset()
    first = backoff.wait_seconds()

    for wait, step in zip([*waits, first], [1, 2, 4, 5, 5, 5, 1], strict=True):
        assert step / 2 <= wait <= step
    assert len(set(waits)) == 6
