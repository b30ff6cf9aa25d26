"""A picture as a tree of rows: the steps of a strand one below the other, the members of a group below it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from gesso.cli.drawing.looks import look
from gesso.cli.drawing.picture import Box, Picture, Step, Strand

__all__ = ["Row", "text_rows"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the tree."""

    label: str
    """The branch and the name."""
    facts: str = ""
    """Sign, state and duration."""
    style: str = ""
    """The colour of the facts."""


def text_rows(picture: Picture) -> list[Row]:
    """Return a picture as rows, whose labels are equally wide."""
    steps = [step for strand in picture.strands for step in strand]
    rows = list(_rows(steps, ""))
    width = max((len(row.label) for row in rows), default=0)
    return [Row(row.label.ljust(width), row.facts, row.style) for row in rows]


def _rows(steps: Sequence[Step], stem: str) -> Iterator[Row]:
    for step, branch, below in _branches(steps, stem):
        yield _row(f"{branch}{step.box.name}", step.box)
        yield from _inside(step, below)


def _inside(step: Step, stem: str) -> Iterator[Row]:
    strands = [*((strand, "") for strand in step.members), *((strand, "link: ") for strand in step.links)]
    for (strand, word), branch, below in _branches(strands, stem):
        yield from _strand(strand, f"{branch}{word}", below)


def _strand(strand: Strand, branch: str, below: str) -> Iterator[Row]:
    """Yield a strand in one place of the tree: one step as it is, several below a row for the chain."""
    if len(strand) == 1:
        yield _row(f"{branch}{strand[0].box.name}", strand[0].box)
        yield from _inside(strand[0], below)
        return
    yield Row(f"{branch}chain of {len(strand)}")
    yield from _rows(strand, below)


def _row(label: str, box: Box) -> Row:
    looks = look(box.state)
    return Row(label, f"{looks.sign} {box.facts}", looks.style)


def _branches(items: Iterable[T], stem: str) -> Iterator[tuple[T, str, str]]:
    """Yield each item with what is drawn before it, and before what is below it."""
    listed = list(items)
    for place, item in enumerate(listed, 1):
        last = place == len(listed)
        yield item, stem + ("└── " if last else "├── "), stem + ("    " if last else "│   ")
