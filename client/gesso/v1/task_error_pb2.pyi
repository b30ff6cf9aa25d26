from gesso.v1 import payload_pb2 as _payload_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class TaskError(_message.Message):
    __slots__ = ("type", "message", "args", "traceback", "cause", "notes", "final", "node_id", "task_id", "base_types")
    TYPE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    ARGS_FIELD_NUMBER: _ClassVar[int]
    TRACEBACK_FIELD_NUMBER: _ClassVar[int]
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    NOTES_FIELD_NUMBER: _ClassVar[int]
    FINAL_FIELD_NUMBER: _ClassVar[int]
    NODE_ID_FIELD_NUMBER: _ClassVar[int]
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    BASE_TYPES_FIELD_NUMBER: _ClassVar[int]
    type: str
    message: str
    args: _payload_pb2.Payload
    traceback: str
    cause: TaskError
    notes: _containers.RepeatedScalarFieldContainer[str]
    final: bool
    node_id: str
    task_id: str
    base_types: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, type: _Optional[str] = ..., message: _Optional[str] = ..., args: _Optional[_Union[_payload_pb2.Payload, _Mapping]] = ..., traceback: _Optional[str] = ..., cause: _Optional[_Union[TaskError, _Mapping]] = ..., notes: _Optional[_Iterable[str]] = ..., final: bool = ..., node_id: _Optional[str] = ..., task_id: _Optional[str] = ..., base_types: _Optional[_Iterable[str]] = ...) -> None: ...
