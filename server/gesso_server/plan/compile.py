"""From tree to plan. Pure: no clock, no ids, no I/O.

The tree is first brought to stages (`stages.py`); then each stage becomes nodes, in order, and is hung behind the
one before it. A fan's members are laid out one after the other, so that members of one shape lie at equal
distances and everything about them is a run.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from gesso_server.plan.errors import CanvasTooLargeError, DuplicateIdError
from gesso_server.plan.plan import (
    Arrive,
    Edge,
    Growth,
    JoinNode,
    Node,
    Open,
    Origin,
    Plan,
    Raise,
    Run,
    Source,
    Start,
    TaskNode,
    Template,
    Waiting,
    runs,
)
from gesso_server.plan.stages import Fan, Stage, Stages, coming, stages
from gesso_server.plan.tree import Call, Counts, Element, Lane

TEMPLATE_LIMIT = 256
"""Nodes that one error link may come to: they are all added by one call to the store."""


@dataclass(frozen=True, slots=True)
class Room:
    """Where compiled nodes come to stand in a canvas that lives."""

    base: int
    """The index of the first one."""
    templates: int
    """The number of the first template."""
    lanes: Mapping[Lane, int]
    """The number of each lane."""
    groups: tuple[int, ...] = ()
    """The joins that they stand inside, from the outermost inwards."""


_NEW = Room(0, 0, {})


def compile_canvas(element: Element, *, node_limit: int, room: Room = _NEW) -> Plan:
    """Compile a canvas.

    Args:
        element: The canvas.
        node_limit: How many nodes it may come to.
        room: Where it comes to stand; by default it is a canvas of its own.

    Returns:
        The plan. Without nodes for a canvas of nothing.

    Raises:
        CanvasTooLargeError: If it comes to more nodes.
        DuplicateIdError: If two nodes have one id.
    """
    shared = _Shared(node_limit, room)
    compiler = _Compiler(shared, room.base)
    sequence = stages(element)
    last = compiler.sequence(sequence, None, None, room.groups)
    root = room.base if sequence and isinstance(sequence[0], Call) else None
    start = compiler.start_edges()
    return Plan(
        room.base, compiler.nodes, list(shared.lanes), start, last, shared.finish(), room.templates, root
    )  # fmt: skip


def compile_growth(
    members: Iterable[Element], join: JoinNode, index: int, *, node_limit: int, room: Room = _NEW
) -> Growth:
    """Compile members that a join gains.

    Args:
        members: What comes behind the members it has.
        join: The join, with what is to hang behind the members.
        index: The join's index.
        node_limit: How many nodes the members may come to.
        room: Where they come to stand.

    Raises:
        CanvasTooLargeError: If they come to more nodes.
        DuplicateIdError: If two of them have one id.
    """
    shared = _Shared(node_limit, room)
    compiler = _Compiler(shared, room.base)
    sequences = coming(members, join.links, join.error_links)
    inputs, waiting = compiler.members(sequences, join, index)
    start = compiler.edges_behind(join.source)
    return Growth(
        room.base, compiler.nodes, list(shared.lanes), start, shared.finish(), room.templates, inputs, waiting
    )


class _Begun:
    """The first nodes behind one control edge: tasks by lane, and joins, outermost first."""

    __slots__ = ("joins", "tasks", "waiting")

    def __init__(self) -> None:
        self.tasks: dict[int, list[int]] = {}
        self.joins: list[int] = []
        self.waiting: _Begun | None = None
        """Those that begin when their turn comes."""

    def edges(self) -> list[Edge]:
        later = self.waiting
        opened: list[Edge] = [*self._opened(), *(later._opened(waits=True) if later else ())]  # noqa: SLF001  its own kind
        return [*opened, *self._started(), *(later._started(waits=True) if later else ())]  # noqa: SLF001

    def begin(self) -> tuple[Start | Open, ...]:
        """Return the edges that begin something when they are taken."""
        return (*self._opened(), *self._started())

    def postpone(self, member: _Begun) -> None:
        """Take in what begins a member whose turn is to come."""
        later = self.waiting = self.waiting or _Begun()
        for begun in filter(None, (member, member.waiting)):
            later.joins += begun.joins
            for lane, indexes in begun.tasks.items():
                later.tasks.setdefault(lane, []).extend(indexes)

    def _opened(self, *, waits: bool = False) -> Iterator[Open]:
        return (Open(run, waits=waits) for run in runs(self.joins))

    def _started(self, *, waits: bool = False) -> Iterator[Start]:
        return (
            Start(run, lane, waits=waits) for lane, indexes in self.tasks.items() for run in runs(indexes)
        )


class _Shared:
    """What a canvas and its templates have in common."""

    def __init__(self, node_limit: int, room: Room) -> None:
        self.lanes = dict(room.lanes)
        self._left = node_limit
        self._limit = node_limit
        self._ids: set[str] = set()
        self._base = room.templates
        self._numbers: dict[Element, int] = {}
        self._templates: dict[int, Template] = {}
        self._numbered: dict[int, tuple[int, Element]] = {}

    def lane(self, lane: Lane) -> int:
        return self.lanes.setdefault(lane, len(self.lanes))

    def count(self, task_id: str) -> None:
        self._left -= 1
        if self._left < 0:
            raise CanvasTooLargeError(self._limit)
        if task_id:
            if task_id in self._ids:
                raise DuplicateIdError(task_id)
            self._ids.add(task_id)

    def template(self, element: Element) -> int:
        """Return the number of the template of an error link; equal links share one."""
        # The same object hangs behind every member of a large group: it is hashed once.
        known = self._numbered.get(id(element))
        if known is not None:
            return known[0]
        number = self._numbers.get(element)
        if number is None:
            number = self._numbers[element] = self._base + len(self._numbers)
            compiler = _Compiler(self, 0)
            compiler.sequence(stages(element), Source(-1, Origin.FAILURE, takes_value=True), None, ())
            if len(compiler.nodes) > TEMPLATE_LIMIT:
                raise CanvasTooLargeError(TEMPLATE_LIMIT)
            self._templates[number] = Template(compiler.nodes, compiler.start_edges())
        self._numbered[id(element)] = (number, element)
        return number

    def finish(self) -> list[Template]:
        return [self._templates[number] for number in sorted(self._templates)]


class _Compiler:
    def __init__(self, shared: _Shared, base: int) -> None:
        self.nodes: list[Node] = []
        self._shared = shared
        self._base = base
        self._begun: dict[int, _Begun] = {}
        """What begins behind each node; -1 is the start."""

    def start_edges(self) -> list[Edge]:
        """Return the edges of the start, having given every node its own."""
        for index, begun in self._begun.items():
            if index >= self._base:
                self.nodes[index - self._base].edges[:0] = begun.edges()
        return self._begun[-1].edges() if -1 in self._begun else []

    def edges_behind(self, source: Source | None) -> list[Edge]:
        """Return the edges behind a node outside, having given every node inside its own."""
        self.start_edges()
        begun = self._begun.get(_key(source))
        return begun.edges() if begun else []

    def sequence(
        self, sequence: Stages, source: Source | None, group: int | None, inside: tuple[int, ...]
    ) -> int | None:
        """Add stages one behind the other; return the last one's index, None for no stage.

        Args:
            sequence: The stages.
            source: What the first one stands behind.
            group: The join that they are a member of.
            inside: The joins that they stand inside.
        """
        last = None
        before: Stage | None = None
        for stage in sequence:
            if last is not None:
                origin = Origin.TASK if isinstance(before, Call) else Origin.JOIN
                source, group = Source(last, origin, takes_value=True), None
            last = self._stage(stage, source, group, inside)
            before = stage
        return last

    def members(
        self, sequences: Iterable[Stages], join: JoinNode, index: int
    ) -> tuple[tuple[Run, ...], tuple[Waiting, ...]]:
        """Add the members of a join; return its inputs, and the members if they wait for their turn."""
        lasts: list[int] = []
        inside = (*join.groups, index)
        waiting: list[Waiting] = []
        arrive = Arrive(index)
        for sequence in sequences:
            last = (
                self._later(sequence, join.source, inside, waiting)
                if join.policy.max_in_flight
                else self.sequence(sequence, join.source, index, inside)
            )
            if last is not None:
                self.nodes[last - self._base].edges.append(arrive)
                lasts.append(last)
        return runs(lasts), tuple(waiting)

    def _later(
        self, sequence: Stages, source: Source | None, inside: tuple[int, ...], waiting: list[Waiting]
    ) -> int | None:
        """Add a member that waits for its turn. Otherwise as `sequence`."""
        begun, key, size = self._behind(source), _key(source), len(self.nodes)
        own = self._begun[key] = _Begun()
        last = self.sequence(sequence, source, inside[-1], inside)
        self._begun[key] = begun
        begun.postpone(own)
        if last is not None:
            member = Waiting(1, len(self.nodes) - size, last, own.begin())
            if waiting and waiting[-1].goes_on_with(member):
                waiting[-1] = waiting[-1]._replace(count=waiting[-1].count + 1)
            else:
                waiting.append(member)
        return last

    def _stage(self, stage: Stage, source: Source | None, group: int | None, inside: tuple[int, ...]) -> int:
        if isinstance(stage, Call):
            return self._call(stage, source, group, inside)
        return self._fan(stage, source, group, inside)

    def _add(self, node: Node) -> int:
        self._shared.count(node.task_id)
        self.nodes.append(node)
        return self._base + len(self.nodes) - 1

    def _behind(self, source: Source | None) -> _Begun:
        key = _key(source)
        begun = self._begun.get(key)
        if begun is None:
            begun = self._begun[key] = _Begun()
        return begun

    def _call(self, call: Call, source: Source | None, group: int | None, inside: tuple[int, ...]) -> int:
        lane = self._shared.lane(call.lane)
        if source is not None and call.immutable:
            source = source._replace(takes_value=False)
        node = TaskNode(call, lane, source, group, call.task_id, groups=inside)
        index = self._add(node)
        self._behind(source).tasks.setdefault(lane, []).append(index)
        if call.links:
            for link in dict.fromkeys(call.links):
                # No join waits for a link, so it stands inside none.
                self.sequence(stages(link), Source(index, Origin.TASK, takes_value=True), None, ())
        if call.error_links:
            node.edges += [Raise(self._shared.template(link)) for link in dict.fromkeys(call.error_links)]
        return index

    def _fan(self, fan: Fan, source: Source | None, group: int | None, inside: tuple[int, ...]) -> int:
        join = JoinNode(fan.policy, source, group, fan.task_id, fan.open_index, groups=inside)
        join.links, join.error_links = fan.links, fan.error_links
        index = self._add(join)
        self._behind(source).joins.append(index)
        join.inputs, join.waiting = self.members(fan.members, join, index)
        join.behind = self._base + len(self.nodes) - index - 1
        return index


def _key(source: Source | None) -> int:
    return -1 if source is None else source.index


def need(join: JoinNode) -> int:
    """Return how many arrivals a join needs; -1 while it still grows and needs all of them."""
    if join.policy.counts is Counts.QUORUM:
        return join.policy.need
    return join.total if join.open_index is None else -1
