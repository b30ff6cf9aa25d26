"""An explicit-state checker: it walks through every state that a protocol can reach, breadth first.

A state is a value that can be hashed. A protocol names the steps that lead out of a state, what must be true of every
state, and which states are good ends. Found are

- a state in which something is not true, with the shortest way to it;
- a state from which no good end can be reached any more by steps that are *fair*: such as happen by themselves, not
  faults. Something hangs there, however long one waits.
"""

from __future__ import annotations

import gc
from array import array
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, TypeVar

S = TypeVar("S", bound=Hashable)


class Step(NamedTuple, Generic[S]):
    """One step out of a state."""

    label: str
    fair: bool
    """Whether it happens by itself in the end."""
    state: S


@dataclass(frozen=True, slots=True)
class Counterexample(Generic[S]):
    """How a promise is broken."""

    promise: str
    labels: tuple[str, ...]
    """The steps that lead there."""
    state: S

    def __str__(self) -> str:
        steps = "\n".join(f"  {number:2}. {label}" for number, label in enumerate(self.labels, 1))
        return f"{self.promise}, after {len(self.labels)} steps:\n{steps}\n  {self.state}"


@dataclass(slots=True)
class Checked(Generic[S]):
    """What was found."""

    states: int
    steps: int
    counterexample: Counterexample[S] | None = None


@dataclass(slots=True)
class Checker(Generic[S]):
    """Explores one protocol."""

    steps: Callable[[S], Iterable[Step[S]]]
    broken: Callable[[S], str]
    """Says what is not true of a state; empty when all is well."""
    done: Callable[[S], bool]
    most: int = 5_000_000
    """States after which it gives up, with an error."""
    _numbers: dict[S, int] = field(default_factory=dict)
    _ways: list[tuple[int, str]] = field(default_factory=list)
    """Of each state: the one before, and the step from it."""

    def run(self, initial: S) -> Checked[S]:
        """Explore everything behind a state, or up to the first one in which a promise is broken."""
        gc.disable()  # states have no cycles, and looking for some in all of them takes a quarter of the time
        try:
            return self._run(initial)
        finally:
            gc.enable()

    def _run(self, initial: S) -> Checked[S]:
        states = [initial]
        self._numbers[initial] = 0
        self._ways.append((-1, ""))
        backwards: list[array[int]] = [array("l")]
        good: list[int] = []
        count = 0
        for number, state in enumerate(states):  # it grows
            if promise := self.broken(state):
                return Checked(len(states), count, Counterexample(promise, self._way(number), state))
            if self.done(state):
                good.append(number)
            for label, fair, after in self.steps(state):
                count += 1
                found = self._numbers.setdefault(after, len(states))
                if found == len(states):
                    if found > self.most:
                        message = f"more than {self.most} states"
                        raise MemoryError(message)
                    states.append(after)
                    self._ways.append((number, label))
                    backwards.append(array("l"))
                if fair:
                    backwards[found].append(number)
        stuck = _first_without(good, backwards)
        if stuck is None:
            return Checked(len(states), count)
        hanging = Counterexample(
            "nothing leads to the canvas's end any more", self._way(stuck), states[stuck]
        )
        return Checked(len(states), count, hanging)

    def _way(self, number: int) -> tuple[str, ...]:
        labels = []
        while number > 0:
            number, label = self._ways[number]
            labels.append(label)
        return tuple(reversed(labels))


def _first_without(good: list[int], backwards: list[array[int]]) -> int | None:
    """Return the first state from which no good one can be reached."""
    reaches = bytearray(len(backwards))
    for number in good:
        reaches[number] = 1
    while good:
        for before in backwards[good.pop()]:
            if not reaches[before]:
                reaches[before] = 1
                good.append(before)
    stuck = reaches.find(0)
    return None if stuck < 0 else stuck
