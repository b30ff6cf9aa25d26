"""When a task that failed is run again: what its retry policy, or the task itself, says of a failure."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from gesso.v1 import signature_pb2, task_error_pb2, worker_service_pb2
from gesso_server.dispatch.overrun import TIME_LIMIT
from gesso_server.rpc.holdings import Held

UNLIMITED: Final = -1
"""Stands for any number of retries."""
_MOST: Final = 3
"""How often a task is retried that does not say how often."""
_DELAY_MS: Final = 180_000
"""How long a retry waits that does not say how long: Celery's `default_retry_delay`."""
_INITIAL_MS, _FACTOR, _LONGEST_MS, _JITTER = 1000, 2.0, 600_000, 1.0
_MOST_MS = timedelta(days=3653) // timedelta(milliseconds=1)
_MOST_STEPS = 1000
"""A delay that has grown so often is at its longest, or was none to begin with."""
_MS = timedelta(milliseconds=1)
_NANOS_PER_MS = 1_000_000


@dataclass(frozen=True, slots=True)
class Again:
    """A task is to be run again."""

    delay_ms: int
    most: int
    """How many retries at the most, or UNLIMITED."""


def after_error(held: Held | None, error: task_error_pb2.TaskError) -> Again | None:
    """Return how a task is run again that failed; None for not at all.

    Args:
        held: What is known of the attempt; None when there is nothing to know.
        error: What it failed with.
    """
    policy = held.policy if held is not None else None
    if held is None or policy is None or error.final or error.type == TIME_LIMIT:
        return None
    if not retried(policy, [error.type, *error.base_types]):
        return None
    return Again(delay_ms(policy, held.failures + 1), most(policy))


def as_asked(held: Held | None, retry: worker_service_pb2.Outcome.Retry) -> Again:
    """Return how a task is run again that asks for it."""
    policy = held.policy if held is not None else None
    count = _MOST if policy is None else most(policy)
    if retry.unlimited:
        count = UNLIMITED
    elif retry.HasField("max_retry_count"):
        count = max(0, retry.max_retry_count)
    if retry.HasField("delay"):
        asked_ms = retry.delay.seconds * 1000 + retry.delay.nanos // _NANOS_PER_MS
        return Again(min(max(0, asked_ms), _MOST_MS), count)
    if held is None or policy is None:
        return Again(_DELAY_MS, count)
    return Again(delay_ms(policy, held.failures + 1), count)


def most(policy: signature_pb2.RetryPolicy) -> int:
    """Return how many retries a policy allows."""
    return policy.max_retry_count if policy.HasField("max_retry_count") else _MOST


def retried(policy: signature_pb2.RetryPolicy, types: Iterable[str]) -> bool:
    """Return whether a policy retries an error.

    Args:
        policy: The policy.
        types: The names of the error's class and of those that this derives from.
    """
    names = set(types)
    if not names.isdisjoint(policy.final_types):
        return False
    return not policy.retried_types or not names.isdisjoint(policy.retried_types)


def delay_ms(policy: signature_pb2.RetryPolicy, failures: int) -> int:
    """Return how long a policy lets a task wait that has failed so often, from 1 on.

    Source: capped exponential, as in google/cloud/tasks/v2/queue.proto, RetryConfig, with a share of jitter.
    """
    initial = _span_ms(policy, "initial_delay", _INITIAL_MS)
    longest = _span_ms(policy, "max_delay", _LONGEST_MS)
    factor = policy.factor if policy.HasField("factor") else _FACTOR
    jitter = policy.jitter if policy.HasField("jitter") else _JITTER
    try:
        grown = min(longest, initial * factor ** min(failures - 1, _MOST_STEPS))
    except OverflowError:
        grown = longest if initial else 0
    return round(grown * (1 - jitter * random.random()))  # noqa: S311  jitter, no secret


def _span_ms(policy: signature_pb2.RetryPolicy, field: str, default: int) -> int:
    return getattr(policy, field).ToTimedelta() // _MS if policy.HasField(field) else default
