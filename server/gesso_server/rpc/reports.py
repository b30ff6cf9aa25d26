"""What workers report, as the store takes it."""

from __future__ import annotations

from datetime import timedelta

from gesso.v1 import worker_service_pb2 as pb
from gesso_server.store.partition import Reported, TokenRef

_MOST_BYTES = 1_200_000
"""An outcome: a payload of 1 MiB and what goes with it."""
_NO_DELAY = timedelta()
_UNKNOWN_DELAY_MS = 1000
"""How long a task waits that a worker did not know although it said it did."""


def reported(token: TokenRef, outcome: pb.Outcome, worker: str) -> Reported:
    """Return an outcome as the store takes it. One that cannot be taken is a failure of the task."""
    outcome.worker = worker
    kind, delay_ms = "v", 0
    match outcome.WhichOneof("kind"):
        case "value":
            pass
        case "error":
            kind = "e"
        case "ignored":
            kind = "i"
        case "rejected" if outcome.rejected.unknown_task:
            kind, delay_ms = "q", _UNKNOWN_DELAY_MS
        case "rejected":
            kind = "q" if outcome.rejected.requeue else "r"
        case "replacement":
            return _failed(token, outcome, "gesso.NotServed", "replacing a task is not served yet")
        case "retry":
            return _failed(token, outcome, "gesso.NotServed", "retries are not served yet")
        case None:
            return _failed(token, outcome, "gesso.BadOutcome", "the worker reported no outcome")
    if outcome.added_members:
        return _failed(token, outcome, "gesso.NotServed", "adding to a chord is not served yet")
    blob = outcome.SerializeToString()
    if len(blob) > _MOST_BYTES:
        text = f"the outcome has {len(blob)} bytes, more than {_MOST_BYTES}"
        return _failed(token, outcome, "gesso.ResultTooLarge", text)
    return Reported(token, kind, blob, delay_ms)


def _failed(token: TokenRef, outcome: pb.Outcome, name: str, text: str) -> Reported:
    failed = pb.Outcome(worker=outcome.worker, run_duration=outcome.run_duration)
    failed.error.type = name
    failed.error.message = text
    return Reported(token, "e", failed.SerializeToString())
