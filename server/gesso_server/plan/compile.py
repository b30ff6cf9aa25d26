"""From tree to plan. Pure: no clock, no ids, no I/O.

The tree is first brought to stages (`stages.py`); then each stage becomes nodes, in order, and is hung behind the
one before it. A fan's members are laid out one after the other, so that members of one shape lie at equal
distances and everything about them is a run.
"""

from __future__ import annotations

from gesso_server.plan.errors import CanvasTooLargeError
from gesso_server.plan.plan import (
    Arrive,
    Edge,
    JoinNode,
    Node,
    Open,
    Origin,
    Plan,
    Source,
    Start,
    TaskNode,
    runs,
)
from gesso_server.plan.stages import Fan, Stage, Stages, stages
from gesso_server.plan.tree import Call, Counts, Element, Lane


def compile_canvas(element: Element, *, node_limit: int) -> Plan:
    """Compile a canvas.

    Args:
        element: The canvas.
        node_limit: How many nodes it may come to.

    Returns:
        The plan. Without nodes for a canvas of nothing.

    Raises:
        CanvasTooLargeError: If it comes to more nodes.
    """
    compiler = _Compiler(node_limit)
    sequence = stages(element)
    last = compiler.sequence(sequence, None, None)
    root = 0 if sequence and isinstance(sequence[0], Call) else None
    return Plan(compiler.nodes, list(compiler.lanes), compiler.start_edges(), last, root)


class _Begun:
    """The first nodes behind one control edge: tasks by lane, and joins, outermost first."""

    __slots__ = ("joins", "tasks")

    def __init__(self) -> None:
        self.tasks: dict[int, list[int]] = {}
        self.joins: list[int] = []

    def edges(self) -> list[Edge]:
        opened: list[Edge] = [Open(run) for run in runs(self.joins)]
        return opened + [
            Start(run, lane) for lane, indexes in self.tasks.items() for run in runs(indexes)
        ]


class _Compiler:
    def __init__(self, node_limit: int) -> None:
        self.nodes: list[Node] = []
        self.lanes: dict[Lane, int] = {}
        self._limit = node_limit
        self._begun: dict[int, _Begun] = {}
        """What begins behind each node; -1 is the start."""

    def start_edges(self) -> list[Edge]:
        """Return the edges of the start, having given every node its own."""
        for index, begun in self._begun.items():
            if index >= 0:
                node = self.nodes[index]
                node.edges[:0] = begun.edges()
        return self._begun[-1].edges() if -1 in self._begun else []

    def sequence(self, sequence: Stages, source: Source | None, group: int | None) -> int | None:
        """Add stages one behind the other; return the last one's index, None for no stage."""
        last = None
        for stage in sequence:
            last = self._stage(stage, source, group)
            origin = Origin.TASK if isinstance(stage, Call) else Origin.JOIN
            source, group = Source(last, origin, takes_value=True), None
        return last

    def _stage(self, stage: Stage, source: Source | None, group: int | None) -> int:
        return self._call(stage, source, group) if isinstance(stage, Call) else self._fan(stage, source, group)

    def _add(self, node: Node) -> int:
        index = len(self.nodes)
        if index >= self._limit:
            raise CanvasTooLargeError(self._limit)
        self.nodes.append(node)
        return index

    def _behind(self, source: Source | None) -> _Begun:
        return self._begun.setdefault(-1 if source is None else source.index, _Begun())

    def _call(self, call: Call, source: Source | None, group: int | None) -> int:
        lane = self.lanes.setdefault(call.lane, len(self.lanes))
        if source is not None and call.immutable:
            source = source._replace(takes_value=False)
        index = self._add(TaskNode(call, lane, source, group))
        self._behind(source).tasks.setdefault(lane, []).append(index)
        for link in call.links:
            self.sequence(stages(link), Source(index, Origin.TASK, takes_value=True), None)
        return index

    def _fan(self, fan: Fan, source: Source | None, group: int | None) -> int:
        join = JoinNode(fan.policy, source, group)
        index = self._add(join)
        self._behind(source).joins.append(index)
        lasts = []
        for member in fan.members:
            last = self.sequence(member, source, index)
            if last is not None:
                self.nodes[last].edges.append(Arrive(index))
                lasts.append(last)
        join.inputs = runs(lasts)
        return index


def need(join: JoinNode) -> int:
    """Return how many arrivals a join needs."""
    return join.policy.need if join.policy.counts is Counts.QUORUM else join.total
