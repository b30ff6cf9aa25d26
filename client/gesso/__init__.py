"""Gesso: Celery's canvases as a gRPC service.

from gesso import App, chain, chord, group

app = App("proj")  # GESSO_ADDRESS, default localhost:7365

@app.task
def add(x, y):
    return x + y

(add.s(2, 2) | add.s(4)).delay().get(timeout=10)
"""

from gesso import _grpc_environment  # first: before anything that imports gRPC
from gesso.app import App
from gesso.canvas import (
    Canvas,
    Chain,
    Chord,
    Chunks,
    Group,
    Map,
    RetryPolicy,
    Signature,
    StampingVisitor,
    Starmap,
    current_app,
    first,
    maybe_signature,
    quorum,
    settled,
    signature,
)
from gesso.codec import register_codec
from gesso.eager import EagerGroupResult, EagerResult
from gesso.errors import (
    AccessDenied,
    ChordError,
    CoordinatorFault,
    FailedPrecondition,
    GessoError,
    Ignore,
    IncompleteStream,
    InvalidArgument,
    InvalidCanvas,
    JoinTimeout,
    MaxRetriesExceededError,
    NotFound,
    NotServed,
    Reject,
    RequestIdReused,
    ResourceExhausted,
    Retry,
    ServiceError,
    SoftTimeLimitExceeded,
    TaskError,
    TaskRevokedError,
    TimeLimitExceeded,
    TimeoutError,  # noqa: A004 - Celery's name
    Unavailable,
    WorkerLost,
)
from gesso.failure import Failure, failure_of
from gesso.group_result import GroupResult
from gesso.listing import CanvasInfo
from gesso.request import Request, allow_join_result
from gesso.result import AsyncResult
from gesso.task import Task
from gesso.values import Outcome
from gesso.watching import CanvasEvent, GroupEvent, NodeEvent, ResetEvent, SnapshotEvent, WatchEvent

# The primitives under Celery's names: here, since `gesso.canvas` has modules that are called so.
chain = Chain
group = Group
chord = Chord
xmap = Map
xstarmap = Starmap
chunks = Chunks

__all__ = [  # noqa: RUF022 - by idea
    # The project and its tasks.
    "App",
    "Task",
    "Request",
    "current_app",
    # Canvases.
    "signature",
    "maybe_signature",
    "Signature",
    "Canvas",
    "chain",
    "group",
    "chord",
    "xmap",
    "xstarmap",
    "chunks",
    # How they are stamped, joined and retried.
    "StampingVisitor",
    "settled",
    "quorum",
    "first",
    "Outcome",
    "RetryPolicy",
    # Results.
    "AsyncResult",
    "GroupResult",
    "EagerResult",
    "EagerGroupResult",
    "allow_join_result",
    "CanvasInfo",
    # What watching tells.
    "WatchEvent",
    "CanvasEvent",
    "NodeEvent",
    "GroupEvent",
    "SnapshotEvent",
    "ResetEvent",
    # What a task ended with.
    "TaskError",
    "ChordError",
    "WorkerLost",
    "TimeLimitExceeded",
    "TaskRevokedError",
    "JoinTimeout",
    "MaxRetriesExceededError",
    "SoftTimeLimitExceeded",
    "Failure",
    "failure_of",
    # What a task says about how it is to end.
    "Ignore",
    "Reject",
    "Retry",
    # What goes wrong around them.
    "GessoError",
    "TimeoutError",
    "IncompleteStream",
    "ServiceError",
    "InvalidArgument",
    "InvalidCanvas",
    "RequestIdReused",
    "NotFound",
    "FailedPrecondition",
    "ResourceExhausted",
    "AccessDenied",
    "NotServed",
    "CoordinatorFault",
    "Unavailable",
    # Values.
    "register_codec",
]

del _grpc_environment
