"""When a task that failed is run again, where that is said on the signature."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import timedelta
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """Bounds and growth of a task's retries: `add.s(1).set(retry=RetryPolicy(max_retries=5))`.

    What is None is as the coordinator has it by default.
    """

    #: How many times at the most, from 0 to 10,000. None means 3.
    max_retries: int | None = None
    #: The delay before the first retry, in seconds or as a timedelta. None means 1 s.
    initial_delay: float | timedelta | None = None
    #: What each delay is of the one before, at least 1. None means 2.
    factor: float | None = None
    #: The longest delay, in seconds or as a timedelta. None means 10 min.
    max_delay: float | timedelta | None = None
    #: The part of each delay that is drawn by chance, from 0 to 1. None means 1.
    jitter: float | None = None
    #: Names of the error types that are retried, such as `builtins.OSError`. Empty means all.
    retried_types: tuple[str, ...] = ()
    #: Names of the error types that are never retried; it wins.
    final_types: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return what is set as JSON data, delays in seconds."""
        plain: dict[str, Any] = {}
        for each in fields(self):
            value = getattr(self, each.name)
            if isinstance(value, timedelta):
                value = value.total_seconds()
            elif isinstance(value, tuple):
                value = list(value) or None
            if value is not None:
                plain[each.name] = value
        return plain
