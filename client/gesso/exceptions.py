"""The errors under the names and in the module where Celery has them: `from gesso.exceptions import Retry`."""

from gesso.errors import (
    ChordError,
    Ignore,
    IncompleteStream,
    MaxRetriesExceededError,
    Reject,
    Retry,
    SoftTimeLimitExceeded,
    TaskError,
    TaskPredicate,
    TaskRevokedError,
    TimeLimitExceeded,
    TimeoutError,  # noqa: A004 - Celery's name
)
from gesso.errors import WorkerLost as WorkerLostError

__all__ = [
    "ChordError",
    "Ignore",
    "IncompleteStream",
    "MaxRetriesExceededError",
    "Reject",
    "Retry",
    "SoftTimeLimitExceeded",
    "TaskError",
    "TaskPredicate",
    "TaskRevokedError",
    "TimeLimitExceeded",
    "TimeoutError",
    "WorkerLostError",
]
