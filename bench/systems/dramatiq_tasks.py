"""The broker and the actors that Dramatiq's workers run, with what its guide says of results and group callbacks.

Beside the defaults, in the environment (`launch.py`): more prefetched than 2 a thread, and an idle worker looks for
messages each 10 ms instead of up to each second, because its Redis broker polls.
"""

from __future__ import annotations

import os

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from dramatiq.middleware import GroupCallbacks
from dramatiq.rate_limits.backends import RedisBackend as RedisBarriers
from dramatiq.results import Results
from dramatiq.results.backends import RedisBackend as RedisResults

from bench.systems.side import PARKED

_URL = f"unix://{os.environ['BENCH_STORE']}"

results = RedisResults(url=_URL)
broker = RedisBroker(url=_URL)
broker.add_middleware(Results(backend=results))
broker.add_middleware(GroupCallbacks(RedisBarriers(url=_URL)))
dramatiq.set_broker(broker)


@dramatiq.actor(actor_name="bench.add", store_results=True)
def add(x: int, y: int) -> int:
    """Add two numbers."""
    return x + y


@dramatiq.actor(actor_name="bench.parked", queue_name=PARKED, store_results=True)
def parked(x: int, y: int) -> int:
    """Add two numbers, where nobody works."""
    return x + y


@dramatiq.actor(actor_name="bench.done", store_results=True)
def done(count: int) -> int:
    """Return what it was told when the group was made: a completion callback is given no values."""
    return count
