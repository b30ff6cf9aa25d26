import datetime

from gesso.v1 import payload_pb2 as _payload_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Signature(_message.Message):
    __slots__ = ("task", "args", "kwargs", "immutable", "options")
    TASK_FIELD_NUMBER: _ClassVar[int]
    ARGS_FIELD_NUMBER: _ClassVar[int]
    KWARGS_FIELD_NUMBER: _ClassVar[int]
    IMMUTABLE_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    task: str
    args: _payload_pb2.Payload
    kwargs: _payload_pb2.Payload
    immutable: bool
    options: SignatureOptions
    def __init__(self, task: _Optional[str] = ..., args: _Optional[_Union[_payload_pb2.Payload, _Mapping]] = ..., kwargs: _Optional[_Union[_payload_pb2.Payload, _Mapping]] = ..., immutable: bool = ..., options: _Optional[_Union[SignatureOptions, _Mapping]] = ...) -> None: ...

class SignatureOptions(_message.Message):
    __slots__ = ("task_id", "queue", "priority", "countdown", "eta", "expires_in", "expire_time", "retry", "soft_time_limit", "time_limit", "ignore_result", "at_most_once", "concurrency_key", "headers", "shadow", "result_encoding")
    class HeadersEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    COUNTDOWN_FIELD_NUMBER: _ClassVar[int]
    ETA_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_IN_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    RETRY_FIELD_NUMBER: _ClassVar[int]
    SOFT_TIME_LIMIT_FIELD_NUMBER: _ClassVar[int]
    TIME_LIMIT_FIELD_NUMBER: _ClassVar[int]
    IGNORE_RESULT_FIELD_NUMBER: _ClassVar[int]
    AT_MOST_ONCE_FIELD_NUMBER: _ClassVar[int]
    CONCURRENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    HEADERS_FIELD_NUMBER: _ClassVar[int]
    SHADOW_FIELD_NUMBER: _ClassVar[int]
    RESULT_ENCODING_FIELD_NUMBER: _ClassVar[int]
    task_id: str
    queue: str
    priority: int
    countdown: _duration_pb2.Duration
    eta: _timestamp_pb2.Timestamp
    expires_in: _duration_pb2.Duration
    expire_time: _timestamp_pb2.Timestamp
    retry: RetryPolicy
    soft_time_limit: _duration_pb2.Duration
    time_limit: _duration_pb2.Duration
    ignore_result: bool
    at_most_once: bool
    concurrency_key: str
    headers: _containers.ScalarMap[str, str]
    shadow: str
    result_encoding: str
    def __init__(self, task_id: _Optional[str] = ..., queue: _Optional[str] = ..., priority: _Optional[int] = ..., countdown: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., eta: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., expires_in: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., retry: _Optional[_Union[RetryPolicy, _Mapping]] = ..., soft_time_limit: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., time_limit: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., ignore_result: bool = ..., at_most_once: bool = ..., concurrency_key: _Optional[str] = ..., headers: _Optional[_Mapping[str, str]] = ..., shadow: _Optional[str] = ..., result_encoding: _Optional[str] = ...) -> None: ...

class RetryPolicy(_message.Message):
    __slots__ = ("max_retry_count", "initial_delay", "factor", "max_delay", "jitter", "retried_types", "final_types")
    MAX_RETRY_COUNT_FIELD_NUMBER: _ClassVar[int]
    INITIAL_DELAY_FIELD_NUMBER: _ClassVar[int]
    FACTOR_FIELD_NUMBER: _ClassVar[int]
    MAX_DELAY_FIELD_NUMBER: _ClassVar[int]
    JITTER_FIELD_NUMBER: _ClassVar[int]
    RETRIED_TYPES_FIELD_NUMBER: _ClassVar[int]
    FINAL_TYPES_FIELD_NUMBER: _ClassVar[int]
    max_retry_count: int
    initial_delay: _duration_pb2.Duration
    factor: float
    max_delay: _duration_pb2.Duration
    jitter: float
    retried_types: _containers.RepeatedScalarFieldContainer[str]
    final_types: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, max_retry_count: _Optional[int] = ..., initial_delay: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., factor: _Optional[float] = ..., max_delay: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., jitter: _Optional[float] = ..., retried_types: _Optional[_Iterable[str]] = ..., final_types: _Optional[_Iterable[str]] = ...) -> None: ...

class Stamp(_message.Message):
    __slots__ = ("values",)
    VALUES_FIELD_NUMBER: _ClassVar[int]
    values: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, values: _Optional[_Iterable[str]] = ...) -> None: ...
