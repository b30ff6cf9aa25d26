"""What Gesso is to reach beside the others in the same run, and whether it does."""

from __future__ import annotations

from dataclasses import dataclass

from bench.results import LIMITS_SYSTEM, Results

_ITSELF = "itself"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A bound on what one of Gesso's measures is to another measure."""

    text: str
    measure: str
    other_system: str
    other_measure: str
    factor: float
    at_most: bool
    """Whether the ratio may not be over the factor; otherwise it may not be under it."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A target and how it stands."""

    target: Target
    ratio: float | None
    """None when something that it needs was not measured."""

    @property
    def reached(self) -> bool | None:
        """Whether the target is reached. None when that is unknown."""
        if self.ratio is None:
            return None
        if self.target.at_most:
            return self.ratio <= self.target.factor
        return self.ratio >= self.target.factor


def _rate(text: str, measure: str, system: str, factor: float, other: str = "") -> Target:
    return Target(
        text=text, measure=measure, other_system=system, other_measure=other or measure, factor=factor, at_most=False
    )  # fmt: skip


def _time(text: str, measure: str, system: str, factor: float, other: str = "") -> Target:
    return Target(
        text=text, measure=measure, other_system=system, other_measure=other or measure, factor=factor, at_most=True
    )  # fmt: skip


TARGETS = (
    _rate("group: 20 times Celery's rate", "group", "celery", 20),
    _rate("group: 8 times Dramatiq's rate", "group", "dramatiq", 8),
    _rate("group: a quarter of the bare loop's rate", "group", LIMITS_SYSTEM, 0.25, "transitions"),
    _rate("chord: 25 times Celery's rate", "chord", "celery", 25),
    _time("chain: a third of Celery's time a hop", "chain", "celery", 1 / 3),
    _time("one task, p50: 0.7 of Celery's", "call_p50", "celery", 0.7),
    _time("one task, p99: under 3 times its p50", "call_p99", _ITSELF, 3, "call_p50"),
)


def judge(results: Results, system: str) -> list[Verdict]:
    """Return how each target stands with one of Gesso's own systems."""
    verdicts = []
    for target in TARGETS:
        own = results.spread(system, target.measure)
        other_system = system if target.other_system == _ITSELF else target.other_system
        other = results.spread(other_system, target.other_measure)
        verdicts.append(Verdict(target, own.to(other) if own and other else None))
    return verdicts
