import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Limit(_message.Message):
    __slots__ = ("key", "rate_count", "rate_period", "concurrency_count", "declared", "held_count", "waiting_count")
    KEY_FIELD_NUMBER: _ClassVar[int]
    RATE_COUNT_FIELD_NUMBER: _ClassVar[int]
    RATE_PERIOD_FIELD_NUMBER: _ClassVar[int]
    CONCURRENCY_COUNT_FIELD_NUMBER: _ClassVar[int]
    DECLARED_FIELD_NUMBER: _ClassVar[int]
    HELD_COUNT_FIELD_NUMBER: _ClassVar[int]
    WAITING_COUNT_FIELD_NUMBER: _ClassVar[int]
    key: str
    rate_count: int
    rate_period: _duration_pb2.Duration
    concurrency_count: int
    declared: bool
    held_count: int
    waiting_count: int
    def __init__(self, key: _Optional[str] = ..., rate_count: _Optional[int] = ..., rate_period: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., concurrency_count: _Optional[int] = ..., declared: bool = ..., held_count: _Optional[int] = ..., waiting_count: _Optional[int] = ...) -> None: ...
