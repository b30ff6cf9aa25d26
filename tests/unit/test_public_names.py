"""The public names, frozen: a name that comes or goes is a change for every user, and shows here."""

from __future__ import annotations

from types import ModuleType

import pytest

import gesso
from gesso import aio, errors, exceptions

GESSO = """
    App Task Request current_app
    signature maybe_signature Signature Canvas chain group chord xmap xstarmap chunks
    StampingVisitor settled quorum first Outcome RetryPolicy
    AsyncResult GroupResult EagerResult EagerGroupResult allow_join_result CanvasInfo
    TaskError ChordError WorkerLost TimeLimitExceeded TaskRevokedError JoinTimeout MaxRetriesExceededError
    SoftTimeLimitExceeded
    WatchEvent CanvasEvent NodeEvent GroupEvent SnapshotEvent ResetEvent
    Failure failure_of
    Ignore Reject Retry
    GessoError TimeoutError IncompleteStream ServiceError InvalidArgument InvalidCanvas RequestIdReused NotFound
    FailedPrecondition ResourceExhausted AccessDenied NotServed CoordinatorFault Unavailable
    register_codec
"""

AIO = """
    delay apply_async send apply AsyncResult GroupResult EagerResult EagerGroupResult
    revoke revoke_by_stamped_headers cancel retry canvases close watch watch_canvases
"""

ERRORS = """
    REASONS AccessDenied ChordError CoordinatorFault DeadlineExceeded FailedPrecondition GessoError Ignore
    IncompleteStream InvalidArgument InvalidCanvas JoinTimeout MaxRetriesExceededError NotFound NotServed Reject Replace
    RequestIdReused ResourceExhausted Retry ServiceError SoftTimeLimitExceeded TaskError TaskPredicate
    TaskRevokedError TimeLimitExceeded TimeoutError
    Unavailable Violation WorkerLost
"""

EXCEPTIONS = """
    ChordError Ignore IncompleteStream MaxRetriesExceededError Reject Retry TaskError TaskPredicate
    TaskRevokedError SoftTimeLimitExceeded TimeLimitExceeded
    TimeoutError WorkerLostError
"""


@pytest.mark.parametrize(
    ("module", "names"),
    [(gesso, GESSO), (aio, AIO), (errors, ERRORS), (exceptions, EXCEPTIONS)],
    ids=["gesso", "aio", "errors", "exceptions"],
)
def test_the_public_names_are_these(module: ModuleType, names: str) -> None:
    """A module offers these names, each once, and no others."""
    assert sorted(module.__all__) == sorted(names.split())


@pytest.mark.parametrize("module", [gesso, aio, errors], ids=["gesso", "aio", "errors"])
def test_every_public_name_exists(module: ModuleType) -> None:
    """What a module offers can be had from it."""
    assert [name for name in module.__all__ if not hasattr(module, name)] == []
