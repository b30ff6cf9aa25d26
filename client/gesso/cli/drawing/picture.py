"""What is drawn: strands of steps, of which some are groups of strands; and the same as boxes with edges.

A step starts when the one before it in its strand has ended. The members of a group start with the step before
the group, and the group ends with the last step of each.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeAlias

__all__ = ["Box", "Edge", "Flow", "Picture", "Step", "Strand", "flow", "span_text"]

_SECOND = timedelta(seconds=1)
_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A node, or a large group as a whole."""

    id: str
    """Id of the node; of the join, for a group."""
    name: str
    """What to call it, such as `tasks.add`; of a large group also how many they are."""
    state: str
    """In words, lower case."""
    took: timedelta | None = None
    """How long it ran. None while it has not ended, and when it never ran."""
    counts: Mapping[str, int] = field(default_factory=dict)
    """Of a group drawn as one box: how many members are in which state. Empty for any other."""

    @property
    def facts(self) -> str:
        """How it stands, and how long it took: `succeeded, 1.5 ms`."""
        counted = ", ".join(f"{count} {state}" for state, count in self.counts.items())
        return ", ".join(part for part in (counted or self.state, span_text(self.took)) if part)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A box in its strand."""

    box: Box
    members: tuple[Strand, ...] = ()
    """Of a group whose members are drawn; none of them is empty."""
    links: tuple[Strand, ...] = ()
    """What is set free with its value beside the step behind it; none of them is empty."""


Strand: TypeAlias = tuple[Step, ...]
"""Steps, the first one first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A canvas as it is drawn."""

    title: str
    strands: tuple[Strand, ...]
    """The canvas itself, then what is not known to belong to a step. None of them is empty."""
    note: str = ""
    """What is not in the picture, as a sentence. Empty when everything is."""


@dataclass(frozen=True, slots=True)
class Edge:
    """From a box to one that needs it, by their ids."""

    source: str
    target: str
    link: bool = False


@dataclass(frozen=True, slots=True)
class Flow:
    """Boxes and edges. The edges have no circle."""

    boxes: Sequence[Box]
    """In the order of the tree; ids are unique."""
    edges: Sequence[Edge]


def flow(picture: Picture) -> Flow:
    """Return a picture as boxes and edges."""
    boxes: list[Box] = []
    edges: list[Edge] = []
    for strand in picture.strands:
        for each in _flow(strand, None):
            if isinstance(each, Box):
                boxes.append(each)
            else:
                edges.append(each)
    return Flow(boxes, edges)


def span_text(span: timedelta | None) -> str:
    """Return a span in the unit that suits it; empty for none."""
    if span is None:
        return ""
    if span < _SECOND:
        milliseconds = span / timedelta(milliseconds=1)
        return f"{milliseconds:.{1 if milliseconds >= 1 else 2}f} ms"
    if span < _MINUTE:
        return f"{span / _SECOND:.2f} s"
    minutes, rest = divmod(span, _MINUTE)
    return f"{minutes} min {rest // _SECOND} s"


def _flow(strand: Strand, before: str | None, *, link: bool = False) -> Iterator[Box | Edge]:
    """Yield the boxes and edges of a strand behind a box."""
    for step in strand:
        target = step.box.id
        for member in step.members:
            yield from _flow(member, before, link=link)
            yield Edge(member[-1].box.id, target)
        yield step.box
        if before is not None and not step.members:
            yield Edge(before, target, link)
        for linked in step.links:
            yield from _flow(linked, target, link=True)
        before, link = target, False
