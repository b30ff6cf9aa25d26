"""Everything that Gesso raises.

    GessoError
    ├── ServiceError                 the coordinator refused a call, or did not answer it
    │   ├── InvalidArgument          something in the request is wrong; `violations` says where
    │   │   └── InvalidCanvas        something in the canvas is
    │   ├── RequestIdReused          the request id was used with another content
    │   ├── NotFound                 there is no such canvas or node
    │   ├── FailedPrecondition       not possible as things stand
    │   ├── ResourceExhausted        the coordinator takes no more for the moment, or a message is too large
    │   ├── AccessDenied             the credential is missing, or does not allow the call
    │   ├── NotServed                the contract has it, the coordinator does not
    │   ├── CoordinatorFault         a fault of the coordinator's own
    │   └── Unavailable              no coordinator answered in time
    ├── TimeoutError                 a result was not there in time; the canvas goes on
    ├── IncompleteStream             a result is not ready yet
    ├── TaskError                    a task failed with an error whose class is not known here
    │   ├── ChordError               what stands behind a join whose member failed
    │   ├── WorkerLost               the task's workers died too often
    │   ├── TimeLimitExceeded        the task ran longer than its time limit
    │   ├── TaskRevokedError         the task was revoked, or not started in time
    │   │   └── DeadlineExceeded     the deadline of its canvas passed
    │   ├── JoinTimeout              a join's deadline passed
    │   └── MaxRetriesExceededError  the task asked to be run again too often
    ├── SoftTimeLimitExceeded        raised inside a task that runs longer than its soft time limit
    └── TaskPredicate                what a task raises to say how it is to end
        ├── Ignore                   without a value
        ├── Reject                   not here
        ├── Retry                    by being run again
        └── Replace                  as the canvas that takes its place does

A class is chosen by the error's `reason`, never by its text.
"""

from __future__ import annotations

import builtins
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType

from gesso.v1 import error_reason_pb2

__all__ = [
    "REASONS",
    "AccessDenied",
    "ChordError",
    "CoordinatorFault",
    "DeadlineExceeded",
    "FailedPrecondition",
    "GessoError",
    "Ignore",
    "IncompleteStream",
    "InvalidArgument",
    "InvalidCanvas",
    "JoinTimeout",
    "MaxRetriesExceededError",
    "NotFound",
    "NotServed",
    "Reject",
    "Replace",
    "RequestIdReused",
    "ResourceExhausted",
    "Retry",
    "ServiceError",
    "SoftTimeLimitExceeded",
    "TaskError",
    "TaskPredicate",
    "TaskRevokedError",
    "TimeLimitExceeded",
    "TimeoutError",
    "Unavailable",
    "Violation",
    "WorkerLost",
]


class GessoError(Exception):
    """Any error of Gesso's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """One field of a request that is wrong."""

    field: str
    """Path of the field, such as `canvas.steps[2].signature.task`."""
    description: str
    """What is wrong with it."""


class ServiceError(GessoError):
    """A call that the coordinator refused, or did not answer.

    Attributes:
        reason: A name of `ErrorReason` without its prefix; empty when the error is the transport's own.
        code: Name of the gRPC status code, such as `NOT_FOUND`.
        violations: The fields that are wrong, in the order of the request. Often empty.
        retry_delay: How long to wait before the call is repeated. None when repeating does not help.
    """

    def __init__(
        self,
        message: str = "",
        *,
        reason: str = "",
        code: str = "",
        violations: tuple[Violation, ...] = (),
        retry_delay: timedelta | None = None,
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.code = code
        self.violations = violations
        self.retry_delay = retry_delay

    def __str__(self) -> str:
        lines = [str(self.args[0]) if self.args else ""]
        lines += [f"  {each.field}: {each.description}" for each in self.violations]
        return "\n".join(lines)


class InvalidArgument(ServiceError, ValueError):
    """Something in the request is wrong; `violations` names the fields."""


class InvalidCanvas(InvalidArgument):
    """Something in the canvas is wrong; `violations` names the fields, as paths into the canvas."""


class RequestIdReused(ServiceError):
    """The request id was used before, with another content."""


class NotFound(ServiceError, LookupError):
    """There is no such canvas or node: it was never submitted, or was removed."""


class FailedPrecondition(ServiceError):
    """What was asked is not possible as things stand."""


class ResourceExhausted(ServiceError):
    """The coordinator takes no more for the moment, or a message is too large."""


class AccessDenied(ServiceError, PermissionError):
    """The credential is missing or not valid, or does not allow the call."""


class NotServed(ServiceError, NotImplementedError):
    """The contract has the call, the coordinator does not serve it."""


class CoordinatorFault(ServiceError):
    """A fault of the coordinator's own; the text has an id to look for in its log."""


class Unavailable(ServiceError, ConnectionError):
    """No coordinator answered in time. Whether a submission was accepted is not known."""


class TimeoutError(GessoError, builtins.TimeoutError):  # noqa: A001 - Celery's name, and a subclass of the builtin
    """A result was not there in time. The canvas goes on."""


class IncompleteStream(GessoError):
    """The results of a graph were asked for while one of them is not ready."""


class TaskError(GessoError):
    """The error of a task, of a class that is not known here.

    Attributes:
        type: Name of the class where it was raised, with its module.
    """

    type: str = ""


class ChordError(TaskError):
    """Ends what stands directly behind a join that failed."""

    type = "gesso.ChordError"


class WorkerLost(TaskError):
    """The workers that ran the task died, too often."""

    type = "gesso.WorkerLost"


class TimeLimitExceeded(TaskError):
    """The task ran longer than its time limit, and its process was killed."""

    type = "gesso.TimeLimitExceeded"


class SoftTimeLimitExceeded(GessoError):
    """Raised inside a task that runs longer than its soft time limit. The task may catch it, and end in good order."""


class TaskRevokedError(TaskError):
    """The task was revoked, or was not started in time."""

    type = "gesso.TaskRevokedError"


class DeadlineExceeded(TaskRevokedError):
    """The canvas did not end within its deadline, and what had not ended was cancelled."""

    type = "gesso.DeadlineExceeded"


class JoinTimeout(TaskError):
    """The deadline of a join passed before it had what it needs."""

    type = "gesso.JoinTimeout"


class MaxRetriesExceededError(TaskError):
    """The task asked to be run again more often than it may, and gave no error to end with."""

    type = "gesso.MaxRetriesExceededError"


class TaskPredicate(GessoError):
    """What a task raises to say how it is to end; no failure."""


class Ignore(TaskPredicate):
    """The task ends without a value, and what stands behind it is ignored, too."""


class Reject(TaskPredicate):
    """The task is not to be run here.

    Attributes:
        reason: Why; shown in the worker's log.
        requeue: Whether it is delivered again. By default it ends as an ignored one does.
    """

    def __init__(self, reason: object = None, requeue: bool = False) -> None:  # noqa: FBT001, FBT002 - Celery's
        super().__init__(reason, requeue)
        self.reason = reason
        self.requeue = requeue


class Retry(TaskPredicate):
    """The task is to be run again, under the same id.

    Attributes:
        exc: The error to show meanwhile, and to end with when there are no more attempts.
        when: After how many seconds, or at which instant. None means as the retry policy says.
        max_retries: How many retries at the most. None means as the retry policy says.
        unlimited: Whether there may be any number of retries.
    """

    def __init__(
        self,
        message: str | None = None,
        exc: BaseException | None = None,
        when: float | datetime | None = None,
        max_retries: int | None = None,
        *,
        unlimited: bool = False,
    ) -> None:
        super().__init__(message, exc, when)
        self.message = message
        self.exc = exc
        self.when = when
        self.max_retries = max_retries
        self.unlimited = unlimited

    def __str__(self) -> str:
        if self.message:
            return self.message
        when = f" at {self.when}" if isinstance(self.when, datetime) else f" in {self.when}s"
        return f"Retry{when if self.when is not None else ''}" + (f": {self.exc!r}" if self.exc else "")


class Replace(TaskPredicate):
    """A canvas takes the task's place.

    Attributes:
        canvas: The `gesso.Canvas`.
    """

    def __init__(self, canvas: object) -> None:
        super().__init__(canvas)
        self.canvas = canvas

    def __str__(self) -> str:
        return f"Replaced with {self.canvas!r}"


_CANVAS = (
    "CANVAS_REQUIRED UNKNOWN_NODE_KIND BODY_REQUIRED DEPTH_LIMIT NODE_LIMIT BAD_TASK_NAME BAD_QUEUE_NAME "
    "BAD_DURATION OUT_OF_RANGE CONFLICTING_FIELDS PAYLOAD_TOO_LARGE BAD_STAMP DUPLICATE_ID BAD_LIMIT_KEY"
)
_ARGUMENT = "MALFORMED_MESSAGE BAD_ID BAD_REQUEST_ID BAD_PAGE_TOKEN PROTOCOL BAD_CREDIT BAD_RESUME_TOKEN"
_PRECONDITION = "VERSION UNKNOWN_TASK NO_VALUE CANVAS_ACTIVE NOTHING_FAILED CANVAS_INCOMPLETE NOT_HELD"

REASONS: Mapping[str, type[GessoError]] = MappingProxyType(
    dict.fromkeys(_CANVAS.split(), InvalidCanvas)
    | dict.fromkeys(_ARGUMENT.split(), InvalidArgument)
    | dict.fromkeys(_PRECONDITION.split(), FailedPrecondition)
    | dict.fromkeys(("CANVAS_NOT_FOUND", "NODE_NOT_FOUND"), NotFound)
    | dict.fromkeys(
        ("STORE_UNAVAILABLE", "DURABILITY", "DRAINING", "HELLO_TIMEOUT", "HEARTBEAT_TIMEOUT"), Unavailable
    )
    | dict.fromkeys(("STORE_FULL", "BACKPRESSURE", "QUOTA", "TOO_MANY_WATCHES"), ResourceExhausted)
    | dict.fromkeys(("CREDENTIAL", "ROLE", "QUEUE"), AccessDenied)
    | {
        "REQUEST_ID_REUSED": RequestIdReused,
        "WAIT_TIMEOUT": TimeoutError,
        "NOT_SERVED": NotServed,
        "INTERNAL": CoordinatorFault,
    },
)
"""The class for each reason of the contract."""

CODES: Mapping[str, type[GessoError]] = MappingProxyType(
    {
        "INVALID_ARGUMENT": InvalidArgument,
        "NOT_FOUND": NotFound,
        "ALREADY_EXISTS": RequestIdReused,
        "PERMISSION_DENIED": AccessDenied,
        "UNAUTHENTICATED": AccessDenied,
        "RESOURCE_EXHAUSTED": ResourceExhausted,
        "FAILED_PRECONDITION": FailedPrecondition,
        "UNIMPLEMENTED": NotServed,
        "INTERNAL": CoordinatorFault,
        "UNAVAILABLE": Unavailable,
        "CANCELLED": Unavailable,
        "DEADLINE_EXCEEDED": Unavailable,
    },
)
"""The class for each gRPC status code, for errors without a reason that is known here."""

_PREFIX = "ERROR_REASON_"


def reason_name(number: int) -> str:
    """Return the name of an `ErrorReason` without its prefix; empty for 0 and for one not known here."""
    value = error_reason_pb2.ErrorReason.DESCRIPTOR.values_by_number.get(number)
    return value.name.removeprefix(_PREFIX) if value and number else ""


def reason_number(name: str) -> int:
    """Return the `ErrorReason` of a name without its prefix; 0 for one not known here."""
    value = error_reason_pb2.ErrorReason.DESCRIPTOR.values_by_name.get(_PREFIX + name)
    return value.number if value else 0


def service_error(  # one argument for each fact that the contract's errors carry
    message: str,
    *,
    code: str,
    reason: str = "",
    violations: tuple[Violation, ...] = (),
    retry_delay: timedelta | None = None,
) -> GessoError:
    """Return the error of the class that `reason` stands for, or else `code`."""
    kind = REASONS.get(reason) or CODES.get(code) or ServiceError
    if not issubclass(kind, ServiceError):
        return kind(message)
    return kind(message, reason=reason, code=code, violations=violations, retry_delay=retry_delay)
