"""`gesso queues`: how queues stand, and pausing them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated

import typer

from gesso.cli.exits import CommandError
from gesso.cli.options import Address, Output, OutputOption
from gesso.cli.reach import reached
from gesso.cli.rows import told_rows
from gesso.connection import DEFAULT_ADDRESS, Coordinator
from gesso.v1 import operations_service_pb2 as pb

__all__ = ["command"]

_HEADS = ("QUEUE", "WAITING", "RUNNING", "WORKERS", "OLDEST", "")


class Action(StrEnum):
    """What is to be done."""

    LIST = "list"
    PAUSE = "pause"
    RESUME = "resume"


def command(
    *,
    action: Annotated[Action, typer.Argument(help="What to do.")] = Action.LIST,
    queues: Annotated[
        list[str] | None, typer.Argument(metavar="[QUEUE]...", help="The queues to pause or resume.")
    ] = None,
    address: Address = DEFAULT_ADDRESS,
    output: OutputOption = Output.TEXT,
) -> None:
    """List the queues that have tasks or workers, or pause and resume some.

        gesso queues

        gesso queues pause mail

    A paused queue delivers nothing; what its workers hold already goes on. It stays paused until it is resumed,
    whatever is restarted meanwhile.
    """
    if (action is Action.LIST) == bool(queues):
        raise CommandError(
            "Name queues to pause or resume: gesso queues pause mail. To list them takes none."
        )
    with reached(address) as app:
        if action is Action.LIST:
            told_rows(_HEADS, _rows(_listed(app.coordinator), output), output)
        for queue in queues or ():
            _steer(app.coordinator, action, queue)
            typer.echo(
                json.dumps({"queue": queue, "paused": action is Action.PAUSE})
                if output is Output.JSON
                else f"{queue} is {'paused' if action is Action.PAUSE else 'not paused'}"
            )


def _steer(coordinator: Coordinator, action: Action, queue: str) -> None:
    if action is Action.PAUSE:
        coordinator.operate(lambda stub: stub.PauseQueue, pb.PauseQueueRequest(queue=queue))
    else:
        coordinator.operate(lambda stub: stub.ResumeQueue, pb.ResumeQueueRequest(queue=queue))


def _listed(coordinator: Coordinator) -> Iterator[pb.QueueSummary]:
    request = pb.ListQueuesRequest()
    while True:
        page = coordinator.operate(lambda stub: stub.ListQueues, request)
        yield from page.queues
        if not page.next_page_token:
            return
        request.page_token = page.next_page_token


def _rows(queues: Iterator[pb.QueueSummary], output: Output) -> Iterator[object]:
    for queue in queues:
        age = queue.oldest_age.ToTimedelta().total_seconds() if queue.HasField("oldest_age") else None
        if output is Output.JSON:
            yield {
                "queue": queue.queue, "waiting": queue.waiting_count, "running": queue.running_count,
                "workers": queue.worker_count, "oldest_seconds": age, "paused": queue.paused,
                "unknown_tasks": list(queue.unknown_tasks),
            }  # fmt: skip
        else:
            yield (
                queue.queue, f"{queue.waiting_count:,}", f"{queue.running_count:,}", f"{queue.worker_count:,}",
                "" if age is None else f"{age:,.1f} s", "; ".join(_notes(queue)),
            )  # fmt: skip


def _notes(queue: pb.QueueSummary) -> Iterator[str]:
    if queue.paused:
        yield "paused"
    if queue.unknown_tasks:
        yield f"no worker knows {', '.join(queue.unknown_tasks)}"
