"""Limits of rate and concurrency, as people write them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from fractions import Fraction
from typing import Final

from gesso.v1 import limit_pb2
from gesso.v1 import operations_service_pb2 as pb

__all__ = ["Limit"]

_PERIODS: Final = {"s": timedelta(seconds=1), "m": timedelta(minutes=1), "h": timedelta(hours=1)}
_NONE: Final = (0, _PERIODS["s"])
_RATE = re.compile(r"(\d{1,7}(?:\.\d{1,6})?)\s*(?:/\s*([smh]))?", re.ASCII)
_MILLISECOND = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """A limit that holds over all workers together."""

    key: str
    """A task's name, or a `concurrency_key`."""
    rate: str | float | None = None
    """How many tasks may be handed to workers: `'10/s'`, `'10/m'`, `'10/h'`, or a number for as many a second. None and
    0 mean any number."""
    concurrency: int | None = None
    """How many tasks workers may hold at one time. None and 0 mean any number."""
    declared: bool = False
    """Whether it came with the task's code."""

    def __post_init__(self) -> None:
        _parsed(self.rate)
        _check_count(self.concurrency)

    def __bool__(self) -> bool:
        """Whether it limits anything."""
        return bool(self.concurrency or _parsed(self.rate)[0])

    def write(self, out: limit_pb2.Limit | pb.SetLimitRequest) -> None:
        """Write it as protobuf."""
        out.key = self.key
        out.concurrency_count = self.concurrency or 0
        count, period = _parsed(self.rate)
        if count:
            out.rate_count = count
            out.rate_period.FromTimedelta(period)

    @classmethod
    def read(cls, message: limit_pb2.Limit) -> Limit:
        """Read it from protobuf."""
        period = message.rate_period.ToTimedelta() if message.HasField("rate_period") else _PERIODS["s"]
        return cls(
            key=message.key, rate=_text(message.rate_count, period) if message.rate_count else None,
            concurrency=message.concurrency_count or None, declared=message.declared,
        )  # fmt: skip


def _check_count(count: object) -> None:
    if count is None:
        return
    if isinstance(count, bool) or not isinstance(count, int):
        raise TypeError(f"A concurrency limit is a whole number, not {count!r}.")
    if count < 0:
        raise ValueError(f"A concurrency limit is not negative, as {count} is.")


def _parsed(rate: object) -> tuple[int, timedelta]:
    """Return count and period; a count of 0 for no limit.

    Raises:
        TypeError: If it is neither a text nor a number.
        ValueError: If it is not a rate.
    """
    if rate is None:
        return _NONE
    if isinstance(rate, bool) or not isinstance(rate, (str, int, float)):
        raise TypeError(f"A rate is a text such as '10/m' or a number, not {rate!r}.")
    found = _RATE.fullmatch(str(rate).strip())
    if found is None:
        raise ValueError(f"A rate is written '10/s', '10/m' or '10/h', not {rate!r}.")
    number, period = Fraction(found[1]), _PERIODS[found[2] or "s"]
    if not number:
        return _NONE
    # Half a task a second is one in two seconds.
    return number.numerator, round(period / _MILLISECOND * number.denominator) * _MILLISECOND


def _text(count: int, period: timedelta) -> str:
    # In the largest unit that the period is a multiple of.
    unit = next((unit for unit, length in reversed(_PERIODS.items()) if not period % length), "s")
    return f"{count * (_PERIODS[unit] / period):g}/{unit}"
