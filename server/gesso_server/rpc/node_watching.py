"""CoordinatorService.WatchCanvases for one canvas, with its nodes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from hashlib import blake2b

from gesso.v1 import coordinator_service_pb2 as pb
from gesso.v1 import group_summary_pb2, node_pb2
from gesso_server.dispatch.coordinator import Coordinator
from gesso_server.dispatch.folding import Folding, GroupCounts
from gesso_server.dispatch.following import CanvasGoneError, Following, LogGapError, Progress
from gesso_server.dispatch.watches import Watch
from gesso_server.ids import CanvasId, NodeRef, parse_canvas_id
from gesso_server.plan import Origin
from gesso_server.rpc.canvases import NAMESPACE
from gesso_server.rpc.listing import Nodes
from gesso_server.rpc.nodes import NodeView, node_state, summary
from gesso_server.rpc.refusal import invalid, not_found
from gesso_server.rpc.resume_token import CanvasToken, read_canvas, write_canvas
from gesso_server.rpc.service import Context
from gesso_server.store.calls import Looked, LookedCanvas
from gesso_server.store.partition import Partition

_GROUP_LIMIT, _MOST_GROUP_LIMIT = 50, 1000
_MOST_EXPANDED = 100
_MESSAGE_BYTES = 1 << 20
"""With so much in it, a message tells of no more failures of groups."""


class NodeWatching:
    """Serves the watch of one canvas."""

    def __init__(self, coordinator: Coordinator) -> None:
        self._coordinator = coordinator
        self._nodes = Nodes(coordinator, NAMESPACE)

    async def watch(
        self, request: pb.WatchCanvasesRequest, context: Context
    ) -> AsyncIterator[pb.WatchCanvasesResponse]:
        """Send a canvas and what changes, until it is final."""
        asked = await self._asked(request)
        target = asked.target()
        token = read_canvas(request.resume_token, target) if request.resume_token else None
        partition = self._coordinator.store.partition_of(asked.canvas_id)
        if partition is None:
            raise not_found("canvas")
        with self._coordinator.watches.canvas(asked.canvas_id, context.peer()) as watch:
            reset = False
            while True:
                reader = _Reader(self._nodes, partition, asked, target)
                async for response in reader.read(token, watch):
                    response.reset, reset = reset, False
                    yield response
                if not reader.lost:
                    return
                token, reset = None, True

    async def _asked(self, request: pb.WatchCanvasesRequest) -> _Asked:
        canvas_id = parse_canvas_id(request.canvas_id)
        if canvas_id is None:
            raise invalid("BAD_ID", "a canvas's id is 32 lower-case hexadecimal digits", "canvas_id")
        if not 0 <= request.group_limit <= _MOST_GROUP_LIMIT:
            raise invalid("OUT_OF_RANGE", f"a limit of 1 to {_MOST_GROUP_LIMIT} members", "group_limit")
        if len(request.expanded_group_ids) > _MOST_EXPANDED:
            raise invalid("OUT_OF_RANGE", f"at most {_MOST_EXPANDED} groups", "expanded_group_ids")
        names = self._coordinator.submissions.names
        expanded = set[int]()
        for text in request.expanded_group_ids:
            found = await names.find(NAMESPACE, text)
            if found is None or found.canvas_id != canvas_id:
                raise not_found("node")
            expanded.add(found.index)
        return _Asked(canvas_id, request.group_limit or _GROUP_LIMIT, expanded)


class _Asked:
    """What is to be watched."""

    def __init__(self, canvas_id: CanvasId, group_limit: int, expanded: set[int]) -> None:
        self.canvas_id = canvas_id
        self.group_limit = group_limit
        self.expanded = expanded

    def target(self) -> str:
        """Return what a token for it says that it is for."""
        options = f"{self.group_limit} {sorted(self.expanded)}".encode()
        return f"{self.canvas_id}{blake2b(options, digest_size=4).hexdigest()}"

    def folding(self) -> Folding:
        """Return what is shown of it, knowing nothing yet."""
        return Folding(self.group_limit, self.expanded)


class _Reader:
    """Reads a canvas from a snapshot or a token on, until it is final or there is a gap."""

    def __init__(self, nodes: Nodes, partition: Partition, asked: _Asked, target: str) -> None:
        self._nodes = nodes
        self._partition = partition
        self._asked = asked
        self._target = target
        self._complete = False
        self._seen = ""
        self.lost = False
        """Whether it ended because of a gap."""

    async def read(self, token: CanvasToken | None, watch: Watch) -> AsyncIterator[pb.WatchCanvasesResponse]:
        """Read; what changes meanwhile follows."""
        try:
            following = await self._following(token)
            async for progress in following.follow(watch):
                response = await self._response(progress)
                if response is not None:
                    yield response
        except LogGapError:
            self.lost = True
        except CanvasGoneError:
            raise not_found("canvas") from None

    async def _following(self, token: CanvasToken | None) -> Following:
        asked = self._asked
        begin = self._partition, NAMESPACE, asked.canvas_id, asked.folding()
        if token is None:
            return await Following.begun(*begin)
        self._complete, self._seen = token.complete, token.seen
        return await Following.resumed(*begin, token.place)

    async def _response(self, progress: Progress) -> pb.WatchCanvasesResponse | None:
        """Return what a reading has shown; None if that is nothing new."""
        response = pb.WatchCanvasesResponse(
            nodes=[self._node(progress.canvas, index, looked) for index, looked in progress.nodes]
        )
        room = _MESSAGE_BYTES - response.ByteSize()
        for counts in progress.groups:
            group = await self._group(counts, room)
            room -= group.ByteSize()
            response.groups.append(group)
        standing = canvas_standing(progress.canvas)
        if standing != self._seen:
            self._seen = standing
            response.canvases.append(summary(self._asked.canvas_id, progress.canvas))
        if not self._complete and not progress.more:
            self._complete = response.snapshot_complete = True
        if not response.ByteSize():
            return None
        token = CanvasToken(progress.place, self._complete, self._seen)
        response.resume_token = write_canvas(self._target, token)
        return response

    def _node(self, canvas: LookedCanvas, index: int, looked: Looked) -> node_pb2.Node:
        view = NodeView.of(NodeRef(self._asked.canvas_id, index), looked)
        node = view.node(canvas)
        before = view.record.source
        if before is not None and not view.place.begins:
            node.parent.node_id = NodeRef(self._asked.canvas_id, before).node_id
            joins = view.record.origin is Origin.JOIN
            node.parent.kind = node_pb2.Node.KIND_JOIN if joins else node_pb2.Node.KIND_TASK
        return node

    async def _group(self, counts: GroupCounts, room: int) -> group_summary_pb2.GroupSummary:
        """Return how a group stands, with as many of its first failures as there is room for, in bytes."""
        group = group_summary_pb2.GroupSummary(node_id=NodeRef(self._asked.canvas_id, counts.index).node_id)
        by_state: dict[node_pb2.Node.State, int] = {}
        for state, count in counts.counts.items():
            seen = node_state(state)
            by_state[seen] = by_state.get(seen, 0) + count
        for seen, count in sorted(by_state.items()):
            group.counts.add(state=seen, count=count)
        if counts.failures and room > 0:
            canvas, views, _ = await self._nodes.page(
                NodeRef(self._asked.canvas_id, counts.index), counts.failures
            )
            for view in views:
                if group.ByteSize() >= room:
                    break
                group.failures.append(view.node(canvas))
        return group


def canvas_standing(canvas: LookedCanvas) -> str:
    """Return what of a canvas can change, as text."""
    return f"{canvas.state} {canvas.node_count} {canvas.left} {canvas.finished_ms or ''}"
