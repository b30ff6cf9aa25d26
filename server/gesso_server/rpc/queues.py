"""OperationsService: queues and workers."""

from __future__ import annotations

import re

from gesso.v1 import operations_service_pb2 as pb
from gesso_server.dispatch.coordinator import Coordinator
from gesso_server.rpc.refusal import invalid
from gesso_server.rpc.service import Context
from gesso_server.store.calls import QueueStanding, WorkerStanding

_QUEUE = re.compile(r"[A-Za-z0-9._:-]{1,128}", re.ASCII)
_SESSION = re.compile(r"[A-Za-z0-9._-]{16,64}", re.ASCII)
_PAGE_SIZE, _PAGE_LIMIT = 100, 1000
_PAGE_BYTES = 1 << 20
"""A page that has come to this ends there, though more follow."""
_MOST_UNKNOWN = 100


class Queues:
    """Serves queues and workers of one namespace."""

    def __init__(self, coordinator: Coordinator, namespace: str) -> None:
        self._fleet = coordinator.fleet
        self._namespace = namespace

    async def list_queues(self, request: pb.ListQueuesRequest, _context: Context) -> pb.ListQueuesResponse:
        """Serve OperationsService.ListQueues."""
        size, behind = _page(request.page_size, request.page_token, _QUEUE)
        response, size_bytes = pb.ListQueuesResponse(), 0
        async for standing in self._fleet.queues(self._namespace, behind):
            if len(response.queues) == size or size_bytes > _PAGE_BYTES:
                response.next_page_token = response.queues[-1].queue
                break
            response.queues.append(_queue(standing))
            size_bytes += response.queues[-1].ByteSize()
        return response

    async def list_workers(self, request: pb.ListWorkersRequest, _context: Context) -> pb.ListWorkersResponse:
        """Serve OperationsService.ListWorkers."""
        size, behind = _page(request.page_size, request.page_token, _SESSION)
        response, size_bytes = pb.ListWorkersResponse(), 0
        async for standing in self._fleet.workers(self._namespace, behind):
            if len(response.workers) == size or size_bytes > _PAGE_BYTES:
                response.next_page_token = response.workers[-1].session_id
                break
            response.workers.append(_worker(standing))
            size_bytes += response.workers[-1].ByteSize()
        return response

    async def pause_queue(self, request: pb.PauseQueueRequest, _context: Context) -> pb.PauseQueueResponse:
        """Serve OperationsService.PauseQueue."""
        await self._fleet.pause(self._namespace, _name(request.queue), paused=True)
        return pb.PauseQueueResponse()

    async def resume_queue(self, request: pb.ResumeQueueRequest, _context: Context) -> pb.ResumeQueueResponse:
        """Serve OperationsService.ResumeQueue."""
        await self._fleet.pause(self._namespace, _name(request.queue), paused=False)
        return pb.ResumeQueueResponse()


def _name(queue: str) -> str:
    if not _QUEUE.fullmatch(queue):
        text = "a queue's name has 1 to 128 letters, digits, dots, colons, hyphens or underscores"
        raise invalid("BAD_QUEUE_NAME", text, "queue")
    return queue


def _page(size: int, token: str, names: re.Pattern[str]) -> tuple[int, str]:
    if not 0 <= size <= _PAGE_LIMIT:
        raise invalid("OUT_OF_RANGE", f"a page has 1 to {_PAGE_LIMIT} entries", "page_size")
    if token and not names.fullmatch(token):
        raise invalid("BAD_PAGE_TOKEN", "the token was not made by this service", "page_token")
    return size or _PAGE_SIZE, token


def _queue(standing: QueueStanding) -> pb.QueueSummary:
    summary = pb.QueueSummary(
        queue=standing.queue, waiting_count=standing.waiting, running_count=standing.running, paused=standing.paused,
        unknown_tasks=sorted(standing.unknown)[:_MOST_UNKNOWN], worker_count=standing.sessions,
        entered_count=standing.entered, delivered_count=standing.delivered, ended_count=standing.ended,
    )  # fmt: skip
    if standing.oldest_ms is not None:
        summary.oldest_age.FromMilliseconds(standing.oldest_ms)
    return summary


def _worker(standing: WorkerStanding) -> pb.WorkerSummary:
    summary = pb.WorkerSummary(
        session_id=standing.session, worker=standing.worker, queues=standing.queues, tasks=sorted(standing.tasks),
        slot_count=standing.slots, held_count=standing.held, reported_count=standing.reported,
    )  # fmt: skip
    summary.seen_time.FromMilliseconds(standing.seen_ms)
    return summary
