from gesso.v1 import node_pb2 as _node_pb2
from gesso.v1 import payload_pb2 as _payload_pb2
from gesso.v1 import task_error_pb2 as _task_error_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ValueItem(_message.Message):
    __slots__ = ("value", "begin", "end", "outcome")
    class ListBegin(_message.Message):
        __slots__ = ()
        def __init__(self) -> None: ...
    class ListEnd(_message.Message):
        __slots__ = ()
        def __init__(self) -> None: ...
    class MemberOutcome(_message.Message):
        __slots__ = ("state", "error")
        STATE_FIELD_NUMBER: _ClassVar[int]
        ERROR_FIELD_NUMBER: _ClassVar[int]
        state: _node_pb2.Node.State
        error: _task_error_pb2.TaskError
        def __init__(self, state: _Optional[_Union[_node_pb2.Node.State, str]] = ..., error: _Optional[_Union[_task_error_pb2.TaskError, _Mapping]] = ...) -> None: ...
    VALUE_FIELD_NUMBER: _ClassVar[int]
    BEGIN_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    value: _payload_pb2.Payload
    begin: ValueItem.ListBegin
    end: ValueItem.ListEnd
    outcome: ValueItem.MemberOutcome
    def __init__(self, value: _Optional[_Union[_payload_pb2.Payload, _Mapping]] = ..., begin: _Optional[_Union[ValueItem.ListBegin, _Mapping]] = ..., end: _Optional[_Union[ValueItem.ListEnd, _Mapping]] = ..., outcome: _Optional[_Union[ValueItem.MemberOutcome, _Mapping]] = ...) -> None: ...
