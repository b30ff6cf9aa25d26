import datetime

from gesso.v1 import payload_pb2 as _payload_pb2
from gesso.v1 import signature_pb2 as _signature_pb2
from gesso.v1 import task_error_pb2 as _task_error_pb2
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

class Handle(_message.Message):
    __slots__ = ("node_id", "task_id", "kind", "member_count")
    NODE_ID_FIELD_NUMBER: _ClassVar[int]
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    MEMBER_COUNT_FIELD_NUMBER: _ClassVar[int]
    node_id: str
    task_id: str
    kind: Node.Kind
    member_count: int
    def __init__(self, node_id: _Optional[str] = ..., task_id: _Optional[str] = ..., kind: _Optional[_Union[Node.Kind, str]] = ..., member_count: _Optional[int] = ...) -> None: ...

class Node(_message.Message):
    __slots__ = ("handle", "state", "custom_state", "task", "queue", "error", "trace_id", "span_id", "delivery_count", "crash_count", "failure_count", "create_time", "finish_time", "run_duration", "worker", "stamps", "parent", "succeeded_count", "ended_count", "ready_time", "start_time", "waits_for", "signature", "group_ids", "custom_meta", "waiting", "state_counts")
    class Kind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        KIND_UNSPECIFIED: _ClassVar[Node.Kind]
        KIND_TASK: _ClassVar[Node.Kind]
        KIND_JOIN: _ClassVar[Node.Kind]
    KIND_UNSPECIFIED: Node.Kind
    KIND_TASK: Node.Kind
    KIND_JOIN: Node.Kind
    class State(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        STATE_UNSPECIFIED: _ClassVar[Node.State]
        STATE_WAITING: _ClassVar[Node.State]
        STATE_DELAYED: _ClassVar[Node.State]
        STATE_GRANTED: _ClassVar[Node.State]
        STATE_RUNNING: _ClassVar[Node.State]
        STATE_RETRY_WAIT: _ClassVar[Node.State]
        STATE_CANCELLING: _ClassVar[Node.State]
        STATE_REPLACED: _ClassVar[Node.State]
        STATE_OPEN: _ClassVar[Node.State]
        STATE_SUCCEEDED: _ClassVar[Node.State]
        STATE_FAILED: _ClassVar[Node.State]
        STATE_DEAD: _ClassVar[Node.State]
        STATE_CANCELLED: _ClassVar[Node.State]
        STATE_EXPIRED: _ClassVar[Node.State]
        STATE_IGNORED: _ClassVar[Node.State]
        STATE_DROPPED: _ClassVar[Node.State]
    STATE_UNSPECIFIED: Node.State
    STATE_WAITING: Node.State
    STATE_DELAYED: Node.State
    STATE_GRANTED: Node.State
    STATE_RUNNING: Node.State
    STATE_RETRY_WAIT: Node.State
    STATE_CANCELLING: Node.State
    STATE_REPLACED: Node.State
    STATE_OPEN: Node.State
    STATE_SUCCEEDED: Node.State
    STATE_FAILED: Node.State
    STATE_DEAD: Node.State
    STATE_CANCELLED: Node.State
    STATE_EXPIRED: Node.State
    STATE_IGNORED: Node.State
    STATE_DROPPED: Node.State
    class StampsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: _signature_pb2.Stamp
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[_signature_pb2.Stamp, _Mapping]] = ...) -> None: ...
    HANDLE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    CUSTOM_STATE_FIELD_NUMBER: _ClassVar[int]
    TASK_FIELD_NUMBER: _ClassVar[int]
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    TRACE_ID_FIELD_NUMBER: _ClassVar[int]
    SPAN_ID_FIELD_NUMBER: _ClassVar[int]
    DELIVERY_COUNT_FIELD_NUMBER: _ClassVar[int]
    CRASH_COUNT_FIELD_NUMBER: _ClassVar[int]
    FAILURE_COUNT_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    FINISH_TIME_FIELD_NUMBER: _ClassVar[int]
    RUN_DURATION_FIELD_NUMBER: _ClassVar[int]
    WORKER_FIELD_NUMBER: _ClassVar[int]
    STAMPS_FIELD_NUMBER: _ClassVar[int]
    PARENT_FIELD_NUMBER: _ClassVar[int]
    SUCCEEDED_COUNT_FIELD_NUMBER: _ClassVar[int]
    ENDED_COUNT_FIELD_NUMBER: _ClassVar[int]
    READY_TIME_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    WAITS_FOR_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    GROUP_IDS_FIELD_NUMBER: _ClassVar[int]
    CUSTOM_META_FIELD_NUMBER: _ClassVar[int]
    WAITING_FIELD_NUMBER: _ClassVar[int]
    STATE_COUNTS_FIELD_NUMBER: _ClassVar[int]
    handle: Handle
    state: Node.State
    custom_state: str
    task: str
    queue: str
    error: _task_error_pb2.TaskError
    trace_id: str
    span_id: str
    delivery_count: int
    crash_count: int
    failure_count: int
    create_time: _timestamp_pb2.Timestamp
    finish_time: _timestamp_pb2.Timestamp
    run_duration: _duration_pb2.Duration
    worker: str
    stamps: _containers.MessageMap[str, _signature_pb2.Stamp]
    parent: Handle
    succeeded_count: int
    ended_count: int
    ready_time: _timestamp_pb2.Timestamp
    start_time: _timestamp_pb2.Timestamp
    waits_for: str
    signature: _signature_pb2.Signature
    group_ids: _containers.RepeatedScalarFieldContainer[str]
    custom_meta: _payload_pb2.Payload
    waiting: _waiting_pb2.Waiting
    state_counts: _containers.RepeatedCompositeFieldContainer[StateCount]
    def __init__(self, handle: _Optional[_Union[Handle, _Mapping]] = ..., state: _Optional[_Union[Node.State, str]] = ..., custom_state: _Optional[str] = ..., task: _Optional[str] = ..., queue: _Optional[str] = ..., error: _Optional[_Union[_task_error_pb2.TaskError, _Mapping]] = ..., trace_id: _Optional[str] = ..., span_id: _Optional[str] = ..., delivery_count: _Optional[int] = ..., crash_count: _Optional[int] = ..., failure_count: _Optional[int] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., finish_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., run_duration: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., worker: _Optional[str] = ..., stamps: _Optional[_Mapping[str, _signature_pb2.Stamp]] = ..., parent: _Optional[_Union[Handle, _Mapping]] = ..., succeeded_count: _Optional[int] = ..., ended_count: _Optional[int] = ..., ready_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., waits_for: _Optional[str] = ..., signature: _Optional[_Union[_signature_pb2.Signature, _Mapping]] = ..., group_ids: _Optional[_Iterable[str]] = ..., custom_meta: _Optional[_Union[_payload_pb2.Payload, _Mapping]] = ..., waiting: _Optional[_Union[_waiting_pb2.Waiting, _Mapping]] = ..., state_counts: _Optional[_Iterable[_Union[StateCount, _Mapping]]] = ...) -> None: ...

class StateCount(_message.Message):
    __slots__ = ("state", "count")
    STATE_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    state: Node.State
    count: int
    def __init__(self, state: _Optional[_Union[Node.State, str]] = ..., count: _Optional[int] = ...) -> None: ...
