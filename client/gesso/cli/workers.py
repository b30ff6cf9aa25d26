"""`gesso workers`: the workers' processes and what they do."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC

from gesso.cli.options import Address, Output, OutputOption
from gesso.cli.reach import reached
from gesso.cli.rows import told_rows
from gesso.connection import DEFAULT_ADDRESS, Coordinator
from gesso.v1 import operations_service_pb2 as pb

__all__ = ["command"]

_HEADS = ("WORKER", "SESSION", "SLOTS", "HELD", "SEEN", "QUEUES", "TASKS")


def command(*, address: Address = DEFAULT_ADDRESS, output: OutputOption = Output.TEXT) -> None:
    """List the workers' processes: what each takes, holds and knows, and when it was last heard of.

    gesso workers

    gesso workers -o json
    """
    with reached(address) as app:
        told_rows(_HEADS, _rows(_listed(app.coordinator), output), output)


def _listed(coordinator: Coordinator) -> Iterator[pb.WorkerSummary]:
    request = pb.ListWorkersRequest()
    while True:
        page = coordinator.operate(lambda stub: stub.ListWorkers, request)
        yield from page.workers
        if not page.next_page_token:
            return
        request.page_token = page.next_page_token


def _rows(workers: Iterator[pb.WorkerSummary], output: Output) -> Iterator[object]:
    for worker in workers:
        seen = worker.seen_time.ToDatetime(UTC)
        if output is Output.JSON:
            yield {
                "worker": worker.worker, "session": worker.session_id, "slots": worker.slot_count,
                "held": worker.held_count, "seen": seen.isoformat(timespec="milliseconds"),
                "queues": list(worker.queues), "tasks": list(worker.tasks),
            }  # fmt: skip
        else:
            yield (
                worker.worker, worker.session_id, str(worker.slot_count), str(worker.held_count),
                seen.strftime("%H:%M:%S"), " ".join(worker.queues), str(len(worker.tasks)),
            )  # fmt: skip
