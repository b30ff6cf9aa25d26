"""Lists of nodes, in pages: a join's members, a node's children, all nodes of a canvas."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain, islice

from gesso_server.dispatch.coordinator import Coordinator
from gesso_server.ids import CanvasId, NodeRef
from gesso_server.plan import Arrive, Open, Run, Start
from gesso_server.rpc.nodes import NodeView
from gesso_server.rpc.refusal import invalid, not_found
from gesso_server.store.calls import LookedCanvas
from gesso_server.store.records import parse_edges

_MOST_CHILDREN = 10_000
_TOKEN_LENGTH = 24


class Nodes:
    """Reads nodes for one namespace."""

    def __init__(self, coordinator: Coordinator, namespace: str) -> None:
        self._coordinator = coordinator
        self._namespace = namespace

    async def canvas(self, canvas_id: CanvasId) -> LookedCanvas:
        """Return a canvas.

        Raises:
            Refusal: If there is no such canvas.
        """
        partition = self._coordinator.store.partition_of(canvas_id)
        found = await partition.look(self._namespace, canvas_id) if partition else None
        if found is None:
            raise not_found("canvas")
        return found[0]

    async def views(self, ref: NodeRef, indexes: Iterable[int]) -> tuple[LookedCanvas, list[NodeView]]:
        """Return a canvas and some of its nodes, a few, leaving out those that do not exist.

        Raises:
            Refusal: If there is no such canvas.
        """
        wanted = list(indexes)
        canvas, views, count = await self.page(ref, wanted)
        while count < len(wanted):
            _, more, further = await self.page(ref, wanted[count:])
            views += more
            count += further
        return canvas, views

    async def page(self, ref: NodeRef, wanted: Sequence[int]) -> tuple[LookedCanvas, list[NodeView], int]:
        """Return a canvas, as many of some nodes as fit into a message, and how many of them were looked for.

        Raises:
            Refusal: If there is no such canvas.
        """
        partition = self._coordinator.store.partition_of(ref.canvas_id)
        found = await partition.look(self._namespace, ref.canvas_id, wanted) if partition else None
        if found is None:
            raise not_found("node")
        canvas, looked = found
        pairs = zip(wanted, looked, strict=False)  # what does not fit is not there
        views = [NodeView.of(NodeRef(ref.canvas_id, index), node) for index, node in pairs if node]
        return canvas, views, len(looked)

    async def one(self, ref: NodeRef) -> tuple[LookedCanvas, NodeView]:
        """Return one node.

        Raises:
            Refusal: If there is no such node.
        """
        canvas, views = await self.views(ref, [ref.index])
        if not views:
            raise not_found("node")
        return canvas, views[0]

    async def parent(self, view: NodeView) -> NodeView | None:
        """Return the step before a node; members have none."""
        if view.record.source is None or view.place.begins:
            return None
        return (await self.one(NodeRef(view.ref.canvas_id, view.record.source)))[1]

    def members(self, view: NodeView) -> Iterable[int]:
        """Return the indexes of a join's members in order; nothing for a task."""
        if not view.record.join:
            return ()
        return chain.from_iterable(run.indexes for run in view.join_body().inputs)

    async def children(self, view: NodeView) -> list[int]:
        """Return a join's members, or everything that names a task as the one before: links, the step behind it.

        Of a group behind it only the group. What stands behind a join names the task that ended last.
        """
        if view.record.join:
            return list(islice(self.members(view), _MOST_CHILDREN))
        found = await self._behind(view)
        last = view
        while (join := await self._join_ended_by(last, view.ref.index)) is not None:
            found += await self._behind(join)
            last = join
        return sorted(found)[:_MOST_CHILDREN]

    async def _behind(self, view: NodeView) -> list[int]:
        """Return what stands behind a node: tasks, and joins without what is in them."""
        found: list[int] = []
        beyond = -1
        for run, joins in sorted(_freed(view)):
            for index in islice(run.indexes, _MOST_CHILDREN):
                if index <= beyond:
                    continue
                found.append(index)
                if joins:
                    join = (await self.one(NodeRef(view.ref.canvas_id, index)))[1]
                    beyond = max([index, *(inner.indexes[-1] for inner in join.join_body().inputs)])
                    if not join.record.total:
                        found += await self._behind(join)
        return found

    async def _join_ended_by(self, member: NodeView, task: int) -> NodeView | None:
        """Return the join that a node is a member of, if a task was the last one that it waited for."""
        for edge in parse_edges(member.record.edges):
            if isinstance(edge, Arrive):
                _, join = await self.one(NodeRef(member.ref.canvas_id, edge.join))
                return join if join.record.state.final and join.record.last == task else None
        return None


def _freed(view: NodeView) -> Iterable[tuple[Run, bool]]:
    for edge in parse_edges(view.record.edges):
        match edge:
            case Open(run, False):
                yield run, True
            case Start(run, _, False):
                yield run, False
            case _:
                pass


def position(token: str) -> tuple[int | None, int]:
    """Return what a page's token says: until which instant, Unix ms, and how many of it to leave out.

    Raises:
        Refusal: If this service did not make it.
    """
    if not token:
        return None, 0
    instant, _, skip = token.partition("-")
    if not (token.isascii() and instant.isdecimal() and skip.isdecimal() and len(token) <= _TOKEN_LENGTH):
        raise invalid("BAD_PAGE_TOKEN", "the token was not made by this service", "page_token")
    return int(instant), min(int(skip), _MOST_CHILDREN)
