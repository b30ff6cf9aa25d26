"""When a task that failed is run again, where that is said on the signature.

The coordinator keeps to the policy. What a policy means is written here once more for canvases that are run eagerly.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import timedelta
from typing import Any, Final

DEFAULT_MAX_RETRIES: Final = 3
_INITIAL_S, _FACTOR, _LONGEST_S, _JITTER = 1.0, 2.0, 600.0, 1.0
_MOST_DOUBLINGS = 1000
"""A delay that has grown so often is at its longest, or was none to begin with."""


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
    #: Names of the error types that are retried, such as `builtins.OSError`; a class stands for those derived from it,
    #: too. Empty means all. What was killed for its hard time limit is never retried.
    retried_types: tuple[str, ...] = ()
    #: Names of the error types that are never retried, likewise; it wins.
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

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> RetryPolicy:
        """Return the policy that `to_dict` was called on."""
        known: dict[str, Any] = {**plain}
        for name in ("retried_types", "final_types"):
            known[name] = tuple(plain.get(name, ()))
        return cls(**known)

    @property
    def most(self) -> int:
        """How many retries at the most."""
        return DEFAULT_MAX_RETRIES if self.max_retries is None else self.max_retries

    def retries(self, types: Sequence[str]) -> bool:
        """Return whether an error is retried.

        Args:
            types: The names of its class and of those that this derives from.
        """
        if any(name in self.final_types for name in types):
            return False
        return not self.retried_types or any(name in self.retried_types for name in types)

    def delay(self, failures: int) -> float:
        """Return how many seconds to wait after the task has failed so often, from 1 on."""
        initial, longest = _seconds(self.initial_delay, _INITIAL_S), _seconds(self.max_delay, _LONGEST_S)
        factor = _FACTOR if self.factor is None else self.factor
        jitter = _JITTER if self.jitter is None else self.jitter
        try:
            grown = min(longest, initial * factor ** min(failures - 1, _MOST_DOUBLINGS))
        except OverflowError:
            grown = longest if initial else 0.0
        return grown * (1 - jitter * random.random())  # noqa: S311 - jitter, no secret


def _seconds(span: float | timedelta | None, default: float) -> float:
    if span is None:
        return default
    return span.total_seconds() if isinstance(span, timedelta) else span
