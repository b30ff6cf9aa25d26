"""Every metric of a coordinator. `docs/metrics.md` has the same table, with what each is good for.

- What a coordinator has done is counted by each for itself: add them up. What the store holds, all coordinators tell
  alike: take the greatest.
- Attributes are few by construction: no ids, and no names that a client chooses but those of queues, the first hundred.
"""

from __future__ import annotations

from typing import Final

from gesso_telemetry.metering import SECONDS, Kind, Metric

_CALL_SECONDS: Final = (
    0.0001,
    0.00025,
    0.0005,
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1,
    10,
)
_SIZES: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
STATE: Final = "gesso.state"
OUTCOME: Final = "gesso.outcome"
ERROR: Final = "error.type"
REASON: Final = "gesso.reason"
PEER: Final = "gesso.peer"
QUEUE: Final = "gesso.queue"
TIMER: Final = "gesso.timer"
SERVER: Final = "gesso.server"
FUNCTION: Final = "gesso.function"


def _counter(name: str, unit: str, text: str, *labels: str) -> Metric:
    return Metric(name=name, kind=Kind.COUNTER, unit=unit, text=text, labels=labels)


def _sum(name: str, unit: str, text: str, *labels: str) -> Metric:
    return Metric(name=name, kind=Kind.SUM, unit=unit, text=text, labels=labels)


def _gauge(name: str, unit: str, text: str, *labels: str) -> Metric:
    return Metric(name=name, kind=Kind.GAUGE, unit=unit, text=text, labels=labels)


def _histogram(name: str, unit: str, bounds: tuple[float, ...], text: str, *labels: str) -> Metric:
    return Metric(name=name, kind=Kind.HISTOGRAM, unit=unit, text=text, labels=labels, bounds=bounds)


# --- what each coordinator has done ---------------------------------------------------------------

CANVASES_ACCEPTED = _counter("gesso.canvases.accepted", "{canvas}", "Canvases that were accepted")
CANVASES_ENDED = _counter(
    "gesso.canvases.ended", "{canvas}", "Canvases that ended, by their last state", STATE
)
TASKS_ENDED = _counter("gesso.tasks.ended", "{task}", "Tasks that ended, by their last state", STATE)
DELIVERIES = _counter(
    "gesso.deliveries", "{delivery}", "Tasks that were given to a worker, each time counted"
)
ATTEMPTS = _counter(
    "gesso.attempts", "{attempt}", "Attempts that were reported, by how they ended", OUTCOME, ERROR
)
OVERRAN = _counter(
    "gesso.attempts.overran", "{attempt}", "Attempts that were ended because they ran past their limit"
)
LOST = _counter(
    "gesso.attempts.lost", "{attempt}", "Attempts that ended with their process, or by its silence"
)
RETRIES = _counter("gesso.retries", "{retry}", "Failed attempts after which there is another one")
RETURNS = _counter("gesso.returns", "{task}", "Tasks that came back without an end, and without blame")
LEASE_EXPIRIES = _counter("gesso.lease.expiries", "{lease}", "Leases of workers that ended by silence")
REFUSED = _counter(
    "gesso.reports.refused", "{report}", "Workers' reports that changed nothing, by reason", REASON
)
FRAMES = _counter("gesso.frames", "{frame}", "Frames that came from workers")
ROLLBACKS = _counter(
    "gesso.store.rollbacks", "{rollback}", "Times that the store had forgotten what it acknowledged"
)
STREAMS = _sum("gesso.streams", "{stream}", "Open streams of workers and of clients", PEER)
SLOTS = _sum("gesso.worker.slots", "{slot}", "Tasks that the connected workers can run at one time")
QUEUED = _histogram(
    "gesso.task.queue.duration", "s", SECONDS, "How long a task waited in its queue for delivery"
)
RAN = _histogram("gesso.task.run.duration", "s", SECONDS, "How long an attempt ran, by its worker's clock")
TOOK = _histogram("gesso.canvas.duration", "s", SECONDS, "How long a canvas took, from acceptance to its end")
CALLS = _histogram(
    "gesso.store.call.duration", "s", _CALL_SECONDS, "How long a call to the store took", FUNCTION
)
REPORTS = _histogram(
    "gesso.frame.reports", "{report}", _SIZES, "Ends of attempts that one call reported to the store"
)
GRANTS = _histogram("gesso.frame.grants", "{task}", _SIZES, "Tasks that one call brought back for a worker")

OWN: Final = (
    CANVASES_ACCEPTED, CANVASES_ENDED, TASKS_ENDED, DELIVERIES, ATTEMPTS, OVERRAN, LOST, RETRIES, RETURNS,
    LEASE_EXPIRIES, REFUSED, FRAMES, ROLLBACKS, STREAMS, SLOTS, QUEUED, RAN, TOOK, CALLS, REPORTS, GRANTS,
)  # fmt: skip

# --- what the store holds, alike from every coordinator -------------------------------------------

DEPTH = _sum("gesso.queue.depth", "{task}", "Tasks that wait for a worker", QUEUE)
OLDEST = _gauge("gesso.queue.oldest_age", "s", "How long the oldest waiting task has waited", QUEUE)
RUNNING = _sum("gesso.queue.running", "{task}", "Tasks that workers hold", QUEUE)
WORKERS = _sum("gesso.queue.workers", "{session}", "Workers' sessions that take from the queue", QUEUE)
PAUSED = _gauge("gesso.queue.paused", "1", "1 while the queue is paused, else 0", QUEUE)
UNROUTABLE = _sum(
    "gesso.queue.unroutable", "{task}", "Waiting tasks that no worker of the queue knows", QUEUE
)
TIMERS = _sum("gesso.timers", "{timer}", "What waits for its time, by what it is", TIMER)
DEAD = _sum("gesso.dead_letters", "{task}", "Dead tasks that are listed")
DEAD_DROPPED = _counter("gesso.dead_letters.dropped", "{task}", "Dead tasks that the list had no room for")
KEPT = _sum(
    "gesso.canvases.kept", "{canvas}", "Canvases in the store, ended ones with their results included"
)
OPEN_NODES = _sum("gesso.nodes.open", "{node}", "Nodes that have not ended, which the quota limits")
BACKLOG = _sum("gesso.store.backlog", "{item}", "Work that ends of nodes have left to sweeps")
MEMORY = _sum("gesso.store.memory", "By", "Memory that the store uses", SERVER)
MEMORY_LIMIT = _gauge(
    "gesso.store.memory.limit", "By", "Memory that the store may use, 0 for no limit", SERVER
)
SCRIPT_TIME = _counter(
    "gesso.store.script.duration", "s", "Time that functions took of the store's one core", SERVER
)
SCRIPT_CALLS = _counter(
    "gesso.store.script.calls", "{call}", "Calls of functions that the store has served", SERVER
)

SHARED: Final = (
    DEPTH, OLDEST, RUNNING, WORKERS, PAUSED, UNROUTABLE, TIMERS, DEAD, DEAD_DROPPED, KEPT, OPEN_NODES, BACKLOG, MEMORY,
    MEMORY_LIMIT, SCRIPT_TIME, SCRIPT_CALLS,
)  # fmt: skip
