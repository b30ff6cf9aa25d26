"""When a group counts as done, and how many of its members may run at a time.

    group(tasks, policy=settled(), deadline=30)
    chord(tasks, body, policy=quorum(3), cancel_rest=True)

By default every member must succeed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, TypeAlias


@dataclass(frozen=True, slots=True)
class All:
    """Every member must succeed. The value is the list of theirs."""


@dataclass(frozen=True, slots=True)
class Settled:
    """Every member must end, however it ends. The value is the list of their outcomes."""


@dataclass(frozen=True, slots=True)
class Quorum:
    """A number of members must succeed. The value is the list of the earliest ones', in member order."""

    count: int

    def __post_init__(self) -> None:
        if self.count < 1:
            raise ValueError(f"A quorum is at least 1 member, not {self.count}.")


@dataclass(frozen=True, slots=True)
class First:
    """One member must succeed. The value is that one's."""


Policy: TypeAlias = All | Settled | Quorum | First


def settled() -> Settled:
    """Return the policy that waits for every member's end and keeps their outcomes."""
    return Settled()


def quorum(count: int) -> Quorum:
    """Return the policy that waits for `count` successes, at least 1."""
    return Quorum(count)


def first() -> First:
    """Return the policy that waits for one success."""
    return First()


@dataclass(frozen=True, slots=True, kw_only=True)
class Join:
    """How the values of a group come together."""

    #: What counts as done.
    policy: Policy = field(default_factory=All)
    #: Seconds that it may take from the moment its members may start. None means no limit.
    deadline: float | None = None
    #: Whether members that are no longer needed are cancelled.
    cancel_rest: bool = False
    #: How many members may run at a time. 0 means no limit.
    max_in_flight: int = 0

    def __post_init__(self) -> None:
        if self.deadline is not None and not (math.isfinite(self.deadline) and self.deadline >= 0):
            raise ValueError(f"A deadline is a finite number of seconds from 0 on, not {self.deadline}.")
        if self.max_in_flight < 0:
            raise ValueError(f"max_in_flight is 0 for no limit or a number of members: {self.max_in_flight}.")

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON data, without what is as by default."""
        plain: dict[str, Any] = {}
        match self.policy:
            case All():
                pass
            case Settled():
                plain["policy"] = "settled"
            case Quorum(count):
                plain["policy"] = {"quorum": count}
            case First():
                plain["policy"] = "first"
        if self.deadline is not None:
            plain["deadline"] = self.deadline
        if self.cancel_rest:
            plain["cancel_rest"] = True
        if self.max_in_flight:
            plain["max_in_flight"] = self.max_in_flight
        return plain

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Join:
        """Return what `to_dict` was made from."""
        return cls(
            policy=_policy(plain.get("policy")),
            deadline=plain.get("deadline"),
            cancel_rest=plain.get("cancel_rest", False),
            max_in_flight=plain.get("max_in_flight", 0),
        )


#: Every member must succeed, without any limit.
DEFAULT = Join()


def join_of(
    policy: Policy | None = None,
    deadline: float | timedelta | None = None,
    *,
    cancel_rest: bool = False,
    max_in_flight: int = 0,
) -> Join:
    """Return the join that a group's keyword arguments ask for."""
    if isinstance(deadline, timedelta):
        deadline = deadline.total_seconds()
    return Join(
        policy=All() if policy is None else policy,
        deadline=deadline,
        cancel_rest=cancel_rest,
        max_in_flight=max_in_flight,
    )


def _policy(plain: Any) -> Policy:
    match plain:
        case None:
            return All()
        case "settled":
            return Settled()
        case "first":
            return First()
        case {"quorum": int(count)}:
            return Quorum(count)
        case _:
            raise ValueError(f"There is no join policy {plain!r}.")
