import datetime

from gesso.v1 import canvas_pb2 as _canvas_pb2
from gesso.v1 import canvas_summary_pb2 as _canvas_summary_pb2
from gesso.v1 import error_reason_pb2 as _error_reason_pb2
from gesso.v1 import group_summary_pb2 as _group_summary_pb2
from gesso.v1 import node_pb2 as _node_pb2
from gesso.v1 import payload_pb2 as _payload_pb2
from gesso.v1 import signature_pb2 as _signature_pb2
from gesso.v1 import task_error_pb2 as _task_error_pb2
from gesso.v1 import value_item_pb2 as _value_item_pb2
from gesso.v1 import waiting_pb2 as _waiting_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SubmitCanvasRequest(_message.Message):
    __slots__ = ("canvas", "request_id", "validate_only", "wait", "traceparent", "tracestate", "deadline", "submitter_node_id", "baggage")
    CANVAS_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    WAIT_FIELD_NUMBER: _ClassVar[int]
    TRACEPARENT_FIELD_NUMBER: _ClassVar[int]
    TRACESTATE_FIELD_NUMBER: _ClassVar[int]
    DEADLINE_FIELD_NUMBER: _ClassVar[int]
    SUBMITTER_NODE_ID_FIELD_NUMBER: _ClassVar[int]
    BAGGAGE_FIELD_NUMBER: _ClassVar[int]
    canvas: _canvas_pb2.Canvas
    request_id: str
    validate_only: bool
    wait: bool
    traceparent: str
    tracestate: str
    deadline: _duration_pb2.Duration
    submitter_node_id: str
    baggage: str
    def __init__(self, canvas: _Optional[_Union[_canvas_pb2.Canvas, _Mapping]] = ..., request_id: _Optional[str] = ..., validate_only: bool = ..., wait: bool = ..., traceparent: _Optional[str] = ..., tracestate: _Optional[str] = ..., deadline: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., submitter_node_id: _Optional[str] = ..., baggage: _Optional[str] = ...) -> None: ...

class SubmitCanvasResponse(_message.Message):
    __slots__ = ("canvas_id", "last", "node_count", "deduplicated", "trace_id", "durability")
    class Durability(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        DURABILITY_UNSPECIFIED: _ClassVar[SubmitCanvasResponse.Durability]
        DURABILITY_MEMORY: _ClassVar[SubmitCanvasResponse.Durability]
        DURABILITY_OS: _ClassVar[SubmitCanvasResponse.Durability]
        DURABILITY_FSYNC: _ClassVar[SubmitCanvasResponse.Durability]
        DURABILITY_REPLICAS: _ClassVar[SubmitCanvasResponse.Durability]
    DURABILITY_UNSPECIFIED: SubmitCanvasResponse.Durability
    DURABILITY_MEMORY: SubmitCanvasResponse.Durability
    DURABILITY_OS: SubmitCanvasResponse.Durability
    DURABILITY_FSYNC: SubmitCanvasResponse.Durability
    DURABILITY_REPLICAS: SubmitCanvasResponse.Durability
    CANVAS_ID_FIELD_NUMBER: _ClassVar[int]
    LAST_FIELD_NUMBER: _ClassVar[int]
    NODE_COUNT_FIELD_NUMBER: _ClassVar[int]
    DEDUPLICATED_FIELD_NUMBER: _ClassVar[int]
    TRACE_ID_FIELD_NUMBER: _ClassVar[int]
    DURABILITY_FIELD_NUMBER: _ClassVar[int]
    canvas_id: str
    last: _node_pb2.Handle
    node_count: int
    deduplicated: bool
    trace_id: str
    durability: SubmitCanvasResponse.Durability
    def __init__(self, canvas_id: _Optional[str] = ..., last: _Optional[_Union[_node_pb2.Handle, _Mapping]] = ..., node_count: _Optional[int] = ..., deduplicated: bool = ..., trace_id: _Optional[str] = ..., durability: _Optional[_Union[SubmitCanvasResponse.Durability, str]] = ...) -> None: ...

class StreamCanvasRequest(_message.Message):
    __slots__ = ("start", "open_paths", "growths")
    class Growth(_message.Message):
        __slots__ = ("open_index", "members", "sealed")
        OPEN_INDEX_FIELD_NUMBER: _ClassVar[int]
        MEMBERS_FIELD_NUMBER: _ClassVar[int]
        SEALED_FIELD_NUMBER: _ClassVar[int]
        open_index: int
        members: _containers.RepeatedCompositeFieldContainer[_canvas_pb2.Canvas]
        sealed: bool
        def __init__(self, open_index: _Optional[int] = ..., members: _Optional[_Iterable[_Union[_canvas_pb2.Canvas, _Mapping]]] = ..., sealed: bool = ...) -> None: ...
    START_FIELD_NUMBER: _ClassVar[int]
    OPEN_PATHS_FIELD_NUMBER: _ClassVar[int]
    GROWTHS_FIELD_NUMBER: _ClassVar[int]
    start: SubmitCanvasRequest
    open_paths: _containers.RepeatedScalarFieldContainer[str]
    growths: _containers.RepeatedCompositeFieldContainer[StreamCanvasRequest.Growth]
    def __init__(self, start: _Optional[_Union[SubmitCanvasRequest, _Mapping]] = ..., open_paths: _Optional[_Iterable[str]] = ..., growths: _Optional[_Iterable[_Union[StreamCanvasRequest.Growth, _Mapping]]] = ...) -> None: ...

class StreamCanvasResponse(_message.Message):
    __slots__ = ("submitted",)
    SUBMITTED_FIELD_NUMBER: _ClassVar[int]
    submitted: SubmitCanvasResponse
    def __init__(self, submitted: _Optional[_Union[SubmitCanvasResponse, _Mapping]] = ...) -> None: ...

class ConverseRequest(_message.Message):
    __slots__ = ("calls",)
    class Call(_message.Message):
        __slots__ = ("call_id", "submit", "wait", "stop")
        CALL_ID_FIELD_NUMBER: _ClassVar[int]
        SUBMIT_FIELD_NUMBER: _ClassVar[int]
        WAIT_FIELD_NUMBER: _ClassVar[int]
        STOP_FIELD_NUMBER: _ClassVar[int]
        call_id: int
        submit: SubmitCanvasRequest
        wait: WaitNodeRequest
        stop: ConverseRequest.StopWaiting
        def __init__(self, call_id: _Optional[int] = ..., submit: _Optional[_Union[SubmitCanvasRequest, _Mapping]] = ..., wait: _Optional[_Union[WaitNodeRequest, _Mapping]] = ..., stop: _Optional[_Union[ConverseRequest.StopWaiting, _Mapping]] = ...) -> None: ...
    class StopWaiting(_message.Message):
        __slots__ = ()
        def __init__(self) -> None: ...
    CALLS_FIELD_NUMBER: _ClassVar[int]
    calls: _containers.RepeatedCompositeFieldContainer[ConverseRequest.Call]
    def __init__(self, calls: _Optional[_Iterable[_Union[ConverseRequest.Call, _Mapping]]] = ...) -> None: ...

class ConverseResponse(_message.Message):
    __slots__ = ("replies", "draining")
    class Reply(_message.Message):
        __slots__ = ("call_id", "submitted", "ended", "error")
        CALL_ID_FIELD_NUMBER: _ClassVar[int]
        SUBMITTED_FIELD_NUMBER: _ClassVar[int]
        ENDED_FIELD_NUMBER: _ClassVar[int]
        ERROR_FIELD_NUMBER: _ClassVar[int]
        call_id: int
        submitted: SubmitCanvasResponse
        ended: WaitNodeResponse
        error: CallError
        def __init__(self, call_id: _Optional[int] = ..., submitted: _Optional[_Union[SubmitCanvasResponse, _Mapping]] = ..., ended: _Optional[_Union[WaitNodeResponse, _Mapping]] = ..., error: _Optional[_Union[CallError, _Mapping]] = ...) -> None: ...
    REPLIES_FIELD_NUMBER: _ClassVar[int]
    DRAINING_FIELD_NUMBER: _ClassVar[int]
    replies: _containers.RepeatedCompositeFieldContainer[ConverseResponse.Reply]
    draining: bool
    def __init__(self, replies: _Optional[_Iterable[_Union[ConverseResponse.Reply, _Mapping]]] = ..., draining: bool = ...) -> None: ...

class CallError(_message.Message):
    __slots__ = ("code", "reason", "message", "violations", "retry_delay")
    class FieldViolation(_message.Message):
        __slots__ = ("field", "description")
        FIELD_FIELD_NUMBER: _ClassVar[int]
        DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
        field: str
        description: str
        def __init__(self, field: _Optional[str] = ..., description: _Optional[str] = ...) -> None: ...
    CODE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    VIOLATIONS_FIELD_NUMBER: _ClassVar[int]
    RETRY_DELAY_FIELD_NUMBER: _ClassVar[int]
    code: int
    reason: _error_reason_pb2.ErrorReason
    message: str
    violations: _containers.RepeatedCompositeFieldContainer[CallError.FieldViolation]
    retry_delay: _duration_pb2.Duration
    def __init__(self, code: _Optional[int] = ..., reason: _Optional[_Union[_error_reason_pb2.ErrorReason, str]] = ..., message: _Optional[str] = ..., violations: _Optional[_Iterable[_Union[CallError.FieldViolation, _Mapping]]] = ..., retry_delay: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class GetCanvasRequest(_message.Message):
    __slots__ = ("canvas_id", "with_waiting")
    CANVAS_ID_FIELD_NUMBER: _ClassVar[int]
    WITH_WAITING_FIELD_NUMBER: _ClassVar[int]
    canvas_id: str
    with_waiting: bool
    def __init__(self, canvas_id: _Optional[str] = ..., with_waiting: bool = ...) -> None: ...

class GetCanvasResponse(_message.Message):
    __slots__ = ("canvas", "state_counts", "waiting")
    CANVAS_FIELD_NUMBER: _ClassVar[int]
    STATE_COUNTS_FIELD_NUMBER: _ClassVar[int]
    WAITING_FIELD_NUMBER: _ClassVar[int]
    canvas: _canvas_summary_pb2.CanvasSummary
    state_counts: _containers.RepeatedCompositeFieldContainer[_node_pb2.StateCount]
    waiting: _containers.RepeatedCompositeFieldContainer[WaitingNodes]
    def __init__(self, canvas: _Optional[_Union[_canvas_summary_pb2.CanvasSummary, _Mapping]] = ..., state_counts: _Optional[_Iterable[_Union[_node_pb2.StateCount, _Mapping]]] = ..., waiting: _Optional[_Iterable[_Union[WaitingNodes, _Mapping]]] = ...) -> None: ...

class WaitingNodes(_message.Message):
    __slots__ = ("first", "node_count", "waiting")
    FIRST_FIELD_NUMBER: _ClassVar[int]
    NODE_COUNT_FIELD_NUMBER: _ClassVar[int]
    WAITING_FIELD_NUMBER: _ClassVar[int]
    first: _node_pb2.Handle
    node_count: int
    waiting: _waiting_pb2.Waiting
    def __init__(self, first: _Optional[_Union[_node_pb2.Handle, _Mapping]] = ..., node_count: _Optional[int] = ..., waiting: _Optional[_Union[_waiting_pb2.Waiting, _Mapping]] = ...) -> None: ...

class ListCanvasesRequest(_message.Message):
    __slots__ = ("page_size", "page_token", "filter")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    filter: CanvasFilter
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., filter: _Optional[_Union[CanvasFilter, _Mapping]] = ...) -> None: ...

class ListCanvasesResponse(_message.Message):
    __slots__ = ("canvases", "next_page_token")
    CANVASES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    canvases: _containers.RepeatedCompositeFieldContainer[_canvas_summary_pb2.CanvasSummary]
    next_page_token: str
    def __init__(self, canvases: _Optional[_Iterable[_Union[_canvas_summary_pb2.CanvasSummary, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class CanvasFilter(_message.Message):
    __slots__ = ("states", "task", "stamps", "since_time", "until_time")
    class StampsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: _signature_pb2.Stamp
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[_signature_pb2.Stamp, _Mapping]] = ...) -> None: ...
    STATES_FIELD_NUMBER: _ClassVar[int]
    TASK_FIELD_NUMBER: _ClassVar[int]
    STAMPS_FIELD_NUMBER: _ClassVar[int]
    SINCE_TIME_FIELD_NUMBER: _ClassVar[int]
    UNTIL_TIME_FIELD_NUMBER: _ClassVar[int]
    states: _containers.RepeatedScalarFieldContainer[_canvas_summary_pb2.CanvasSummary.State]
    task: str
    stamps: _containers.MessageMap[str, _signature_pb2.Stamp]
    since_time: _timestamp_pb2.Timestamp
    until_time: _timestamp_pb2.Timestamp
    def __init__(self, states: _Optional[_Iterable[_Union[_canvas_summary_pb2.CanvasSummary.State, str]]] = ..., task: _Optional[str] = ..., stamps: _Optional[_Mapping[str, _signature_pb2.Stamp]] = ..., since_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., until_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class WatchCanvasesRequest(_message.Message):
    __slots__ = ("canvas_id", "filter", "resume_token", "group_limit", "expanded_group_ids", "changes_only")
    CANVAS_ID_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    RESUME_TOKEN_FIELD_NUMBER: _ClassVar[int]
    GROUP_LIMIT_FIELD_NUMBER: _ClassVar[int]
    EXPANDED_GROUP_IDS_FIELD_NUMBER: _ClassVar[int]
    CHANGES_ONLY_FIELD_NUMBER: _ClassVar[int]
    canvas_id: str
    filter: CanvasFilter
    resume_token: str
    group_limit: int
    expanded_group_ids: _containers.RepeatedScalarFieldContainer[str]
    changes_only: bool
    def __init__(self, canvas_id: _Optional[str] = ..., filter: _Optional[_Union[CanvasFilter, _Mapping]] = ..., resume_token: _Optional[str] = ..., group_limit: _Optional[int] = ..., expanded_group_ids: _Optional[_Iterable[str]] = ..., changes_only: bool = ...) -> None: ...

class WatchCanvasesResponse(_message.Message):
    __slots__ = ("canvases", "nodes", "resume_token", "snapshot_complete", "groups", "reset")
    CANVASES_FIELD_NUMBER: _ClassVar[int]
    NODES_FIELD_NUMBER: _ClassVar[int]
    RESUME_TOKEN_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_COMPLETE_FIELD_NUMBER: _ClassVar[int]
    GROUPS_FIELD_NUMBER: _ClassVar[int]
    RESET_FIELD_NUMBER: _ClassVar[int]
    canvases: _containers.RepeatedCompositeFieldContainer[_canvas_summary_pb2.CanvasSummary]
    nodes: _containers.RepeatedCompositeFieldContainer[_node_pb2.Node]
    resume_token: str
    snapshot_complete: bool
    groups: _containers.RepeatedCompositeFieldContainer[_group_summary_pb2.GroupSummary]
    reset: bool
    def __init__(self, canvases: _Optional[_Iterable[_Union[_canvas_summary_pb2.CanvasSummary, _Mapping]]] = ..., nodes: _Optional[_Iterable[_Union[_node_pb2.Node, _Mapping]]] = ..., resume_token: _Optional[str] = ..., snapshot_complete: bool = ..., groups: _Optional[_Iterable[_Union[_group_summary_pb2.GroupSummary, _Mapping]]] = ..., reset: bool = ...) -> None: ...

class CancelCanvasRequest(_message.Message):
    __slots__ = ("canvas_id", "terminate")
    CANVAS_ID_FIELD_NUMBER: _ClassVar[int]
    TERMINATE_FIELD_NUMBER: _ClassVar[int]
    canvas_id: str
    terminate: bool
    def __init__(self, canvas_id: _Optional[str] = ..., terminate: bool = ...) -> None: ...

class CancelCanvasResponse(_message.Message):
    __slots__ = ("already_terminal",)
    ALREADY_TERMINAL_FIELD_NUMBER: _ClassVar[int]
    already_terminal: bool
    def __init__(self, already_terminal: bool = ...) -> None: ...

class RetryCanvasRequest(_message.Message):
    __slots__ = ("canvas_id", "request_id")
    CANVAS_ID_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    canvas_id: str
    request_id: str
    def __init__(self, canvas_id: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class RetryCanvasResponse(_message.Message):
    __slots__ = ("submitted",)
    SUBMITTED_FIELD_NUMBER: _ClassVar[int]
    submitted: SubmitCanvasResponse
    def __init__(self, submitted: _Optional[_Union[SubmitCanvasResponse, _Mapping]] = ...) -> None: ...

class GetNodeRequest(_message.Message):
    __slots__ = ("node_id", "with_signature", "with_waiting")
    NODE_ID_FIELD_NUMBER: _ClassVar[int]
    WITH_SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    WITH_WAITING_FIELD_NUMBER: _ClassVar[int]
    node_id: str
    with_signature: bool
    with_waiting: bool
    def __init__(self, node_id: _Optional[str] = ..., with_signature: bool = ..., with_waiting: bool = ...) -> None: ...

class GetNodeResponse(_message.Message):
    __slots__ = ("node",)
    NODE_FIELD_NUMBER: _ClassVar[int]
    node: _node_pb2.Node
    def __init__(self, node: _Optional[_Union[_node_pb2.Node, _Mapping]] = ...) -> None: ...

class ListNodesRequest(_message.Message):
    __slots__ = ("canvas_id", "members_of", "children_of", "page_size", "page_token")
    CANVAS_ID_FIELD_NUMBER: _ClassVar[int]
    MEMBERS_OF_FIELD_NUMBER: _ClassVar[int]
    CHILDREN_OF_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    canvas_id: str
    members_of: str
    children_of: str
    page_size: int
    page_token: str
    def __init__(self, canvas_id: _Optional[str] = ..., members_of: _Optional[str] = ..., children_of: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListNodesResponse(_message.Message):
    __slots__ = ("nodes", "next_page_token")
    NODES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    nodes: _containers.RepeatedCompositeFieldContainer[_node_pb2.Node]
    next_page_token: str
    def __init__(self, nodes: _Optional[_Iterable[_Union[_node_pb2.Node, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class WaitNodeRequest(_message.Message):
    __slots__ = ("node_id", "timeout")
    NODE_ID_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    node_id: str
    timeout: _duration_pb2.Duration
    def __init__(self, node_id: _Optional[str] = ..., timeout: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class WaitNodeResponse(_message.Message):
    __slots__ = ("handle", "state", "value", "values", "elsewhere", "error", "custom_state")
    class ValueElsewhere(_message.Message):
        __slots__ = ()
        def __init__(self) -> None: ...
    HANDLE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    ELSEWHERE_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    CUSTOM_STATE_FIELD_NUMBER: _ClassVar[int]
    handle: _node_pb2.Handle
    state: _node_pb2.Node.State
    value: _payload_pb2.Payload
    values: _payload_pb2.PayloadList
    elsewhere: WaitNodeResponse.ValueElsewhere
    error: _task_error_pb2.TaskError
    custom_state: str
    def __init__(self, handle: _Optional[_Union[_node_pb2.Handle, _Mapping]] = ..., state: _Optional[_Union[_node_pb2.Node.State, str]] = ..., value: _Optional[_Union[_payload_pb2.Payload, _Mapping]] = ..., values: _Optional[_Union[_payload_pb2.PayloadList, _Mapping]] = ..., elsewhere: _Optional[_Union[WaitNodeResponse.ValueElsewhere, _Mapping]] = ..., error: _Optional[_Union[_task_error_pb2.TaskError, _Mapping]] = ..., custom_state: _Optional[str] = ...) -> None: ...

class ReadValueRequest(_message.Message):
    __slots__ = ("node_id",)
    NODE_ID_FIELD_NUMBER: _ClassVar[int]
    node_id: str
    def __init__(self, node_id: _Optional[str] = ...) -> None: ...

class ReadValueResponse(_message.Message):
    __slots__ = ("items",)
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[_value_item_pb2.ValueItem]
    def __init__(self, items: _Optional[_Iterable[_Union[_value_item_pb2.ValueItem, _Mapping]]] = ...) -> None: ...

class RevokeNodesRequest(_message.Message):
    __slots__ = ("node_ids", "stamps", "terminate")
    class StampsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: _signature_pb2.Stamp
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[_signature_pb2.Stamp, _Mapping]] = ...) -> None: ...
    NODE_IDS_FIELD_NUMBER: _ClassVar[int]
    STAMPS_FIELD_NUMBER: _ClassVar[int]
    TERMINATE_FIELD_NUMBER: _ClassVar[int]
    node_ids: _containers.RepeatedScalarFieldContainer[str]
    stamps: _containers.MessageMap[str, _signature_pb2.Stamp]
    terminate: bool
    def __init__(self, node_ids: _Optional[_Iterable[str]] = ..., stamps: _Optional[_Mapping[str, _signature_pb2.Stamp]] = ..., terminate: bool = ...) -> None: ...

class RevokeNodesResponse(_message.Message):
    __slots__ = ("revoked_count",)
    REVOKED_COUNT_FIELD_NUMBER: _ClassVar[int]
    revoked_count: int
    def __init__(self, revoked_count: _Optional[int] = ...) -> None: ...

class ForgetNodeRequest(_message.Message):
    __slots__ = ("node_id",)
    NODE_ID_FIELD_NUMBER: _ClassVar[int]
    node_id: str
    def __init__(self, node_id: _Optional[str] = ...) -> None: ...

class ForgetNodeResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
