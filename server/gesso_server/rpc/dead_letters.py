"""OperationsService, the dead letters: tasks that were given up, and rows of the store that could not be read."""

from __future__ import annotations

from gesso.v1 import operations_service_pb2 as pb
from gesso_server.config import DEFAULT_NAMESPACE
from gesso_server.dispatch.coordinator import Coordinator
from gesso_server.ids import CanvasId, NodeRef, parse_node_id
from gesso_server.rpc.canvases import Canvases
from gesso_server.rpc.listing import position
from gesso_server.rpc.nodes import NodeView
from gesso_server.rpc.refusal import invalid, not_found
from gesso_server.rpc.service import Context
from gesso_server.store.calls import DeadTask
from gesso_server.store.partition import Partition

_PAGE_SIZE, _PAGE_LIMIT = 100, 1000
_MOST_ROWS = 100


class DeadLetters:
    """Serves what OperationsService says of dead letters, for one namespace."""

    def __init__(self, coordinator: Coordinator, canvases: Canvases) -> None:
        self._coordinator = coordinator
        self._canvases = canvases
        self._namespace = DEFAULT_NAMESPACE

    async def list_dead_letters(
        self, request: pb.ListDeadLettersRequest, _context: Context
    ) -> pb.ListDeadLettersResponse:
        """Serve OperationsService.ListDeadLetters."""
        if not 0 <= request.page_size <= _PAGE_LIMIT:
            raise invalid("OUT_OF_RANGE", f"a page has 1 to {_PAGE_LIMIT} entries", "page_size")
        size = request.page_size or _PAGE_SIZE
        until, skip = position(request.page_token)
        response = pb.ListDeadLettersResponse()
        found: list[DeadTask] = []
        for partition in self._coordinator.store.partitions:
            # What to leave out counts over all partitions, so each gives that many more.
            most = skip + size + 1
            trimmed, tasks = await partition.dead_tasks(self._namespace, until_ms=until, most=most)
            response.trimmed_count += trimmed
            found += tasks
        # In the store's order within an instant, or pages of one instant would not fit together.
        found.sort(key=lambda task: f"{task.canvas_id}:{task.index}", reverse=True)
        found.sort(key=lambda task: task.died_ms, reverse=True)
        page = found[skip : skip + size]
        for task in page:
            await self._add(response, task)
        if len(found) > skip + size:
            last = page[-1].died_ms
            same = sum(task.died_ms == last for task in page)
            response.next_page_token = f"{last}-{same + (skip if last == until else 0)}"
        if not request.page_token:
            await self._add_rows(response)
        return response

    async def _add(self, response: pb.ListDeadLettersResponse, task: DeadTask) -> None:
        ref = NodeRef(task.canvas_id, task.index)
        partition = self._coordinator.store.partition_of(task.canvas_id)
        found = await partition.look(self._namespace, task.canvas_id, [task.index]) if partition else None
        if found is not None and found[1][0] is not None:  # else its canvas has been removed meanwhile
            response.nodes.append(NodeView.of(ref, found[1][0]).node(found[0]))

    async def _add_rows(self, response: pb.ListDeadLettersResponse) -> None:
        for partition in self._coordinator.store.partitions:
            for row in await partition.unreadable_rows(_MOST_ROWS):
                node_id = row.place.replace(":", "-")
                parked = response.parked_rows.add(kind=row.kind, node_id=node_id, data=row.data)
                parked.park_time.FromMilliseconds(row.parked_ms)
        rows = sorted(response.parked_rows, key=lambda row: -row.park_time.ToMilliseconds())[:_MOST_ROWS]
        del response.parked_rows[:]
        response.parked_rows.extend(rows)

    async def replay_dead_letter(
        self, request: pb.ReplayDeadLetterRequest, _context: Context
    ) -> pb.ReplayDeadLetterResponse:
        """Serve OperationsService.ReplayDeadLetter."""
        ref, partition = self._place(request.node_id, "node_id")
        listed = await partition.dead_task_listed(self._namespace, *ref)
        if not listed and not (request.request_id and await self._known(partition, ref, request.request_id)):
            raise not_found("node")
        submitted = await self._canvases.rerun(ref.canvas_id, request.request_id)
        while await partition.forget_dead_tasks(self._namespace, ref.canvas_id):
            pass
        return pb.ReplayDeadLetterResponse(canvas_id=submitted.canvas_id)

    async def _known(self, partition: Partition, ref: NodeRef, request_id: str) -> bool:
        return await self._coordinator.reruns.known(partition, self._namespace, ref.canvas_id, request_id)

    async def purge_dead_letters(
        self, request: pb.PurgeDeadLettersRequest, _context: Context
    ) -> pb.PurgeDeadLettersResponse:
        """Serve OperationsService.PurgeDeadLetters."""
        if len(request.node_ids) > _PAGE_LIMIT:
            raise invalid("OUT_OF_RANGE", f"at most {_PAGE_LIMIT} nodes", "node_ids")
        if not request.node_ids:
            return pb.PurgeDeadLettersResponse(purged_count=await self._purge_all())
        count = 0
        homes: dict[int, list[NodeRef]] = {}
        for text in request.node_ids:
            ref, partition = self._place(text, "node_ids")
            homes.setdefault(partition.number, []).append(ref)
        for number, refs in homes.items():
            count += await self._coordinator.store.partitions[number].purge_dead_tasks(self._namespace, refs)
        return pb.PurgeDeadLettersResponse(purged_count=count)

    async def _purge_all(self) -> int:
        total = 0
        for partition in self._coordinator.store.partitions:
            while count := await partition.purge_dead_tasks(self._namespace, []):
                total += count
            total += await partition.purge_unreadable_rows()
        return total

    def _place(self, text: str, field: str) -> tuple[NodeRef, Partition]:
        ref = parse_node_id(text)
        if ref is None:
            raise invalid("BAD_ID", "a node's id is its canvas's id, a hyphen and a number", field)
        partition = self._coordinator.store.partition_of(CanvasId(ref.canvas_id))
        if partition is None:
            raise not_found("node")
        return ref, partition
