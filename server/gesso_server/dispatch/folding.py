"""Which nodes of a canvas a watch shows, and how the others are counted.

A group with many members is folded: it is shown, and how many of its members are in which state, but nothing inside it
is. What is inside is told by the joins around a node, as the compiler noted them, and by the runs of nodes that belong
to the group; what is set free by something inside, such as an error link, is inside as well. To count, the letter of
each node's state is kept: a byte for each node of the canvas.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from gesso_server.plan import Run
from gesso_server.store.calls import Looked
from gesso_server.store.records import (
    Place,
    Record,
    State,
    grows,
    owned_runs,
    parse_join_body,
    parse_record,
    parse_task_body,
)

MOST_FAILURES = 5
"""Failed members of a group that are named."""

_FAILED = frozenset({State.FAILED, State.FAILED_UPSTREAM, State.DEAD, State.REVOKED, State.EXPIRED})


@dataclass(frozen=True, slots=True)
class GroupCounts:
    """How the members of a folded group stand."""

    index: int
    counts: Mapping[State, int]
    failures: tuple[int, ...]
    """The first members that did not end well, by index."""


@dataclass(slots=True)
class _Group:
    inputs: tuple[Run, ...] = ()
    firsts: list[int] = field(default_factory=list)
    counts: Counter[State] = field(default_factory=Counter)
    failures: list[int] = field(default_factory=list)

    def has(self, index: int) -> bool:
        """Whether a node is one of the group's inputs."""
        at = bisect_right(self.firsts, index) - 1
        return at >= 0 and index in self.inputs[at].indexes

    def added(self, inputs: tuple[Run, ...]) -> Iterator[int]:
        """Take over what the inputs are now; return the new ones. They are added at the end."""
        known = sum(run.count for run in self.inputs)
        self.inputs = inputs
        self.firsts = [run.first for run in inputs]
        for run in inputs:
            yield from run.indexes[min(known, run.count) :]
            known = max(0, known - run.count)


class Ranges:
    """Runs of nodes, each inside one group."""

    def __init__(self) -> None:
        self._firsts: list[int] = []
        self._ends: list[tuple[int, int]] = []
        """Of each run, the last node and the group."""

    def group_of(self, index: int) -> int | None:
        """Return the group that a node is inside."""
        at = bisect_right(self._firsts, index) - 1
        if at < 0 or self._ends[at][0] < index:
            return None
        return self._ends[at][1]

    def add(self, first: int, last: int, group: int) -> None:
        """Add a run of nodes inside a group, also those of them that were inside another."""
        at = bisect_right(self._firsts, first) - 1
        if at >= 0 and self._ends[at][1] == group and first <= self._ends[at][0] + 1:
            self._ends[at] = (max(last, self._ends[at][0]), group)
        else:
            at += 1
            self._firsts.insert(at, first)
            self._ends.insert(at, (last, group))
        while at + 1 < len(self._firsts) and self._firsts[at + 1] <= self._ends[at][0] + 1:
            if self._firsts[at + 1] > self._ends[at][0] and self._ends[at + 1][1] != group:
                break
            self._ends[at] = (max(self._ends[at][0], self._ends[at + 1][0]), group)
            del self._firsts[at + 1], self._ends[at + 1]

    def pairs(self, most: int) -> list[tuple[int, int]]:
        """Return first and last of runs in order, at most so many."""
        return [(first, end[0]) for first, end in zip(self._firsts[:most], self._ends[:most], strict=True)]


class Folding:
    """What of one canvas is shown, and the counts of what is not."""

    def __init__(self, limit: int, expanded: Collection[int] = ()) -> None:
        """Know nothing of the canvas yet.

        Args:
            limit: Groups of more members are folded, and those that still grow.
            expanded: Indexes of groups that are not.
        """
        self.ranges = Ranges()
        self._limit = limit
        self._expanded = frozenset(expanded)
        self._groups: dict[int, _Group] = {}
        self._letters = bytearray()
        self._changed: set[int] = set()

    def take(self, index: int, looked: Looked, *, due: bool) -> bool:
        """Take note of a node as it stands; return whether it is shown.

        Args:
            index: Which node.
            looked: As it stands.
            due: Whether it is to be shown at all; else only what is in it is of use.
        """
        record = parse_record(looked.record)
        group = self._around(index, looked, record)
        if group is not None:
            if self.ranges.group_of(index) is None:
                self.ranges.add(index, index, group)
            if due:
                self.count(index, record.state)
            return False
        if record.join and (index in self._groups or self._folds(index, record, looked.record)):
            self._fold(index, looked, record)
        return due

    def count(self, index: int, state: State) -> None:
        """Take note of the state of a node inside a group."""
        group_index = self.ranges.group_of(index)
        group = None if group_index is None else self._groups.get(group_index)
        before = self._exchange(index, state)
        if group_index is None or group is None or before is state or not group.has(index):
            return
        if before is not None:
            group.counts[before] -= 1
        self._add(group_index, group, index, state)

    def changed(self) -> list[GroupCounts]:
        """Return the groups whose counts have changed since this was asked last."""
        changed, self._changed = self._changed, set()
        return [
            GroupCounts(index, +self._groups[index].counts, tuple(self._groups[index].failures))
            for index in sorted(changed)
        ]

    def _around(self, index: int, looked: Looked, record: Record) -> int | None:
        """Return the outermost folded group that a node is inside."""
        place = _place(looked, record)
        for join in place.groups:
            if join in self._groups:
                return join
        group = self.ranges.group_of(index)
        if group is None and record.source is not None:
            group = self.ranges.group_of(record.source)
        return group

    def _folds(self, index: int, record: Record, text: str) -> bool:
        return index not in self._expanded and (record.total > self._limit or grows(text))

    def _fold(self, index: int, looked: Looked, record: Record) -> None:
        group = self._groups.get(index)
        if group is None:
            group = self._groups[index] = _Group()
            self._changed.add(index)
        for first, last in owned_runs(index, looked.record):
            self.ranges.add(first, last, index)
        for member in group.added(parse_join_body(looked.body, record.base).inputs):
            state = self._letter(member)
            if state is not None:
                self._add(index, group, member, state)

    def _add(self, group_index: int, group: _Group, index: int, state: State) -> None:
        group.counts[state] += 1
        if state in _FAILED:
            insort(group.failures, index)
            del group.failures[MOST_FAILURES:]
        self._changed.add(group_index)

    def _letter(self, index: int) -> State | None:
        letter = self._letters[index] if index < len(self._letters) else 0
        return State(chr(letter)) if letter else None

    def _exchange(self, index: int, state: State) -> State | None:
        before = self._letter(index)
        if index >= len(self._letters):
            self._letters.extend(bytes(index + 1 - len(self._letters)))
        self._letters[index] = ord(state)
        return before


def _place(looked: Looked, record: Record) -> Place:
    if record.join:
        return parse_join_body(looked.body, record.base).place
    return parse_task_body(looked.body, record.base).place
