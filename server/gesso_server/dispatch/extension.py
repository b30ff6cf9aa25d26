"""Nodes that come to a canvas while it lives.

The canvas that replaces a task, members that a task adds to its chord, members that a stream brings: they are staged at
reserved indexes first, where nothing runs. What a task brings takes effect in the same step as its report, so an
attempt that runs twice, or whose report is late, adds nothing twice; what a stream brings takes effect by a numbered
step.
"""

from __future__ import annotations

from collections.abc import Sequence

from gesso_server.config import Limits
from gesso_server.dispatch.names import Names
from gesso_server.ids import CanvasId, NodeRef
from gesso_server.plan import (
    Arrive,
    Element,
    Growth,
    JoinNode,
    Plan,
    Room,
    Stand,
    TaskNode,
    compile_canvas,
    compile_growth,
)
from gesso_server.store.partition import Partition
from gesso_server.store.records import edges_text, lane_texts, stored_nodes, template_fields
from gesso_server.store.store import Store

_NODES_PER_CALL = 500


class CanvasGoneError(Exception):
    """The canvas is not active any more; whatever is reported of it does not count."""


class EmptyReplacementError(Exception):
    """A task cannot be replaced with nothing."""


class Extensions:
    """Stages what comes to canvases that live."""

    def __init__(self, store: Store, limits: Limits, names: Names) -> None:
        self._store = store
        self._limits = limits
        self._names = names

    async def replacement(
        self, namespace: str, ref: NodeRef, element: Element, *, task_id: str, member_of: int | None
    ) -> str:
        """Stage the canvas that replaces a task. Returns what makes it take effect, for the report.

        Args:
            namespace: Whose it is.
            ref: The task.
            element: What replaces it.
            task_id: The id that the task goes by, which the replacement's last task takes over.
            member_of: The join that the task is a member of; so is the replacement's last task.

        Raises:
            CanvasGoneError: If the canvas is not active.
            CanvasTooLargeError: If it comes to too many nodes.
            EmptyReplacementError: If it comes to none.
        """
        plan = await self._canvas(ref.canvas_id, element)
        if plan.last is None:
            raise EmptyReplacementError
        await self._names.keep(namespace, ref.canvas_id, plan)
        last = plan.nodes[plan.last - plan.base]
        last.edges.append(Stand(ref.index))
        if isinstance(last, TaskNode):
            last.task_id = task_id
            last.member_of = member_of
        await self._stage(ref.canvas_id, plan)
        return f"replace {plan.base},{len(plan.nodes)} {plan.last} {edges_text(plan.start)}"

    async def additions(self, namespace: str, ref: NodeRef, join: int, members: Sequence[Element]) -> str:
        """Stage members that a task adds to its join. Returns what makes them take effect, for the report.

        Raises:
            CanvasGoneError: If the canvas is not active.
            CanvasTooLargeError: If one comes to too many nodes.
        """
        lines = []
        for member in members:
            plan = await self._canvas(ref.canvas_id, member)
            if plan.last is not None:
                await self._names.keep(namespace, ref.canvas_id, plan)
                plan.nodes[plan.last - plan.base].edges.append(Arrive(join))
                await self._stage(ref.canvas_id, plan)
                lines.append(
                    f"add {plan.base},{len(plan.nodes)} {join}/{plan.last},1,1 {edges_text(plan.start)}"
                )
        return "\n".join(lines)

    async def growth(
        self, namespace: str, ref: NodeRef, join: JoinNode, members: Sequence[Element]
    ) -> Growth:
        """Stage members that a growing join gains.

        Args:
            namespace: Whose it is.
            ref: The join.
            join: The join, as it was compiled.
            members: What comes behind the members it has.

        Raises:
            CanvasGoneError: If the canvas is not active.
            CanvasTooLargeError: If they come to too many nodes.
        """

        def compiled(room: Room) -> Growth:
            return compile_growth(members, join, ref.index, node_limit=self._limits.nodes, room=room)

        # Behind the join, so that no index of the draft is taken for that of the source.
        draft = compiled(Room(ref.index + 1, 0, {}))
        growth = compiled(await self._room(ref.canvas_id, draft))
        await self._names.keep(namespace, ref.canvas_id, growth)
        await self._stage(ref.canvas_id, growth)
        return growth

    async def _canvas(self, canvas_id: CanvasId, element: Element) -> Plan:
        def compiled(room: Room) -> Plan:
            return compile_canvas(element, node_limit=self._limits.nodes, room=room)

        return compiled(await self._room(canvas_id, compiled(Room(0, 0, {}))))

    async def _room(self, canvas_id: CanvasId, draft: Plan | Growth) -> Room:
        """Reserve room for what compiled to a draft."""
        reserved = await self._partition(canvas_id).reserve(
            canvas_id, nodes=len(draft.nodes), templates=len(draft.templates), lanes=lane_texts(draft.lanes)
        )
        if reserved is None:
            raise CanvasGoneError
        return Room(reserved.base, reserved.templates, dict(zip(draft.lanes, reserved.lanes, strict=True)))

    async def _stage(self, canvas_id: CanvasId, plan: Plan | Growth) -> None:
        partition = self._partition(canvas_id)
        templates = template_fields(plan.templates, plan.first_template)
        nodes = list(stored_nodes(plan))
        for at in range(0, len(nodes), _NODES_PER_CALL):
            part = nodes[at : at + _NODES_PER_CALL]
            if not await partition.stage_growth(canvas_id, templates if at == 0 else [], part):
                raise CanvasGoneError

    def _partition(self, canvas_id: CanvasId) -> Partition:
        partition = self._store.partition_of(canvas_id)
        if partition is None:
            raise CanvasGoneError
        return partition
