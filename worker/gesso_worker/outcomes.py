"""How an attempt ended, as the report has it: from a returned value, or from what was raised."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from google.protobuf.duration_pb2 import Duration

from gesso.canvas import Canvas, wire
from gesso.canvas.current import route_of
from gesso.codec import DEFAULT, encode_into
from gesso.errors import Ignore, Reject, Replace, Retry, TimeLimitExceeded
from gesso.failure import to_task_error
from gesso.request import Asked
from gesso.v1.signature_pb2 import RetryPolicy
from gesso.v1.task_error_pb2 import TaskError
from gesso.v1.worker_service_pb2 import Assignment, Outcome, WorkRequest
from gesso_worker.errors import CanvasTooLarge, ResultTooLarge, ResultUnencodable, WorkerError

# The contract's default limit for one payload.
MAX_RESULT_BYTES = 1 << 20
# A message to a coordinator has at most 4 MiB, by the contract's default, and a report is not cut.
MAX_CANVAS_BYTES = 4_000_000
# The contract's default for how often a task is retried.
_RETRIES = 3


def unknown_task() -> Outcome:
    """Return the outcome of a task that this worker does not have; another may."""
    return Outcome(rejected=Outcome.Rejected(requeue=True, unknown_task=True))


def returned(value: Any, encoding: str) -> Outcome:
    """Return the outcome of a function that returned `value`.

    Args:
        encoding: Name of the codec to use. Empty means the default.

    Raises:
        ResultUnencodable: If the value cannot be put on the wire.
        ResultTooLarge: If it is too large for it.
    """
    outcome = Outcome()
    try:
        size = encode_into(outcome.value, value, encoding or DEFAULT)
    except Exception as error:
        raise ResultUnencodable(f"The result cannot be encoded: {error}") from error
    if size > MAX_RESULT_BYTES:
        raise ResultTooLarge(size, MAX_RESULT_BYTES)
    return outcome


def raised(error: BaseException, asked: Asked, *, on_header: bool) -> Outcome:
    """Return the outcome of a function that raised `error`; a failure of its own if that cannot be sent.

    Args:
        asked: What it had asked for until then.
        on_header: Whether a chord's error links run for each failed member of its header, too.
    """
    try:
        return with_members(_raised(error, asked, on_header=on_header), asked, on_header=on_header)
    except Exception as unsendable:  # noqa: BLE001 - the user's canvas may hold anything
        return Outcome(error=to_task_error(unsendable, final=True))


def with_members(outcome: Outcome, asked: Asked, *, on_header: bool) -> Outcome:
    """Return the outcome with the members that its attempt adds to its join. Arguments are those of `raised`.

    Raises:
        Exception: If one cannot be sent, see `wire.encode`.
        CanvasTooLarge: If that is too much for a report, or what the task is to be replaced with is.
    """
    if asked.members:
        outcome.added_members.extend(
            wire.encode(member, error_links_on_header=on_header, route=route_of(member))
            for member in asked.members
        )
    elif not outcome.HasField("replacement"):
        return outcome
    if outcome.ByteSize() > MAX_CANVAS_BYTES:
        raise CanvasTooLarge(outcome.ByteSize(), MAX_CANVAS_BYTES)
    return outcome


def progress_of(asked: Asked) -> WorkRequest.Progress:
    """Return the state that an attempt has set for itself."""
    return WorkRequest.Progress(state=asked.state, meta=asked.meta)


def asks_again(outcome: Outcome, assignment: Assignment) -> bool:
    """Return whether a failed attempt is going to be followed by another.

    The coordinator decides that when it has the report. Hooks and signals are told before, here, where the rule is
    therefore kept a second time. What a worker cannot know is whether the task was revoked meanwhile.
    """
    options = assignment.signature.options
    if outcome.rejected.requeue:
        return True
    if outcome.HasField("error"):
        return (
            options.HasField("retry")
            and _retries(options.retry, outcome.error)
            and assignment.failure_count < _most(options.retry)
        )
    if outcome.HasField("retry"):
        own = outcome.retry.HasField("max_retry_count")
        most = outcome.retry.max_retry_count if own else _most(options.retry)
        return outcome.retry.unlimited or assignment.failure_count < most
    return False


def overran() -> Outcome:
    """Return the outcome of an attempt that ran longer than its time limit."""
    return Outcome(error=to_task_error(TimeLimitExceeded("The task ran longer than its time limit.")))


def refused(error: WorkerError) -> Outcome:
    """Return the outcome of a task that this worker does not run, and fails."""
    return Outcome(error=to_task_error(error, final=True))


def _most(policy: RetryPolicy) -> int:
    return policy.max_retry_count if policy.HasField("max_retry_count") else _RETRIES


def _retries(policy: RetryPolicy, error: TaskError) -> bool:
    names = {error.type, *error.base_types}
    if error.final or error.type == TimeLimitExceeded.type or not names.isdisjoint(policy.final_types):
        return False
    return not policy.retried_types or not names.isdisjoint(policy.retried_types)


def _raised(error: BaseException, asked: Asked, *, on_header: bool) -> Outcome:
    match error:
        case Ignore():
            outcome = Outcome(ignored=Outcome.Ignored(custom_state=asked.state))
            if asked.state:
                outcome.progress.CopyFrom(progress_of(asked))
            return outcome
        case Reject():
            return Outcome(rejected=Outcome.Rejected(requeue=error.requeue))
        case Retry():
            return Outcome(retry=_retry(error))
        case Replace(canvas=Canvas() as canvas):
            message = wire.encode(canvas, error_links_on_header=on_header, route=route_of(canvas))
            return Outcome(replacement=Outcome.Replacement(canvas=message))
        case _:
            return Outcome(
                error=to_task_error(error, final=isinstance(error, WorkerError) or error is asked.spent)
            )


def _retry(error: Retry) -> Outcome.Retry:
    retry = Outcome.Retry(
        error=to_task_error(error.exc or error), max_retry_count=error.max_retries, unlimited=error.unlimited
    )
    if error.when is not None:
        retry.delay.CopyFrom(_delay(error.when))
    return retry


def _delay(when: float | datetime) -> Duration:
    """Return how long it is until `when`; a naive instant is in the local time zone."""
    if isinstance(when, datetime):
        when = (when.astimezone(UTC) - datetime.now(UTC)).total_seconds()
    delay = Duration()
    delay.FromMilliseconds(max(0, round(when * 1_000)))
    return delay
