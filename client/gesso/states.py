"""The states a result shows: Celery's names for the states of nodes."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from gesso.v1 import node_pb2

__all__ = [
    "FAILURE",
    "IGNORED",
    "PENDING",
    "READY",
    "RECEIVED",
    "RETRY",
    "REVOKED",
    "SCHEDULED",
    "STARTED",
    "SUCCESS",
    "shown_state",
]

PENDING = "PENDING"
"""It waits for what it depends on, or in its queue; or nothing is known about it."""
SCHEDULED = "SCHEDULED"
"""It waits for its time."""
RECEIVED = "RECEIVED"
"""A worker has it and has not started it."""
STARTED = "STARTED"
"""A worker runs it, or what it was replaced with."""
RETRY = "RETRY"
"""It failed and is going to be run again."""
SUCCESS = "SUCCESS"
"""It ended well."""
FAILURE = "FAILURE"
"""It ended with an error, its own or one of a task before it."""
REVOKED = "REVOKED"
"""It was revoked, or not started in time."""
IGNORED = "IGNORED"
"""It asked to be ignored, or a task before it did; or it is an error link that was not needed."""

READY = frozenset({SUCCESS, FAILURE, REVOKED, IGNORED})
"""States that last."""

_State = node_pb2.Node.State

_SHOWN: Mapping[int, str] = MappingProxyType(
    {
        _State.STATE_UNSPECIFIED: PENDING,
        _State.STATE_WAITING: PENDING,
        _State.STATE_DELAYED: SCHEDULED,
        _State.STATE_GRANTED: RECEIVED,
        _State.STATE_RUNNING: STARTED,
        _State.STATE_RETRY_WAIT: RETRY,
        _State.STATE_CANCELLING: STARTED,
        _State.STATE_REPLACED: STARTED,
        _State.STATE_OPEN: PENDING,
        _State.STATE_SUCCEEDED: SUCCESS,
        _State.STATE_FAILED: FAILURE,
        _State.STATE_DEAD: FAILURE,
        _State.STATE_CANCELLED: REVOKED,
        _State.STATE_EXPIRED: REVOKED,
        _State.STATE_IGNORED: IGNORED,
        _State.STATE_DROPPED: IGNORED,
    },
)

FINAL: frozenset[int] = frozenset(number for number, shown in _SHOWN.items() if shown in READY)
"""The states of nodes that last."""

_CUSTOM_SHOWN_FOR = frozenset({_State.STATE_RUNNING, _State.STATE_IGNORED})
"""Where the state that a task set for itself is shown: while it runs, and when it asked to be ignored."""


def shown_state(state: int, custom_state: str = "") -> str:
    """Return what to show for a node's state.

    Args:
        state: A `Node.State`. One that is not known here is PENDING: a newer coordinator's, not final.
        custom_state: The state that the task set for itself. Empty when it set none.
    """
    if custom_state and state in _CUSTOM_SHOWN_FOR:
        return custom_state
    return _SHOWN.get(state, PENDING)
