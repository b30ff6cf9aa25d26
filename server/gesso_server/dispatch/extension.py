"""Nodes that come to a canvas while it lives.

The canvas that replaces a task, members that a task adds to its chord, members that a stream brings: they are staged at
reserved indexes first, where nothing runs. What a task brings takes effect in the same step as its report, so an
attempt that runs twice, or whose report is late, adds nothing twice; what a stream brings takes effect by a numbered
step.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import islice

from gesso_server.config import Limits
from gesso_server.dispatch.large import beside
from gesso_server.dispatch.names import Names
from gesso_server.dispatch.tracing import CanvasTraces
from gesso_server.ids import CanvasId, NodeRef
from gesso_server.plan import (
    Arrive,
    Element,
    Growth,
    JoinNode,
    Plan,
    Room,
    Source,
    Stand,
    TaskNode,
    compile_canvas,
    compile_growth,
)
from gesso_server.store.partition import Partition
from gesso_server.store.records import Place, edges_text, lane_texts, stored_nodes, template_fields
from gesso_server.store.store import Store

_NODES_PER_CALL = 500


class CanvasGoneError(Exception):
    """The canvas is not active any more; whatever is reported of it does not count."""


class EmptyReplacementError(Exception):
    """A task cannot be replaced with nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replaced:
    """A task that a canvas takes the place of."""

    ref: NodeRef
    task_id: str
    """The id that it goes by, which the replacement's last task takes over."""
    place: Place
    """Where it stands, and so does the replacement; its last task is a member of the same join."""
    source: Source | None
    """What it stood behind, and so does what begins the replacement, which takes no value from there."""
    told_by: int | None = None
    """The join around it whose span tells of it."""


class Extensions:
    """Stages what comes to canvases that live."""

    def __init__(self, store: Store, limits: Limits, names: Names, traces: CanvasTraces) -> None:
        self._traces = traces
        self._store = store
        self._limits = limits
        self._names = names

    async def replacement(
        self, namespace: str, replaced: Replaced, element: Element, *, large: bool = False
    ) -> str:
        """Stage the canvas that replaces a task. Returns what makes it take effect, for the report.

        Args:
            namespace: Whose it is.
            replaced: The task.
            element: What replaces it.
            large: Whether it is compiled beside the event loop.

        Raises:
            CanvasGoneError: If the canvas is not active.
            CanvasTooLargeError: If it comes to too many nodes.
            EmptyReplacementError: If it comes to none.
        """
        canvas_id, place = replaced.ref.canvas_id, replaced.place
        plan = await self._canvas(canvas_id, element, place.groups, large=large)
        if plan.last is None:
            raise EmptyReplacementError
        await self._names.keep(namespace, canvas_id, plan)
        for node in plan.nodes:
            if node.source is None:
                node.source = replaced.source
                node.brought_by = replaced.ref.index
                node.group = place.groups[-1] if place.begins else None
        last = plan.nodes[plan.last - plan.base]
        last.edges.append(Stand(replaced.ref.index))
        if isinstance(last, TaskNode):
            last.task_id = replaced.task_id
            last.member_of = place.member_of
        await self._stage(canvas_id, plan, self.telling(plan, replaced.told_by))
        return f"replace {plan.base},{len(plan.nodes)} {plan.last} {edges_text(plan.start)}"

    async def additions(
        self,
        namespace: str,
        ref: NodeRef,
        place: tuple[tuple[int, ...], int | None],
        members: Sequence[Element],
        *,
        large: bool = False,
    ) -> str:
        """Stage members that a task adds to its join. Returns what makes them take effect, for the report.

        Args:
            namespace: Whose it is.
            ref: The task.
            place: The joins that it stands inside, the last its own, and which of them tells of it.
            members: What it adds.
            large: Whether they are compiled beside the event loop.

        Raises:
            CanvasGoneError: If the canvas is not active.
            CanvasTooLargeError: If one comes to too many nodes.
        """
        groups, teller = place
        lines, join = [], groups[-1]
        for member in members:
            plan = await self._canvas(ref.canvas_id, member, groups, large=large)
            if plan.last is not None:
                await self._names.keep(namespace, ref.canvas_id, plan)
                plan.nodes[plan.last - plan.base].edges.append(Arrive(join))
                for node in plan.nodes:
                    if node.source is None:
                        node.brought_by = ref.index
                await self._stage(ref.canvas_id, plan, self.telling(plan, teller))
                lines.append(
                    f"add {plan.base},{len(plan.nodes)} {join}/{plan.last},1,1 {edges_text(plan.start)}"
                )
        return "\n".join(lines)

    async def growth(
        self,
        namespace: str,
        ref: NodeRef,
        join: JoinNode,
        members: Sequence[Element],
        telling: Collection[int] = (),
        *,
        large: bool = False,
    ) -> Growth:
        """Stage members that a growing join gains.

        Args:
            namespace: Whose it is.
            ref: The join.
            join: The join, as it was compiled.
            members: What comes behind the members it has.
            telling: The joins around them whose spans tell of them.
            large: Whether they are compiled beside the event loop.

        Raises:
            CanvasGoneError: If the canvas is not active.
            CanvasTooLargeError: If they come to too many nodes.
        """

        def compiled(room: Room) -> Growth:
            return compile_growth(members, join, ref.index, node_limit=self._limits.nodes, room=room)

        # Behind the join, so that no index of the draft is taken for that of the source.
        draft = await beside(lambda: compiled(Room(ref.index + 1, 0, {})), large=large)
        room = await self._room(ref.canvas_id, draft)
        growth = await beside(lambda: compiled(room), large=large)
        await self._names.keep(namespace, ref.canvas_id, growth)
        await self._stage(ref.canvas_id, growth, telling)
        return growth

    async def _canvas(
        self, canvas_id: CanvasId, element: Element, groups: tuple[int, ...], *, large: bool
    ) -> Plan:
        def compiled(room: Room) -> Plan:
            return compile_canvas(element, node_limit=self._limits.nodes, room=room)

        room = await self._room(
            canvas_id, await beside(lambda: compiled(Room(0, 0, {})), large=large), groups
        )
        return await beside(lambda: compiled(room), large=large)

    async def _room(self, canvas_id: CanvasId, draft: Plan | Growth, groups: tuple[int, ...] = ()) -> Room:
        """Reserve room, inside some joins, for what compiled to a draft."""
        reserved = await self._partition(canvas_id).reserve(
            canvas_id, nodes=len(draft.nodes), templates=len(draft.templates), lanes=lane_texts(draft.lanes)
        )
        if reserved is None:
            raise CanvasGoneError
        lanes = dict(zip(draft.lanes, reserved.lanes, strict=True))
        return Room(reserved.base, reserved.templates, lanes, groups)

    async def bear(self, canvas_id: CanvasId, stamps: Sequence[str]) -> None:
        """Let a canvas be found by more stamps, as `stamp_texts` writes them."""
        await self._partition(canvas_id).stage_stamps(canvas_id, stamps)

    def telling(self, plan: Plan, around: int | None = None) -> set[int]:
        """Return the joins of a plan, and `around` it, whose spans tell of what is inside them."""
        return self._traces.telling(plan) | ({around} if around is not None else set())

    async def _stage(self, canvas_id: CanvasId, plan: Plan | Growth, telling: Collection[int]) -> None:
        partition = self._partition(canvas_id)
        templates = template_fields(plan.templates, plan.first_template)
        nodes = iter(stored_nodes(plan, telling))
        while part := list(islice(nodes, _NODES_PER_CALL)):
            if not await partition.stage_growth(canvas_id, templates, part):
                raise CanvasGoneError
            templates = []

    def _partition(self, canvas_id: CanvasId) -> Partition:
        partition = self._store.partition_of(canvas_id)
        if partition is None:
            raise CanvasGoneError
        return partition
