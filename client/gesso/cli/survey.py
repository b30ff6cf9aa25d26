"""Reads a canvas for a drawing, from its last node backwards, with a bounded number of calls.

Each node is asked for the step before it, each small group for its members. A large group is one box, and its
members are counted from pages. What the way back did not meet are links, and what a task was replaced with.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from gesso.cli.drawing import Box, Picture, Step, Strand
from gesso.connection import Coordinator
from gesso.members import PAGE_SIZE
from gesso.v1 import canvas_summary_pb2, node_pb2
from gesso.v1 import coordinator_service_pb2 as pb

__all__ = ["MOST_CALLS", "MOST_MEMBERS", "survey"]

MOST_MEMBERS = 50
"""Of a group whose members are drawn one by one."""
MOST_CALLS = 500
"""For one drawing."""
_MOST_PAGES = 5
"""Of one list. What a larger group counts by itself is less fine."""

Canvas = canvas_summary_pb2.CanvasSummary
Node = node_pb2.Node


def survey(coordinator: Coordinator, canvas_id: str) -> Picture:
    """Return a canvas as it stands.

    Raises:
        NotFound: If there is no such canvas.
    """
    canvas = coordinator.get_canvas(pb.GetCanvasRequest(canvas_id=canvas_id)).canvas
    return _Surveyor(coordinator, canvas).picture()


class _Surveyor:
    def __init__(self, coordinator: Coordinator, canvas: Canvas) -> None:
        self._coordinator = coordinator
        self._canvas = canvas
        self._calls_left = MOST_CALLS
        self._drawn: set[str] = set()
        # The members of groups drawn as one box, as ranges of indexes: a join's nodes follow it.
        self._folded: list[range] = []
        self._links: dict[str, list[Strand]] = {}
        self._loose: dict[str, Strand] = {}  # by the id of the last node
        self._cut = False

    def picture(self) -> Picture:
        canvas = self._canvas
        main, _ = self._walk(canvas.last.node_id)
        self._find_rest()
        strands = [self._linked(strand) for strand in (main, *reversed(self._loose.values())) if strand]
        nodes = "1 node" if canvas.node_count == 1 else f"{canvas.node_count} nodes"
        state = _words(Canvas.State.Name, canvas.state)
        note = (
            f"It is too large to draw whole: {len(self._drawn)} of its nodes are here." if self._cut else ""
        )
        return Picture(
            title=f"canvas {canvas.canvas_id}: {nodes}, {state}", strands=tuple(strands), note=note
        )

    def _walk(self, node_id: str) -> tuple[Strand, str]:
        """Return a node and the steps before it that are not drawn, and the id of the step before those."""
        steps: list[Step] = []
        while node_id and not self._is_shown(node_id) and self._may_call():
            self._drawn.add(node_id)
            node = self._coordinator.get_node(pb.GetNodeRequest(node_id=node_id)).node
            steps.append(self._step(node))
            node_id = node.parent.node_id
        return tuple(reversed(steps)), node_id

    def _member(self, node_id: str) -> Strand:
        """Return the strand that ends with a member; empty when there are no calls left for it."""
        return self._loose.pop(node_id, None) or self._walk(node_id)[0]

    def _step(self, node: Node) -> Step:
        count = node.handle.member_count
        if not count:
            return Step(box=_box(node))
        if count > min(MOST_MEMBERS, self._calls_left - 1):
            return Step(box=self._folded_box(node))
        members = [self._member(each.handle.node_id) for each in self._members(node)]
        return Step(box=_box(node), members=tuple(member for member in members if member))

    def _folded_box(self, node: Node) -> Box:
        """Return a large group as one box, its members counted by their states."""
        members = list(self._members(node))
        named = Counter(member.task or "group" for member in members)
        name = named.most_common(1)[0][0] if len(named) == 1 else "task"
        if members:
            begin = _index(node.handle.node_id)
            self._folded.append(range(begin + 1, _index(members[-1].handle.node_id) + 1))
        counts: Mapping[str, int] = Counter(_words(Node.State.Name, member.state) for member in members)
        if len(members) < node.handle.member_count:
            counts = _own_counts(node)
        return replace(_box(node), name=f"{name} × {node.handle.member_count}", counts=counts)  # noqa: RUF001 - times

    def _members(self, node: Node) -> Iterator[Node]:
        return self._listed(pb.ListNodesRequest(members_of=node.handle.node_id))

    def _find_rest(self) -> None:
        """Find what is not drawn yet, from the last: it is a link, or belongs to no step that is known."""
        if len(self._drawn) + sum(map(len, self._folded)) >= self._canvas.node_count:
            return
        listed = list(self._listed(pb.ListNodesRequest(canvas_id=self._canvas.canvas_id)))
        if len(listed) < self._canvas.node_count and not self._folded:
            self._cut = True
        for node in reversed(listed):
            node_id = node.handle.node_id
            if self._is_shown(node_id):
                continue
            strand, above = self._walk(node_id)
            if not strand:
                return
            if above in self._drawn:
                self._links.setdefault(above, []).insert(0, strand)
            elif not above:
                self._loose[node_id] = strand

    def _is_shown(self, node_id: str) -> bool:
        """Return whether a node is drawn, or is in a group that is drawn as one box."""
        return node_id in self._drawn or any(_index(node_id) in folded for folded in self._folded)

    def _linked(self, strand: Strand) -> Strand:
        """Return a strand with the links of its steps."""
        return tuple(
            replace(
                step,
                members=tuple(self._linked(member) for member in step.members),
                links=tuple(self._linked(link) for link in self._links.get(step.box.id, ())),
            )
            for step in strand
        )

    def _listed(self, request: pb.ListNodesRequest) -> Iterator[Node]:
        request.page_size = PAGE_SIZE
        for _ in range(_MOST_PAGES):
            if not self._may_call():
                return
            response = self._coordinator.list_nodes(request)
            yield from response.nodes
            request.page_token = response.next_page_token
            if not request.page_token:
                return

    def _may_call(self) -> bool:
        """Count a call, if there is one left; note that the drawing is not whole, if not."""
        if not self._calls_left:
            self._cut = True
            return False
        self._calls_left -= 1
        return True


def _box(node: Node) -> Box:
    return Box(
        id=node.handle.node_id,
        name=node.task or f"group of {node.handle.member_count}",
        state=_words(Node.State.Name, node.state),
        took=_took(node),
    )


def _took(node: Node) -> timedelta | None:
    """Return how long a task ran, or how long a group was on its way."""
    if node.handle.kind != Node.KIND_JOIN:
        return node.run_duration.ToTimedelta() if node.HasField("run_duration") else None
    if not node.HasField("finish_time"):
        return None
    return node.finish_time.ToDatetime() - node.create_time.ToDatetime()


def _own_counts(node: Node) -> Mapping[str, int]:
    """Return what a join has counted of its members."""
    counts = {
        "succeeded": node.succeeded_count,
        "ended otherwise": node.ended_count - node.succeeded_count,
        "not ended": node.handle.member_count - node.ended_count,
    }
    return {state: count for state, count in counts.items() if count}


def _index(node_id: str) -> int:
    return int(node_id.rpartition("-")[2])


def _words(name: Callable[[Any], str], state: int) -> str:
    """Return a state as words; a later contract may have more than are known here."""
    try:
        return name(state).removeprefix("STATE_").replace("_", " ").lower()
    except ValueError:
        return f"state {state}"
