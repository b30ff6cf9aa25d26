"""The one rule of `design.md`, applied to a plan: an evaluator of its own, to hold the compiler and the store to."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gesso_server.plan import Arrive, Edge, JoinNode, Open, Plan, Start, TaskNode


@dataclass(slots=True)
class End:
    """How a node ended."""

    state: str
    cause: int | None = None
    """The node whose own failure it is; itself for its own."""
    behind_join: bool = False


class PlanRun:
    """One run of a plan, a step at a time."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.ends: dict[int, End] = {}
        self.ready: list[int] = []
        self.started: list[int] = []
        self.takes: dict[int, int | None] = {}
        self._arrived: dict[int, list[int]] = {}
        self._follow(deque([(edge, None) for edge in plan.start]))

    def end(self, index: int, state: str) -> None:
        """End a ready task: S, F or I."""
        self.ready.remove(index)
        self._follow(self._finish(index, End(state, index if state == "F" else None)))

    def run(self, fate: Callable[[int], str], choose: Callable[[Sequence[int]], int]) -> None:
        """End ready tasks in the order chosen until there is none."""
        while self.ready:
            index = choose(self.ready)
            self.end(index, fate(index))

    def value(self, index: int) -> object:
        """Return the value of a node that succeeded: a join's is a list, a task's is its name and what it took."""
        node = self.plan.nodes[index]
        if isinstance(node, JoinNode):
            return [self.value(i) for run in node.inputs for i in run.indexes]
        source = node.source
        takes = None if source is None or not source.takes_value else self.value(source.index)
        return [node.call.body.decode(), takes]

    def _finish(self, index: int, end: End) -> deque[tuple[Edge, int | None]]:
        assert index not in self.ends, f"node {index} ended twice"
        self.ends[index] = end
        return deque((edge, index) for edge in self.plan.nodes[index].edges)

    def _follow(self, work: deque[tuple[Edge, int | None]]) -> None:
        while work:
            edge, source = work.popleft()
            end = End("S") if source is None else self.ends[source]
            match edge:
                case Arrive(join):
                    assert source is not None
                    self._arrived.setdefault(join, []).append(source)
                    work += self._weigh(join)
                case Start(run) | Open(run):
                    for index in run.indexes:
                        work += self._take(index) if end.state == "S" else self._close(index, source)
                case _:
                    raise AssertionError(edge)

    def _take(self, index: int) -> deque[tuple[Edge, int | None]]:
        if isinstance(self.plan.nodes[index], TaskNode):
            assert index not in self.started, f"node {index} started twice"
            self.ready.append(index)
            self.started.append(index)
            return deque()
        return self._weigh(index)

    def _close(self, index: int, source: int | None) -> deque[tuple[Edge, int | None]]:
        assert source is not None
        before = self.ends[source]
        if before.state == "I":
            return self._finish(index, End("I"))
        failed_join = isinstance(self.plan.nodes[source], JoinNode) and before.state == "F"
        itself = failed_join and isinstance(self.plan.nodes[index], TaskNode)
        end = End("F" if itself else "U", before.cause, behind_join=before.behind_join or failed_join)
        return self._finish(index, end)

    def _weigh(self, index: int) -> deque[tuple[Edge, int | None]]:
        join = self.plan.nodes[index]
        assert isinstance(join, JoinNode)
        if index in self.ends:
            return deque()
        arrived = [self.ends[source] for source in self._arrived.get(index, ())]
        bad = next((end for end in arrived if end.state != "S"), None)
        if bad is not None:
            return self._finish(index, End("I") if bad.state == "I" else End("F", bad.cause))
        return self._finish(index, End("S")) if len(arrived) == join.total else deque()
