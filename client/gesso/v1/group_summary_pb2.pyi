from gesso.v1 import node_pb2 as _node_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GroupSummary(_message.Message):
    __slots__ = ("node_id", "counts", "failures")
    class StateCount(_message.Message):
        __slots__ = ("state", "count")
        STATE_FIELD_NUMBER: _ClassVar[int]
        COUNT_FIELD_NUMBER: _ClassVar[int]
        state: _node_pb2.Node.State
        count: int
        def __init__(self, state: _Optional[_Union[_node_pb2.Node.State, str]] = ..., count: _Optional[int] = ...) -> None: ...
    NODE_ID_FIELD_NUMBER: _ClassVar[int]
    COUNTS_FIELD_NUMBER: _ClassVar[int]
    FAILURES_FIELD_NUMBER: _ClassVar[int]
    node_id: str
    counts: _containers.RepeatedCompositeFieldContainer[GroupSummary.StateCount]
    failures: _containers.RepeatedCompositeFieldContainer[_node_pb2.Node]
    def __init__(self, node_id: _Optional[str] = ..., counts: _Optional[_Iterable[_Union[GroupSummary.StateCount, _Mapping]]] = ..., failures: _Optional[_Iterable[_Union[_node_pb2.Node, _Mapping]]] = ...) -> None: ...
