"""What a canvas means, straight from `semantics.md`: the oracle of the property tests.

It knows nothing of plans. It is told how each task that ran ended, and when, and says what must be true of every
task then. Only calls bear links here; links of chains, groups and chords are tested by tables.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from gesso_server.plan import Call, Chain, Chord, Element, Group

Ends: TypeAlias = Mapping[str, tuple[str, int]]
"""For each task that ran: S, F or I, and when it ended."""


@dataclass(frozen=True, slots=True)
class Told:
    """What must be true of one task."""

    state: str
    """S, F (by itself), U (by its upstream) or I."""
    cause: str | None = None
    """The task that failed."""
    chord_error: bool = False
    """Whether the error is a ChordError about the cause."""
    takes: Any = None
    """For a task that ran: the value that it got; None for none."""
    ran: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an element ended."""

    kind: str
    value: Any = None
    cause: str | None = None
    chord_error: bool = False
    failed_join: bool = False
    """Whether it is a join that failed by itself: the tasks directly behind it fail by themselves, too."""
    when: int = -1


_START = Outcome("S")


@dataclass
class Reference:
    """The meaning of one canvas, given how its tasks ended."""

    ends: Ends
    told: dict[str, Told] = field(default_factory=dict)

    def evaluate(self, element: Element) -> Outcome | None:
        """Return how a canvas ends; None for a canvas of nothing. `told` has its tasks then."""
        return self._run(element, _START)

    def _run(self, element: Element, before: Outcome) -> Outcome | None:
        match element:
            case Call():
                return self._call(element, before)
            case Chain():
                return self._chain(element, before)
            case Group():
                return self._fan(element.members, before)
            case Chord():
                joined = self._fan(element.header, before)
                return self._run(element.body, joined) or joined

    def _call(self, call: Call, before: Outcome) -> Outcome:
        name = call.body.decode()
        outcome = self._end(name, call, before)
        for link in call.links:
            self._run(link, outcome)
        return outcome

    def _end(self, name: str, call: Call, before: Outcome) -> Outcome:
        if before.kind == "I":
            self.told[name] = Told("I")
            return Outcome("I", when=before.when)
        if before.kind == "F":
            behind = before.chord_error or before.failed_join
            self.told[name] = Told("F" if before.failed_join else "U", before.cause, behind)
            return Outcome("F", cause=before.cause, chord_error=behind, when=before.when)
        takes = None if call.immutable else before.value
        kind, when = self.ends[name]
        self.told[name] = Told(kind, name if kind == "F" else None, takes=takes, ran=True)
        match kind:
            case "S":
                return Outcome("S", value=[name, takes], when=when)
            case "F":
                return Outcome("F", cause=name, when=when)
            case _:
                return Outcome("I", when=when)

    def _chain(self, chain: Chain, before: Outcome) -> Outcome | None:
        steps = list(_flat(chain))
        now: Outcome | None = None
        for step in steps:
            if isinstance(step, Group):
                members = list(_members(step.members))
                if not members and not _kept(step):
                    continue
                if len(members) == 1 and not _kept(step):
                    now = self._run(members[0], now or before) or now
                    continue
            now = self._run(step, now or before)
        return self._fan((), before) if now is None and steps else now

    def _fan(self, members: tuple[Element, ...], before: Outcome) -> Outcome:
        ends = [end for member in _members(members) if (end := self._run(member, before)) is not None]
        if before.kind != "S":
            behind = before.chord_error or before.failed_join
            return Outcome(before.kind, cause=before.cause, chord_error=behind, when=before.when)
        bad = [end for end in ends if end.kind != "S"]
        if not bad:
            return Outcome(
                "S", value=[end.value for end in ends], when=max([-1, *(end.when for end in ends)])
            )
        first = min(bad, key=lambda end: end.when)
        if first.kind == "I":
            return Outcome("I", when=first.when)
        return Outcome("F", cause=first.cause, failed_join=True, when=first.when)


def _flat(chain: Chain) -> list[Element]:
    found: list[Element] = []
    for step in chain.steps:
        found += _flat(step) if isinstance(step, Chain) else [step]
    return found


def _kept(group: Group) -> bool:
    """A group is kept, too, if one that is unrolled into it is."""
    return group.keep or any(isinstance(member, Group) and _kept(member) for member in group.members)


def _members(members: tuple[Element, ...]) -> list[Element]:
    """A group directly inside is its members; a chain of nothing is no member."""
    found: list[Element] = []
    for member in members:
        if isinstance(member, Group):
            found += _members(member.members)
        elif not (isinstance(member, Chain) and not _flat(member)):
            found.append(member)
    return found
