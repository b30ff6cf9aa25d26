"""What a canvas compiles to: nodes and edges, nothing nested.

Nodes are numbered from 0. An edge leads from a node to a run of nodes (first, count, stride): a fan-out of a
million is one edge. Opening edges stand before starting ones, so that a join looks at its control edge before its
inputs.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple, TypeAlias

from gesso_server.plan.tree import Call, Element, Lane, Policy


class Run(NamedTuple):
    """Node indexes in arithmetic progression."""

    first: int
    count: int  # type: ignore[assignment]  # the word of the design, not tuple.count
    stride: int

    @property
    def indexes(self) -> range:
        """The indexes, ascending."""
        return range(self.first, self.first + self.count * self.stride, self.stride)


class Start(NamedTuple):
    """A control edge to tasks of one lane."""

    run: Run
    lane: int
    on_failure: bool = False
    waits: bool = False
    """Whether taking it begins nothing: the tasks begin members that wait for their turn (`Waiting`)."""


class Open(NamedTuple):
    """A control edge to joins."""

    run: Run
    on_failure: bool = False
    waits: bool = False
    """As for `Start`."""


class Arrive(NamedTuple):
    """An edge to a join, as one of its inputs."""

    join: int


class Raise(NamedTuple):
    """An edge on its own failure to nodes that are added when it is taken."""

    template: int


class Stand(NamedTuple):
    """An edge to the node that this one's value, or failure, is to be."""

    replaced: int


Edge: TypeAlias = Start | Open | Arrive | Raise | Stand


class Waiting(NamedTuple):
    """Members of a join that wait for their turn: alike, and one behind the other."""

    count: int  # type: ignore[assignment]  # the word of the design, not tuple.count
    size: int
    """How many nodes each comes to."""
    last: int
    """The last node of the first one."""
    edges: tuple[Start | Open, ...]
    """What begins the first one."""

    def goes_on_with(self, member: Waiting) -> bool:
        """Whether a member is one more of these."""
        by = self.count * self.size
        return (
            member.size == self.size
            and member.last == self.last + by
            and member.edges == tuple(_moved(edge, by) for edge in self.edges)
        )


def _moved(edge: Start | Open, by: int) -> Start | Open:
    return edge._replace(run=edge.run._replace(first=edge.run.first + by))


class Origin(Enum):
    """What kind of node a control edge comes from. The values are the letters that the store's records use."""

    TASK = "t"
    JOIN = "j"
    FAILURE = "f"


class Source(NamedTuple):
    """The node that a node's control edge comes from."""

    index: int  # type: ignore[assignment]  # the word of the design, not tuple.index
    """In a template, -1 for the node that failed."""
    origin: Origin
    takes_value: bool


@dataclass(slots=True)
class TaskNode:
    """A node that runs on a worker."""

    call: Call
    lane: int
    source: Source | None
    group: int | None
    """The join that it begins a member of; None for a task that is no first stage of a member."""
    task_id: str = ""
    """The id that it goes by; empty for its own."""
    edges: list[Edge] = field(default_factory=list)
    member_of: int | None = None
    """The join that a task is a member of whose place this one takes; None for any other."""
    groups: tuple[int, ...] = ()
    """The joins that it stands inside, from the outermost inwards: those that wait for it."""
    brought_by: int | None = None
    """The task that brought it: whose replacement, or a member added by it, it begins."""


@dataclass(slots=True)
class JoinNode:
    """A node that collects its inputs."""

    policy: Policy
    source: Source | None
    group: int | None
    task_id: str = ""
    """The id that it goes by; empty for its own."""
    open_index: int | None = None
    """The number under which it still grows."""
    inputs: tuple[Run, ...] = ()
    """Its inputs in header order."""
    behind: int = 0
    """How many nodes its members come to; they follow it."""
    waiting: tuple[Waiting, ...] = ()
    """Its members, in order, if only so many of them may be under way at one time."""
    edges: list[Edge] = field(default_factory=list)
    links: tuple[Element, ...] = ()
    """Of one that grows and has no member yet: what hangs behind the first one that comes."""
    error_links: tuple[Element, ...] = ()
    """Of one that grows: what hangs behind the failure of those that come."""
    groups: tuple[int, ...] = ()
    """The joins that it stands inside, from the outermost inwards: those that wait for it."""
    brought_by: int | None = None
    """The task that brought it: whose replacement, or a member added by it, it begins."""

    @property
    def total(self) -> int:
        """How many inputs it has."""
        return sum(run.count for run in self.inputs)


Node: TypeAlias = TaskNode | JoinNode


@dataclass(frozen=True, slots=True)
class Template:
    """Nodes that are added when a node fails: the error link of one or of many. Indexes count from 0 within it."""

    nodes: list[Node]
    start: list[Edge]


@dataclass(frozen=True, slots=True)
class Plan:
    """A compiled canvas."""

    base: int
    """The index of its first node."""
    nodes: list[Node]
    lanes: list[Lane]
    start: list[Edge]
    """Edges that are taken when the canvas is accepted."""
    last: int | None
    """The node whose value is the canvas's; None for a canvas of nothing."""
    templates: list[Template]
    first_template: int
    root: int | None
    """The single task that everything begins with, if there is one."""


@dataclass(frozen=True, slots=True)
class Growth:
    """Compiled members that a join gains."""

    base: int
    """The index of the first new node."""
    nodes: list[Node]
    lanes: list[Lane]
    start: list[Edge]
    """Edges that the join's control source gains."""
    templates: list[Template]
    first_template: int
    inputs: tuple[Run, ...]
    """Inputs that the join gains, in order."""
    waiting: tuple[Waiting, ...]
    """The members, in order, if only so many of the join's may be under way at one time."""


def runs(indexes: list[int]) -> tuple[Run, ...]:
    """Return the fewest runs, found greedily, that list `indexes` in their order. They must ascend."""
    found: list[Run] = []
    at = 0
    while at < len(indexes):
        first = indexes[at]
        if at + 1 == len(indexes):
            found.append(Run(first, 1, 1))
            break
        stride = indexes[at + 1] - first
        end = at + 1
        while end + 1 < len(indexes) and indexes[end + 1] - indexes[end] == stride:
            end += 1
        found.append(Run(first, end - at + 1, stride))
        at = end + 1
    return tuple(found)
