"""`gesso top`: queues, workers and limits as they are, drawn anew every few seconds."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Annotated, Any

import typer
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from gesso.cli.exits import Exit
from gesso.cli.options import Address, Output, OutputOption
from gesso.cli.reach import reached
from gesso.cli.rows import table_of
from gesso.connection import DEFAULT_ADDRESS, Coordinator
from gesso.limits import Limit
from gesso.v1 import limit_pb2
from gesso.v1 import operations_service_pb2 as pb

__all__ = ["command"]

_INTERVAL = 2.0
_LEAST_INTERVAL = 0.1
_PAGE = 1_000
_QUEUES = ("QUEUE", "WAITING", "RUNNING", "WORKERS", "OLDEST", "IN/S", "OUT/S", "ENDED/S", "")
_WORKERS = ("WORKER", "SLOTS", "HELD", "ENDED/S", "QUEUES")
_LIMITS = ("LIMIT", "RATE", "AT A TIME", "HELD", "HELD BACK")


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read at one time."""

    at: float
    """By this machine's clock that only goes forward, seconds."""
    queues: dict[str, pb.QueueSummary] = field(default_factory=dict)
    workers: dict[str, pb.WorkerSummary] = field(default_factory=dict)
    limits: tuple[limit_pb2.Limit, ...] = ()


def command(
    *,
    interval: Annotated[
        float, typer.Option(min=_LEAST_INTERVAL, metavar="SECONDS", help="How often it is read.")
    ] = _INTERVAL,
    once: Annotated[bool, typer.Option("--once", help="Print it once; rates are of one interval.")] = False,
    address: Address = DEFAULT_ADDRESS,
    output: OutputOption = Output.TEXT,
) -> None:
    """Show queues, workers and limits as they are: what waits and runs, and what comes and goes in a second.

        gesso top

        gesso top --once --interval 10 -o json

    Rates are differences of counters that the store keeps, over one interval. Without a terminal it prints once.
    """
    console = Console()
    with reached(address) as app:
        readings = _readings(app.coordinator, interval)
        if once or output is Output.JSON or not console.is_terminal:
            before, now = next(readings), next(readings)
            if output is Output.JSON:
                typer.echo(json.dumps(_json(before, now)))
            else:
                console.print(_drawn(before, now), soft_wrap=True)
            return
        try:
            _follow(console, readings)
        except KeyboardInterrupt:
            raise typer.Exit(Exit.OK) from None


def _follow(console: Console, readings: Iterator[Reading]) -> None:
    before = next(readings)
    with Live(_drawn(before, before), console=console, screen=True, auto_refresh=False) as live:
        for now in readings:
            live.update(_drawn(before, now), refresh=True)
            before = now


def _readings(coordinator: Coordinator, interval: float) -> Iterator[Reading]:
    """Yield what is read, an interval from one to the next."""
    due = time.monotonic()
    while True:
        yield _read(coordinator)
        due = max(due + interval, time.monotonic())
        time.sleep(due - time.monotonic())


def _read(coordinator: Coordinator) -> Reading:
    reading = Reading(time.monotonic())
    queues = pb.ListQueuesRequest(page_size=_PAGE)
    while True:
        page = coordinator.operate(lambda stub: stub.ListQueues, queues)
        reading.queues.update((queue.queue, queue) for queue in page.queues)
        if not page.next_page_token:
            break
        queues.page_token = page.next_page_token
    workers = pb.ListWorkersRequest(page_size=_PAGE)
    while True:
        listed = coordinator.operate(lambda stub: stub.ListWorkers, workers)
        reading.workers.update((worker.session_id, worker) for worker in listed.workers)
        if not listed.next_page_token:
            break
        workers.page_token = listed.next_page_token
    limits = coordinator.operate(lambda stub: stub.ListLimits, pb.ListLimitsRequest()).limits
    return Reading(reading.at, reading.queues, reading.workers, tuple(limits))


def rate(before: int, now: int, seconds: float) -> float | None:
    """Return how much a counter grew in a second; None over no time. One that fell began anew, from 0."""
    if seconds <= 0:
        return None
    return (now - before if now >= before else now) / seconds


def _rates(before: Any, now: Any, fields: tuple[str, ...], seconds: float) -> list[float | None]:
    """Return the rates of counters; None for what was not there before."""
    if before is None:
        return [None] * len(fields)
    return [rate(getattr(before, name), getattr(now, name), seconds) for name in fields]


_FLOWS = ("entered_count", "delivered_count", "ended_count")


def _json(before: Reading, now: Reading) -> dict[str, Any]:
    seconds = now.at - before.at
    queues, workers = [], []
    for name, queue in now.queues.items():
        flows = _rates(before.queues.get(name), queue, _FLOWS, seconds)
        age = queue.oldest_age.ToTimedelta().total_seconds() if queue.HasField("oldest_age") else None
        queues.append(
            {
                "queue": name, "waiting": queue.waiting_count, "running": queue.running_count,
                "workers": queue.worker_count, "oldest_seconds": age, "paused": queue.paused,
                "entered": queue.entered_count, "delivered": queue.delivered_count, "ended": queue.ended_count,
                **dict(zip(("entered_rate", "delivered_rate", "ended_rate"), flows, strict=True)),
            }
        )  # fmt: skip
    for session, worker in now.workers.items():
        (flow,) = _rates(before.workers.get(session), worker, ("reported_count",), seconds)
        workers.append(
            {
                "worker": worker.worker, "session": session, "slots": worker.slot_count, "held": worker.held_count,
                "ended": worker.reported_count, "ended_rate": flow, "queues": list(worker.queues),
            }
        )  # fmt: skip
    limits = [
        {
            "key": limit.key, "rate": Limit.read(limit).rate, "concurrency": limit.concurrency_count or None,
            "held": limit.held_count, "held_back": limit.waiting_count,
        }
        for limit in now.limits
    ]  # fmt: skip
    return {"seconds": seconds, "queues": queues, "workers": workers, "limits": limits}


def _drawn(before: Reading, now: Reading) -> RenderableType:
    seconds = now.at - before.at
    parts: list[RenderableType] = [table_of(_QUEUES, _queue_rows(before, now, seconds)), Text()]
    parts.append(table_of(_WORKERS, _worker_rows(before, now, seconds)))
    if now.limits:
        parts += [Text(), table_of(_LIMITS, map(_limit_row, now.limits))]
    return Group(*parts)


def _queue_rows(before: Reading, now: Reading, seconds: float) -> Iterator[tuple[str, ...]]:
    for name, queue in now.queues.items():
        age = (
            f"{queue.oldest_age.ToTimedelta().total_seconds():,.1f} s" if queue.HasField("oldest_age") else ""
        )
        flows = map(_shown, _rates(before.queues.get(name), queue, _FLOWS, seconds))
        counts = (f"{queue.waiting_count:,}", f"{queue.running_count:,}", f"{queue.worker_count:,}")
        yield (name, *counts, age, *flows, "paused" if queue.paused else "")


def _worker_rows(before: Reading, now: Reading, seconds: float) -> Iterator[tuple[str, ...]]:
    for session, worker in now.workers.items():
        (flow,) = _rates(before.workers.get(session), worker, ("reported_count",), seconds)
        counts = (f"{worker.slot_count:,}", f"{worker.held_count:,}")
        yield (worker.worker, *counts, _shown(flow), " ".join(worker.queues))


def _limit_row(message: limit_pb2.Limit) -> tuple[str, ...]:
    limit = Limit.read(message)
    concurrency = "" if limit.concurrency is None else f"{limit.concurrency:,}"
    return (
        limit.key,
        str(limit.rate or ""),
        concurrency,
        f"{message.held_count:,}",
        f"{message.waiting_count:,}",
    )


def _shown(flow: float | None) -> str:
    return "" if flow is None else f"{flow:,.1f}"
