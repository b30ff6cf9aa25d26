import datetime

from gesso.v1 import canvas_pb2 as _canvas_pb2
from gesso.v1 import limit_pb2 as _limit_pb2
from gesso.v1 import payload_pb2 as _payload_pb2
from gesso.v1 import signature_pb2 as _signature_pb2
from gesso.v1 import task_error_pb2 as _task_error_pb2
from gesso.v1 import value_item_pb2 as _value_item_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Token(_message.Message):
    __slots__ = ("node_id", "attempt", "nonce")
    NODE_ID_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    NONCE_FIELD_NUMBER: _ClassVar[int]
    node_id: str
    attempt: int
    nonce: int
    def __init__(self, node_id: _Optional[str] = ..., attempt: _Optional[int] = ..., nonce: _Optional[int] = ...) -> None: ...

class WorkRequest(_message.Message):
    __slots__ = ("hello", "frame", "credit_count", "started", "reports", "returned", "progress", "goodbye")
    class Hello(_message.Message):
        __slots__ = ("protocol_version", "session_id", "epoch", "queues", "tasks", "slot_count", "held", "worker", "dead_sessions", "limits")
        PROTOCOL_VERSION_FIELD_NUMBER: _ClassVar[int]
        SESSION_ID_FIELD_NUMBER: _ClassVar[int]
        EPOCH_FIELD_NUMBER: _ClassVar[int]
        QUEUES_FIELD_NUMBER: _ClassVar[int]
        TASKS_FIELD_NUMBER: _ClassVar[int]
        SLOT_COUNT_FIELD_NUMBER: _ClassVar[int]
        HELD_FIELD_NUMBER: _ClassVar[int]
        WORKER_FIELD_NUMBER: _ClassVar[int]
        DEAD_SESSIONS_FIELD_NUMBER: _ClassVar[int]
        LIMITS_FIELD_NUMBER: _ClassVar[int]
        protocol_version: int
        session_id: str
        epoch: int
        queues: _containers.RepeatedScalarFieldContainer[str]
        tasks: _containers.RepeatedScalarFieldContainer[str]
        slot_count: int
        held: _containers.RepeatedCompositeFieldContainer[Token]
        worker: str
        dead_sessions: _containers.RepeatedCompositeFieldContainer[WorkRequest.DeadSession]
        limits: _containers.RepeatedCompositeFieldContainer[_limit_pb2.Limit]
        def __init__(self, protocol_version: _Optional[int] = ..., session_id: _Optional[str] = ..., epoch: _Optional[int] = ..., queues: _Optional[_Iterable[str]] = ..., tasks: _Optional[_Iterable[str]] = ..., slot_count: _Optional[int] = ..., held: _Optional[_Iterable[_Union[Token, _Mapping]]] = ..., worker: _Optional[str] = ..., dead_sessions: _Optional[_Iterable[_Union[WorkRequest.DeadSession, _Mapping]]] = ..., limits: _Optional[_Iterable[_Union[_limit_pb2.Limit, _Mapping]]] = ...) -> None: ...
    class DeadSession(_message.Message):
        __slots__ = ("session_id", "crashed", "overran")
        SESSION_ID_FIELD_NUMBER: _ClassVar[int]
        CRASHED_FIELD_NUMBER: _ClassVar[int]
        OVERRAN_FIELD_NUMBER: _ClassVar[int]
        session_id: str
        crashed: _containers.RepeatedCompositeFieldContainer[Token]
        overran: _containers.RepeatedCompositeFieldContainer[Token]
        def __init__(self, session_id: _Optional[str] = ..., crashed: _Optional[_Iterable[_Union[Token, _Mapping]]] = ..., overran: _Optional[_Iterable[_Union[Token, _Mapping]]] = ...) -> None: ...
    class Progress(_message.Message):
        __slots__ = ("token", "state", "meta")
        TOKEN_FIELD_NUMBER: _ClassVar[int]
        STATE_FIELD_NUMBER: _ClassVar[int]
        META_FIELD_NUMBER: _ClassVar[int]
        token: Token
        state: str
        meta: _payload_pb2.Payload
        def __init__(self, token: _Optional[_Union[Token, _Mapping]] = ..., state: _Optional[str] = ..., meta: _Optional[_Union[_payload_pb2.Payload, _Mapping]] = ...) -> None: ...
    class Goodbye(_message.Message):
        __slots__ = ()
        def __init__(self) -> None: ...
    HELLO_FIELD_NUMBER: _ClassVar[int]
    FRAME_FIELD_NUMBER: _ClassVar[int]
    CREDIT_COUNT_FIELD_NUMBER: _ClassVar[int]
    STARTED_FIELD_NUMBER: _ClassVar[int]
    REPORTS_FIELD_NUMBER: _ClassVar[int]
    RETURNED_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    GOODBYE_FIELD_NUMBER: _ClassVar[int]
    hello: WorkRequest.Hello
    frame: int
    credit_count: int
    started: _containers.RepeatedCompositeFieldContainer[Token]
    reports: _containers.RepeatedCompositeFieldContainer[Report]
    returned: _containers.RepeatedCompositeFieldContainer[Token]
    progress: _containers.RepeatedCompositeFieldContainer[WorkRequest.Progress]
    goodbye: WorkRequest.Goodbye
    def __init__(self, hello: _Optional[_Union[WorkRequest.Hello, _Mapping]] = ..., frame: _Optional[int] = ..., credit_count: _Optional[int] = ..., started: _Optional[_Iterable[_Union[Token, _Mapping]]] = ..., reports: _Optional[_Iterable[_Union[Report, _Mapping]]] = ..., returned: _Optional[_Iterable[_Union[Token, _Mapping]]] = ..., progress: _Optional[_Iterable[_Union[WorkRequest.Progress, _Mapping]]] = ..., goodbye: _Optional[_Union[WorkRequest.Goodbye, _Mapping]] = ...) -> None: ...

class Report(_message.Message):
    __slots__ = ("token", "outcome")
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    token: Token
    outcome: Outcome
    def __init__(self, token: _Optional[_Union[Token, _Mapping]] = ..., outcome: _Optional[_Union[Outcome, _Mapping]] = ...) -> None: ...

class Outcome(_message.Message):
    __slots__ = ("value", "error", "ignored", "rejected", "retry", "replacement", "run_duration", "added_members", "worker", "progress")
    class Ignored(_message.Message):
        __slots__ = ("custom_state",)
        CUSTOM_STATE_FIELD_NUMBER: _ClassVar[int]
        custom_state: str
        def __init__(self, custom_state: _Optional[str] = ...) -> None: ...
    class Rejected(_message.Message):
        __slots__ = ("requeue", "unknown_task")
        REQUEUE_FIELD_NUMBER: _ClassVar[int]
        UNKNOWN_TASK_FIELD_NUMBER: _ClassVar[int]
        requeue: bool
        unknown_task: bool
        def __init__(self, requeue: bool = ..., unknown_task: bool = ...) -> None: ...
    class Retry(_message.Message):
        __slots__ = ("delay", "error", "max_retry_count", "unlimited")
        DELAY_FIELD_NUMBER: _ClassVar[int]
        ERROR_FIELD_NUMBER: _ClassVar[int]
        MAX_RETRY_COUNT_FIELD_NUMBER: _ClassVar[int]
        UNLIMITED_FIELD_NUMBER: _ClassVar[int]
        delay: _duration_pb2.Duration
        error: _task_error_pb2.TaskError
        max_retry_count: int
        unlimited: bool
        def __init__(self, delay: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., error: _Optional[_Union[_task_error_pb2.TaskError, _Mapping]] = ..., max_retry_count: _Optional[int] = ..., unlimited: bool = ...) -> None: ...
    class Replacement(_message.Message):
        __slots__ = ("canvas",)
        CANVAS_FIELD_NUMBER: _ClassVar[int]
        canvas: _canvas_pb2.Canvas
        def __init__(self, canvas: _Optional[_Union[_canvas_pb2.Canvas, _Mapping]] = ...) -> None: ...
    VALUE_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    IGNORED_FIELD_NUMBER: _ClassVar[int]
    REJECTED_FIELD_NUMBER: _ClassVar[int]
    RETRY_FIELD_NUMBER: _ClassVar[int]
    REPLACEMENT_FIELD_NUMBER: _ClassVar[int]
    RUN_DURATION_FIELD_NUMBER: _ClassVar[int]
    ADDED_MEMBERS_FIELD_NUMBER: _ClassVar[int]
    WORKER_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    value: _payload_pb2.Payload
    error: _task_error_pb2.TaskError
    ignored: Outcome.Ignored
    rejected: Outcome.Rejected
    retry: Outcome.Retry
    replacement: Outcome.Replacement
    run_duration: _duration_pb2.Duration
    added_members: _containers.RepeatedCompositeFieldContainer[_canvas_pb2.Canvas]
    worker: str
    progress: WorkRequest.Progress
    def __init__(self, value: _Optional[_Union[_payload_pb2.Payload, _Mapping]] = ..., error: _Optional[_Union[_task_error_pb2.TaskError, _Mapping]] = ..., ignored: _Optional[_Union[Outcome.Ignored, _Mapping]] = ..., rejected: _Optional[_Union[Outcome.Rejected, _Mapping]] = ..., retry: _Optional[_Union[Outcome.Retry, _Mapping]] = ..., replacement: _Optional[_Union[Outcome.Replacement, _Mapping]] = ..., run_duration: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., added_members: _Optional[_Iterable[_Union[_canvas_pb2.Canvas, _Mapping]]] = ..., worker: _Optional[str] = ..., progress: _Optional[_Union[WorkRequest.Progress, _Mapping]] = ...) -> None: ...

class WorkResponse(_message.Message):
    __slots__ = ("welcome", "assignments", "acknowledged_frame", "refusals", "cancellations", "draining")
    class Welcome(_message.Message):
        __slots__ = ("drops", "heartbeat_interval")
        DROPS_FIELD_NUMBER: _ClassVar[int]
        HEARTBEAT_INTERVAL_FIELD_NUMBER: _ClassVar[int]
        drops: _containers.RepeatedCompositeFieldContainer[Token]
        heartbeat_interval: _duration_pb2.Duration
        def __init__(self, drops: _Optional[_Iterable[_Union[Token, _Mapping]]] = ..., heartbeat_interval: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...
    class Refusal(_message.Message):
        __slots__ = ("token", "reason")
        class Reason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
            __slots__ = ()
            REASON_UNSPECIFIED: _ClassVar[WorkResponse.Refusal.Reason]
            REASON_STALE: _ClassVar[WorkResponse.Refusal.Reason]
            REASON_DUPLICATE: _ClassVar[WorkResponse.Refusal.Reason]
            REASON_UNKNOWN_TASK: _ClassVar[WorkResponse.Refusal.Reason]
            REASON_INVALID: _ClassVar[WorkResponse.Refusal.Reason]
        REASON_UNSPECIFIED: WorkResponse.Refusal.Reason
        REASON_STALE: WorkResponse.Refusal.Reason
        REASON_DUPLICATE: WorkResponse.Refusal.Reason
        REASON_UNKNOWN_TASK: WorkResponse.Refusal.Reason
        REASON_INVALID: WorkResponse.Refusal.Reason
        TOKEN_FIELD_NUMBER: _ClassVar[int]
        REASON_FIELD_NUMBER: _ClassVar[int]
        token: Token
        reason: WorkResponse.Refusal.Reason
        def __init__(self, token: _Optional[_Union[Token, _Mapping]] = ..., reason: _Optional[_Union[WorkResponse.Refusal.Reason, str]] = ...) -> None: ...
    class Cancellation(_message.Message):
        __slots__ = ("token", "terminate")
        TOKEN_FIELD_NUMBER: _ClassVar[int]
        TERMINATE_FIELD_NUMBER: _ClassVar[int]
        token: Token
        terminate: bool
        def __init__(self, token: _Optional[_Union[Token, _Mapping]] = ..., terminate: bool = ...) -> None: ...
    WELCOME_FIELD_NUMBER: _ClassVar[int]
    ASSIGNMENTS_FIELD_NUMBER: _ClassVar[int]
    ACKNOWLEDGED_FRAME_FIELD_NUMBER: _ClassVar[int]
    REFUSALS_FIELD_NUMBER: _ClassVar[int]
    CANCELLATIONS_FIELD_NUMBER: _ClassVar[int]
    DRAINING_FIELD_NUMBER: _ClassVar[int]
    welcome: WorkResponse.Welcome
    assignments: _containers.RepeatedCompositeFieldContainer[Assignment]
    acknowledged_frame: int
    refusals: _containers.RepeatedCompositeFieldContainer[WorkResponse.Refusal]
    cancellations: _containers.RepeatedCompositeFieldContainer[WorkResponse.Cancellation]
    draining: bool
    def __init__(self, welcome: _Optional[_Union[WorkResponse.Welcome, _Mapping]] = ..., assignments: _Optional[_Iterable[_Union[Assignment, _Mapping]]] = ..., acknowledged_frame: _Optional[int] = ..., refusals: _Optional[_Iterable[_Union[WorkResponse.Refusal, _Mapping]]] = ..., cancellations: _Optional[_Iterable[_Union[WorkResponse.Cancellation, _Mapping]]] = ..., draining: bool = ...) -> None: ...

class Assignment(_message.Message):
    __slots__ = ("signature", "stamps", "token", "task_id", "value", "values", "elsewhere", "failed", "trace_id", "span_id", "root_id", "parent_id", "group_id", "failure_count", "tracestate", "iteration", "group_ids", "sampled", "baggage")
    class Iteration(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        ITERATION_UNSPECIFIED: _ClassVar[Assignment.Iteration]
        ITERATION_MAP: _ClassVar[Assignment.Iteration]
        ITERATION_STARMAP: _ClassVar[Assignment.Iteration]
    ITERATION_UNSPECIFIED: Assignment.Iteration
    ITERATION_MAP: Assignment.Iteration
    ITERATION_STARMAP: Assignment.Iteration
    class StampsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: _signature_pb2.Stamp
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[_signature_pb2.Stamp, _Mapping]] = ...) -> None: ...
    class InputElsewhere(_message.Message):
        __slots__ = ("node_id",)
        NODE_ID_FIELD_NUMBER: _ClassVar[int]
        node_id: str
        def __init__(self, node_id: _Optional[str] = ...) -> None: ...
    class FailedTask(_message.Message):
        __slots__ = ("task_id", "signature", "error")
        TASK_ID_FIELD_NUMBER: _ClassVar[int]
        SIGNATURE_FIELD_NUMBER: _ClassVar[int]
        ERROR_FIELD_NUMBER: _ClassVar[int]
        task_id: str
        signature: _signature_pb2.Signature
        error: _task_error_pb2.TaskError
        def __init__(self, task_id: _Optional[str] = ..., signature: _Optional[_Union[_signature_pb2.Signature, _Mapping]] = ..., error: _Optional[_Union[_task_error_pb2.TaskError, _Mapping]] = ...) -> None: ...
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    STAMPS_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    ELSEWHERE_FIELD_NUMBER: _ClassVar[int]
    FAILED_FIELD_NUMBER: _ClassVar[int]
    TRACE_ID_FIELD_NUMBER: _ClassVar[int]
    SPAN_ID_FIELD_NUMBER: _ClassVar[int]
    ROOT_ID_FIELD_NUMBER: _ClassVar[int]
    PARENT_ID_FIELD_NUMBER: _ClassVar[int]
    GROUP_ID_FIELD_NUMBER: _ClassVar[int]
    FAILURE_COUNT_FIELD_NUMBER: _ClassVar[int]
    TRACESTATE_FIELD_NUMBER: _ClassVar[int]
    ITERATION_FIELD_NUMBER: _ClassVar[int]
    GROUP_IDS_FIELD_NUMBER: _ClassVar[int]
    SAMPLED_FIELD_NUMBER: _ClassVar[int]
    BAGGAGE_FIELD_NUMBER: _ClassVar[int]
    signature: _signature_pb2.Signature
    stamps: _containers.MessageMap[str, _signature_pb2.Stamp]
    token: Token
    task_id: str
    value: _payload_pb2.Payload
    values: _payload_pb2.PayloadList
    elsewhere: Assignment.InputElsewhere
    failed: Assignment.FailedTask
    trace_id: str
    span_id: str
    root_id: str
    parent_id: str
    group_id: str
    failure_count: int
    tracestate: str
    iteration: Assignment.Iteration
    group_ids: _containers.RepeatedScalarFieldContainer[str]
    sampled: bool
    baggage: str
    def __init__(self, signature: _Optional[_Union[_signature_pb2.Signature, _Mapping]] = ..., stamps: _Optional[_Mapping[str, _signature_pb2.Stamp]] = ..., token: _Optional[_Union[Token, _Mapping]] = ..., task_id: _Optional[str] = ..., value: _Optional[_Union[_payload_pb2.Payload, _Mapping]] = ..., values: _Optional[_Union[_payload_pb2.PayloadList, _Mapping]] = ..., elsewhere: _Optional[_Union[Assignment.InputElsewhere, _Mapping]] = ..., failed: _Optional[_Union[Assignment.FailedTask, _Mapping]] = ..., trace_id: _Optional[str] = ..., span_id: _Optional[str] = ..., root_id: _Optional[str] = ..., parent_id: _Optional[str] = ..., group_id: _Optional[str] = ..., failure_count: _Optional[int] = ..., tracestate: _Optional[str] = ..., iteration: _Optional[_Union[Assignment.Iteration, str]] = ..., group_ids: _Optional[_Iterable[str]] = ..., sampled: bool = ..., baggage: _Optional[str] = ...) -> None: ...

class ReadInputRequest(_message.Message):
    __slots__ = ("session_id", "node_id", "token")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    NODE_ID_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    node_id: str
    token: Token
    def __init__(self, session_id: _Optional[str] = ..., node_id: _Optional[str] = ..., token: _Optional[_Union[Token, _Mapping]] = ...) -> None: ...

class ReadInputResponse(_message.Message):
    __slots__ = ("items",)
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[_value_item_pb2.ValueItem]
    def __init__(self, items: _Optional[_Iterable[_Union[_value_item_pb2.ValueItem, _Mapping]]] = ...) -> None: ...
