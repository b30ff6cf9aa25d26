"""How long to wait before trying again."""

from __future__ import annotations

import random
from datetime import timedelta

__all__ = ["FIRST", "LONGEST", "backoff", "jittered"]

FIRST = timedelta(seconds=0.1)
LONGEST = timedelta(seconds=5)


def backoff(attempt: int) -> timedelta:
    """Return the longest pause before `attempt`, counting from 1: doubling, from `FIRST` to `LONGEST`.

    Source: capped exponential, as in google/cloud/tasks/v2/queue.proto, RetryConfig.
    """
    doublings = min(attempt - 1, 16)  # more would not fit a span
    return min(FIRST * (1 << doublings), LONGEST)


def jittered(pause: timedelta) -> timedelta:
    """Return a pause between half of `pause` and all of it, by chance."""
    return pause * random.uniform(0.5, 1)  # noqa: S311 - spreads clients, guards nothing
