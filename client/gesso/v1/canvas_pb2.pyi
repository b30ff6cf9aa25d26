import datetime

from gesso.v1 import payload_pb2 as _payload_pb2
from gesso.v1 import signature_pb2 as _signature_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Canvas(_message.Message):
    __slots__ = ("signature", "chain", "group", "chord", "map", "starmap", "chunks", "links", "error_links", "stamps", "steps", "members", "header", "body", "task_id")
    class StampsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: _signature_pb2.Stamp
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[_signature_pb2.Stamp, _Mapping]] = ...) -> None: ...
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    CHAIN_FIELD_NUMBER: _ClassVar[int]
    GROUP_FIELD_NUMBER: _ClassVar[int]
    CHORD_FIELD_NUMBER: _ClassVar[int]
    MAP_FIELD_NUMBER: _ClassVar[int]
    STARMAP_FIELD_NUMBER: _ClassVar[int]
    CHUNKS_FIELD_NUMBER: _ClassVar[int]
    LINKS_FIELD_NUMBER: _ClassVar[int]
    ERROR_LINKS_FIELD_NUMBER: _ClassVar[int]
    STAMPS_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    MEMBERS_FIELD_NUMBER: _ClassVar[int]
    HEADER_FIELD_NUMBER: _ClassVar[int]
    BODY_FIELD_NUMBER: _ClassVar[int]
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    signature: _signature_pb2.Signature
    chain: Chain
    group: Group
    chord: Chord
    map: Map
    starmap: Starmap
    chunks: Chunks
    links: _containers.RepeatedCompositeFieldContainer[Canvas]
    error_links: _containers.RepeatedCompositeFieldContainer[Canvas]
    stamps: _containers.MessageMap[str, _signature_pb2.Stamp]
    steps: _containers.RepeatedCompositeFieldContainer[Canvas]
    members: _containers.RepeatedCompositeFieldContainer[Canvas]
    header: _containers.RepeatedCompositeFieldContainer[Canvas]
    body: Canvas
    task_id: str
    def __init__(self, signature: _Optional[_Union[_signature_pb2.Signature, _Mapping]] = ..., chain: _Optional[_Union[Chain, _Mapping]] = ..., group: _Optional[_Union[Group, _Mapping]] = ..., chord: _Optional[_Union[Chord, _Mapping]] = ..., map: _Optional[_Union[Map, _Mapping]] = ..., starmap: _Optional[_Union[Starmap, _Mapping]] = ..., chunks: _Optional[_Union[Chunks, _Mapping]] = ..., links: _Optional[_Iterable[_Union[Canvas, _Mapping]]] = ..., error_links: _Optional[_Iterable[_Union[Canvas, _Mapping]]] = ..., stamps: _Optional[_Mapping[str, _signature_pb2.Stamp]] = ..., steps: _Optional[_Iterable[_Union[Canvas, _Mapping]]] = ..., members: _Optional[_Iterable[_Union[Canvas, _Mapping]]] = ..., header: _Optional[_Iterable[_Union[Canvas, _Mapping]]] = ..., body: _Optional[_Union[Canvas, _Mapping]] = ..., task_id: _Optional[str] = ...) -> None: ...

class Chain(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Group(_message.Message):
    __slots__ = ("policy", "max_in_flight", "keep")
    POLICY_FIELD_NUMBER: _ClassVar[int]
    MAX_IN_FLIGHT_FIELD_NUMBER: _ClassVar[int]
    KEEP_FIELD_NUMBER: _ClassVar[int]
    policy: JoinPolicy
    max_in_flight: int
    keep: bool
    def __init__(self, policy: _Optional[_Union[JoinPolicy, _Mapping]] = ..., max_in_flight: _Optional[int] = ..., keep: bool = ...) -> None: ...

class Chord(_message.Message):
    __slots__ = ("policy", "max_in_flight", "error_links_on_header")
    POLICY_FIELD_NUMBER: _ClassVar[int]
    MAX_IN_FLIGHT_FIELD_NUMBER: _ClassVar[int]
    ERROR_LINKS_ON_HEADER_FIELD_NUMBER: _ClassVar[int]
    policy: JoinPolicy
    max_in_flight: int
    error_links_on_header: bool
    def __init__(self, policy: _Optional[_Union[JoinPolicy, _Mapping]] = ..., max_in_flight: _Optional[int] = ..., error_links_on_header: bool = ...) -> None: ...

class JoinPolicy(_message.Message):
    __slots__ = ("all", "settled", "quorum", "first", "deadline", "cancel_rest")
    class All(_message.Message):
        __slots__ = ()
        def __init__(self) -> None: ...
    class Settled(_message.Message):
        __slots__ = ()
        def __init__(self) -> None: ...
    class Quorum(_message.Message):
        __slots__ = ("count",)
        COUNT_FIELD_NUMBER: _ClassVar[int]
        count: int
        def __init__(self, count: _Optional[int] = ...) -> None: ...
    class First(_message.Message):
        __slots__ = ()
        def __init__(self) -> None: ...
    ALL_FIELD_NUMBER: _ClassVar[int]
    SETTLED_FIELD_NUMBER: _ClassVar[int]
    QUORUM_FIELD_NUMBER: _ClassVar[int]
    FIRST_FIELD_NUMBER: _ClassVar[int]
    DEADLINE_FIELD_NUMBER: _ClassVar[int]
    CANCEL_REST_FIELD_NUMBER: _ClassVar[int]
    all: JoinPolicy.All
    settled: JoinPolicy.Settled
    quorum: JoinPolicy.Quorum
    first: JoinPolicy.First
    deadline: _duration_pb2.Duration
    cancel_rest: bool
    def __init__(self, all: _Optional[_Union[JoinPolicy.All, _Mapping]] = ..., settled: _Optional[_Union[JoinPolicy.Settled, _Mapping]] = ..., quorum: _Optional[_Union[JoinPolicy.Quorum, _Mapping]] = ..., first: _Optional[_Union[JoinPolicy.First, _Mapping]] = ..., deadline: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., cancel_rest: bool = ...) -> None: ...

class Map(_message.Message):
    __slots__ = ("task", "items")
    TASK_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    task: _signature_pb2.Signature
    items: _payload_pb2.Payload
    def __init__(self, task: _Optional[_Union[_signature_pb2.Signature, _Mapping]] = ..., items: _Optional[_Union[_payload_pb2.Payload, _Mapping]] = ...) -> None: ...

class Starmap(_message.Message):
    __slots__ = ("task", "items")
    TASK_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    task: _signature_pb2.Signature
    items: _payload_pb2.Payload
    def __init__(self, task: _Optional[_Union[_signature_pb2.Signature, _Mapping]] = ..., items: _Optional[_Union[_payload_pb2.Payload, _Mapping]] = ...) -> None: ...

class Chunks(_message.Message):
    __slots__ = ("task", "parts")
    TASK_FIELD_NUMBER: _ClassVar[int]
    PARTS_FIELD_NUMBER: _ClassVar[int]
    task: _signature_pb2.Signature
    parts: _containers.RepeatedCompositeFieldContainer[_payload_pb2.Payload]
    def __init__(self, task: _Optional[_Union[_signature_pb2.Signature, _Mapping]] = ..., parts: _Optional[_Iterable[_Union[_payload_pb2.Payload, _Mapping]]] = ...) -> None: ...
