"""Whose turn it is in a canvas that is run again: members of joins of which only so many may be under way.

A member of such a join is not started with the canvas, but waits in the join's list (see scripts/lib/turns.lua), as
one entry with everything that it begins with: of what it consists of, the nodes behind which nothing is run again.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from gesso_server.plan import Origin
from gesso_server.store.records import Record

_LIMITED = re.compile(r"f\d")
_BUSY = re.compile(r"(f\d+)\.\d+")


class Turn(NamedTuple):
    """A member that waits."""

    join: int
    starts: tuple[int, ...]
    """The nodes that it begins with: joins first."""
    last: int


@dataclass(frozen=True, slots=True)
class Waiting:
    """Finds the members that wait."""

    nodes: Mapping[int, Record]
    timings: Mapping[int, str]
    again: Collection[int]
    inputs: Mapping[int, Sequence[int]]
    standing: Mapping[int, int]
    """By replaced task, the last node of its replacement."""

    def turns(self) -> Iterator[Turn]:
        """Yield the members that wait, those of each join in order."""
        for join in sorted(self.again):
            if self._limited(join):
                for last in sorted(self.inputs.get(join, ())):
                    starts = self._starts(last, self.nodes[join].source)
                    if starts:
                        yield Turn(join, starts, last)

    def _limited(self, index: int) -> bool:
        return self.nodes[index].join and _LIMITED.search(self.timings[index]) is not None

    def _starts(self, last: int, outside: int | None) -> tuple[int, ...]:
        """Return what a member begins with; `outside` is the node that its join stands behind."""
        found: list[int] = []
        seen: set[int] = set()
        stack = [last]
        while stack:
            index = stack.pop()
            if index in seen or index not in self.again:
                continue
            seen.add(index)
            node = self.nodes[index]
            if self._behind_a_member(node, outside):
                stack.append(node.source or 0)
            elif index not in self.standing:
                found.append(index)
            if not self._limited(index):
                stack += self.inputs.get(index, ())
            if index in self.standing:
                stack.append(self.standing[index])
        return tuple(sorted(found, key=lambda index: (not self.nodes[index].join, index)))

    def _behind_a_member(self, node: Record, outside: int | None) -> bool:
        return (
            node.source not in {None, outside}
            and node.source in self.again
            and node.origin is not Origin.FAILURE
        )


def unopened(timing: str) -> str:
    """Return a join's timing as before it was opened."""
    return _BUSY.sub(r"\1", timing.lstrip("l"))
