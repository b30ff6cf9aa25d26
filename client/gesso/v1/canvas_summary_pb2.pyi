import datetime

from gesso.v1 import node_pb2 as _node_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class CanvasSummary(_message.Message):
    __slots__ = ("canvas_id", "state", "last", "trace_id", "node_count", "ended_count", "create_time", "finish_time", "expire_time", "tasks", "retried_canvas_id", "deadline_time")
    class State(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        STATE_UNSPECIFIED: _ClassVar[CanvasSummary.State]
        STATE_EXPANDING: _ClassVar[CanvasSummary.State]
        STATE_ACTIVE: _ClassVar[CanvasSummary.State]
        STATE_SUCCEEDED: _ClassVar[CanvasSummary.State]
        STATE_FAILED: _ClassVar[CanvasSummary.State]
        STATE_CANCELLED: _ClassVar[CanvasSummary.State]
    STATE_UNSPECIFIED: CanvasSummary.State
    STATE_EXPANDING: CanvasSummary.State
    STATE_ACTIVE: CanvasSummary.State
    STATE_SUCCEEDED: CanvasSummary.State
    STATE_FAILED: CanvasSummary.State
    STATE_CANCELLED: CanvasSummary.State
    CANVAS_ID_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    LAST_FIELD_NUMBER: _ClassVar[int]
    TRACE_ID_FIELD_NUMBER: _ClassVar[int]
    NODE_COUNT_FIELD_NUMBER: _ClassVar[int]
    ENDED_COUNT_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    FINISH_TIME_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    TASKS_FIELD_NUMBER: _ClassVar[int]
    RETRIED_CANVAS_ID_FIELD_NUMBER: _ClassVar[int]
    DEADLINE_TIME_FIELD_NUMBER: _ClassVar[int]
    canvas_id: str
    state: CanvasSummary.State
    last: _node_pb2.Handle
    trace_id: str
    node_count: int
    ended_count: int
    create_time: _timestamp_pb2.Timestamp
    finish_time: _timestamp_pb2.Timestamp
    expire_time: _timestamp_pb2.Timestamp
    tasks: _containers.RepeatedScalarFieldContainer[str]
    retried_canvas_id: str
    deadline_time: _timestamp_pb2.Timestamp
    def __init__(self, canvas_id: _Optional[str] = ..., state: _Optional[_Union[CanvasSummary.State, str]] = ..., last: _Optional[_Union[_node_pb2.Handle, _Mapping]] = ..., trace_id: _Optional[str] = ..., node_count: _Optional[int] = ..., ended_count: _Optional[int] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., finish_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., tasks: _Optional[_Iterable[str]] = ..., retried_canvas_id: _Optional[str] = ..., deadline_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...
