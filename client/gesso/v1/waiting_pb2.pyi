import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Waiting(_message.Message):
    __slots__ = ("reason", "text", "task", "queue", "limit_key", "worker", "since_time", "until_time", "node_ids", "done_count", "total_count", "other_count", "worker_count")
    class Reason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        REASON_UNSPECIFIED: _ClassVar[Waiting.Reason]
        REASON_INPUTS: _ClassVar[Waiting.Reason]
        REASON_MAX_IN_FLIGHT: _ClassVar[Waiting.Reason]
        REASON_DELAY: _ClassVar[Waiting.Reason]
        REASON_RETRY_DELAY: _ClassVar[Waiting.Reason]
        REASON_QUEUE_PAUSED: _ClassVar[Waiting.Reason]
        REASON_NO_WORKER: _ClassVar[Waiting.Reason]
        REASON_UNKNOWN_TASK: _ClassVar[Waiting.Reason]
        REASON_RATE_LIMIT: _ClassVar[Waiting.Reason]
        REASON_CONCURRENCY_LIMIT: _ClassVar[Waiting.Reason]
        REASON_ISOLATION: _ClassVar[Waiting.Reason]
        REASON_BUSY: _ClassVar[Waiting.Reason]
        REASON_MOMENT: _ClassVar[Waiting.Reason]
        REASON_GRANTED: _ClassVar[Waiting.Reason]
        REASON_RUNNING: _ClassVar[Waiting.Reason]
        REASON_CANCELLING: _ClassVar[Waiting.Reason]
        REASON_REPLACED: _ClassVar[Waiting.Reason]
    REASON_UNSPECIFIED: Waiting.Reason
    REASON_INPUTS: Waiting.Reason
    REASON_MAX_IN_FLIGHT: Waiting.Reason
    REASON_DELAY: Waiting.Reason
    REASON_RETRY_DELAY: Waiting.Reason
    REASON_QUEUE_PAUSED: Waiting.Reason
    REASON_NO_WORKER: Waiting.Reason
    REASON_UNKNOWN_TASK: Waiting.Reason
    REASON_RATE_LIMIT: Waiting.Reason
    REASON_CONCURRENCY_LIMIT: Waiting.Reason
    REASON_ISOLATION: Waiting.Reason
    REASON_BUSY: Waiting.Reason
    REASON_MOMENT: Waiting.Reason
    REASON_GRANTED: Waiting.Reason
    REASON_RUNNING: Waiting.Reason
    REASON_CANCELLING: Waiting.Reason
    REASON_REPLACED: Waiting.Reason
    REASON_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    TASK_FIELD_NUMBER: _ClassVar[int]
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    LIMIT_KEY_FIELD_NUMBER: _ClassVar[int]
    WORKER_FIELD_NUMBER: _ClassVar[int]
    SINCE_TIME_FIELD_NUMBER: _ClassVar[int]
    UNTIL_TIME_FIELD_NUMBER: _ClassVar[int]
    NODE_IDS_FIELD_NUMBER: _ClassVar[int]
    DONE_COUNT_FIELD_NUMBER: _ClassVar[int]
    TOTAL_COUNT_FIELD_NUMBER: _ClassVar[int]
    OTHER_COUNT_FIELD_NUMBER: _ClassVar[int]
    WORKER_COUNT_FIELD_NUMBER: _ClassVar[int]
    reason: Waiting.Reason
    text: str
    task: str
    queue: str
    limit_key: str
    worker: str
    since_time: _timestamp_pb2.Timestamp
    until_time: _timestamp_pb2.Timestamp
    node_ids: _containers.RepeatedScalarFieldContainer[str]
    done_count: int
    total_count: int
    other_count: int
    worker_count: int
    def __init__(self, reason: _Optional[_Union[Waiting.Reason, str]] = ..., text: _Optional[str] = ..., task: _Optional[str] = ..., queue: _Optional[str] = ..., limit_key: _Optional[str] = ..., worker: _Optional[str] = ..., since_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., until_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., node_ids: _Optional[_Iterable[str]] = ..., done_count: _Optional[int] = ..., total_count: _Optional[int] = ..., other_count: _Optional[int] = ..., worker_count: _Optional[int] = ...) -> None: ...
