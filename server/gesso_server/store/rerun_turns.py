"""Members of joins with a limit, of a canvas that is run again: which of them begin with their turn, and how.

The list of members that wait is made anew, from what is run again: `scripts/lib/turns.lua` has its format. A member may
begin in its middle, where what failed of it is; it is under way from its turn until its last node has ended either way.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from gesso_server.plan import Open, Start, Waiting, runs
from gesso_server.store.records import Record

_MOST = re.compile(r"f(\d+)\.?\d*")
_CANCELLED = re.compile(r"c\d+")


class Again(NamedTuple):
    """What is run again of a canvas."""

    nodes: Mapping[int, Record]
    """Everything that did not succeed."""
    found: AbstractSet[int]
    """What of it is run again."""
    inputs: Mapping[int, Sequence[int]]
    """By join, those of its inputs that did not succeed."""
    standing: Mapping[int, int]
    """By replaced task, the last node of its replacement."""
    lanes: Mapping[int, int]
    """Of the tasks that are run again."""


def is_limited(timing: str) -> bool:
    """Return whether only so many members of a join may be under way, by its record's timing."""
    return _MOST.search(timing) is not None


def unopened(timing: str) -> str:
    """Return the timing that a join with a limit had before it was opened."""
    return _MOST.sub(r"f\1", timing)


def unneeded(timing: str) -> str:
    """Return the timing of a join that has ended and whose members are to begin all the same."""
    return _CANCELLED.sub("", timing)


class Turns:
    """What waits for its turn when a canvas is run again."""

    def __init__(self, again: Again, limited: Iterable[int]) -> None:
        """Find it.

        Args:
            again: What is run again.
            limited: All joins with a limit, those that are taken over, too.
        """
        self._again = again
        self._limited = frozenset(limited)
        self.waiting: dict[int, list[Waiting]] = {}
        """By join, its members, in order."""
        self.begun: set[int] = set()
        """Nodes that begin with the turn of a member, not with the canvas or what stands before them."""
        for join in self._limited:
            members = list(self._members(join))
            if members:
                self.waiting[join] = list(_gathered(members))

    def _members(self, join: int) -> Iterator[Waiting]:
        for last in sorted(self._again.inputs.get(join, ())):
            first = sorted(self._first(join, last)) if last in self._again.found else []
            if first:
                self.begun.update(first)
                yield Waiting(1, 1, last, tuple(self._edges(first)))

    def _first(self, join: int, last: int) -> Iterator[int]:
        """Yield the nodes that a member begins with: those of members of limited joins inside it are with these."""
        again, stack, seen = self._again, [last], set[int]()
        before = self._source_of(join)
        while stack:
            index = stack.pop()
            if index in seen or index not in again.found:
                continue
            seen.add(index)
            if index in again.standing:
                stack.append(again.standing[index])
                continue
            if index not in self._limited:
                stack += again.inputs.get(index, ())
            source = again.nodes[index].source
            if source is not None and source in again.found and source != before:
                stack.append(source)
            else:
                yield index

    def _source_of(self, join: int) -> int | None:
        """Return what a join stands behind, if that is run again: its members stand there, too."""
        record = self._again.nodes.get(join)
        return record.source if record is not None else None

    def _edges(self, first: list[int]) -> Iterator[Open | Start]:
        opened = [index for index in first if self._again.nodes[index].join]
        yield from (Open(run) for run in runs(opened))
        lanes: dict[int, list[int]] = defaultdict(list)
        for index in first:
            if not self._again.nodes[index].join:
                lanes[self._again.lanes[index]].append(index)
        for lane, indexes in lanes.items():
            yield from (Start(run, lane) for run in runs(indexes))


def _gathered(members: list[Waiting]) -> Iterator[Waiting]:
    """Yield members that are alike, and equally far from each other, as one."""
    found = members[0]
    for member in members[1:]:
        size = member.last - found.last if found.count == 1 else found.size
        alike = found._replace(size=size)
        if size > 0 and alike.goes_on_with(member._replace(size=size)):
            found = alike._replace(count=found.count + 1)
        else:
            yield found
            found = member
    yield found
