"""The app and the tasks that Celery's workers run, with the settings of someone who wants it fast.

Beside the defaults: more prefetched than 4 a process, as Celery's own guide advises for short tasks; no events, no
remote control, no rate limits, which take a share of the worker's time and which nothing here uses; a logger that does
not write a line per task. Tasks are acknowledged before they run (Celery's default), which is faster than what Gesso
promises: a task that dies with its worker is lost.
"""

from __future__ import annotations

import os

from celery import Celery

_URL = os.environ["BENCH_STORE"]

app = Celery("bench", broker=f"redis+socket://{_URL}", backend=f"redis+socket://{_URL}")
app.conf.update(
    worker_prefetch_multiplier=128,
    worker_disable_rate_limits=True,
    worker_enable_remote_control=False,
    worker_send_task_events=False,
    task_track_started=False,
    task_default_queue="default",
    redis_max_connections=64,
)


@app.task(name="bench.add")
def add(x: int, y: int) -> int:
    """Add two numbers."""
    return x + y


@app.task(name="bench.count")
def count(values: list[int]) -> int:
    """Return how many values there are."""
    return len(values)
