"""Calls every method of the contract with damaged messages, and judges each answer."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.protobuf import message_factory
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message

from fuzz.mutation import Mutator
from fuzz.seeds import SEEDS, work
from gesso.v1 import coordinator_service_pb2, operations_service_pb2, worker_service_pb2
from gesso.v1.error_reason_pb2 import ErrorReason
from support.messages import PYTHON, read

_Code = grpc.StatusCode
DOCUMENTED = frozenset({
    _Code.OK, _Code.INVALID_ARGUMENT, _Code.NOT_FOUND, _Code.ALREADY_EXISTS, _Code.FAILED_PRECONDITION, _Code.ABORTED,
    _Code.RESOURCE_EXHAUSTED, _Code.UNIMPLEMENTED, _Code.DEADLINE_EXCEEDED, _Code.OUT_OF_RANGE,
})  # fmt: skip
_DEADLINE_SECONDS = 3.0
_WATCH_SECONDS = 0.2  # a watch that is right may have no end
_CORE = "Internal error from Core"
_MOST_MESSAGES = 6
_KEPT_IDS = 200
_REASONS = {name.removeprefix("ERROR_REASON_") for name in ErrorReason.keys()}  # noqa: SIM118 - an enum, not a dict


def methods() -> Iterator[MethodDescriptor]:
    """Return every method of the contract."""
    for module in (coordinator_service_pb2, worker_service_pb2, operations_service_pb2):
        for service in module.DESCRIPTOR.services_by_name.values():
            yield from service.methods


@dataclass(slots=True)
class Findings:
    """What came back."""

    codes: Counter[tuple[str, str]] = field(default_factory=Counter)
    """How often each method answered each code."""
    wrong: list[str] = field(default_factory=list)
    """Answers that no page documents, each with the seed of its message."""
    sent: int = 0
    """Messages sent."""

    def table(self) -> str:
        """Return how often each method answered what, a line each."""
        return "\n".join(f"{count:7} {method} {code}" for (method, code), count in sorted(self.codes.items()))


class Caller:
    """Calls methods with messages made at random."""

    def __init__(self, channel: grpc.aio.Channel, seed: int) -> None:
        self._channel = channel
        self._seed = seed
        self._ids: list[str] = []
        self._tokens: list[worker_service_pb2.Token] = []
        """Of attempts that were assigned, to be spoken of by streams to come."""
        self._methods = list(methods())
        self.findings = Findings()

    async def run(self, messages: int, *, side_by_side: int) -> None:
        """Send so many messages, some calls at a time."""
        async with asyncio.TaskGroup() as group:
            for lane in range(side_by_side):
                group.create_task(self._lane(lane, messages))

    async def _lane(self, lane: int, messages: int) -> None:
        mutator = Mutator(self._seed * 1000 + lane, self._ids)
        while self.findings.sent < messages:
            method = mutator.random.choice(self._methods)
            kind = message_factory.GetMessageClass(method.input_type)
            count = mutator.random.randrange(1, _MOST_MESSAGES + 1) if method.client_streaming else 1
            sent = [self._bytes(mutator, kind, method, position) for position in range(count)]
            self.findings.sent += count
            await self._call(method, sent)

    def _bytes(self, mutator: Mutator, kind: type[Message], method: MethodDescriptor, position: int) -> bytes:
        seed = SEEDS.get(method.name)
        right = seed is not None and mutator.random.random() < 0.6
        message: Any = (
            seed(mutator.random, self._ids) if seed is not None and right else mutator.message(kind)
        )
        if method.name == "Work" and mutator.random.random() < 0.7:
            if right and position and self._tokens:
                message = work(mutator.random, mutator.random.choice(self._tokens))
            _mend(message, position, mutator)
            if not position:
                message.hello.held.extend(self._tokens[-3:])
        return mutator.damaged(message.SerializeToString())

    async def _call(self, method: MethodDescriptor, sent: Sequence[bytes]) -> None:
        path = f"/{method.containing_service.full_name}/{method.name}"
        arity = (
            "stream" if method.client_streaming else "unary",
            "stream" if method.server_streaming else "unary",
        )
        stub: Any = getattr(self._channel, "_".join(arity))(path)
        timeout = _WATCH_SECONDS if method.name == "WatchCanvases" else _DEADLINE_SECONDS
        call = stub(iter(sent) if method.client_streaming else sent[0], timeout=timeout)
        try:
            if method.server_streaming:
                async for answer in call:
                    self._learn(method, answer)
            else:
                self._learn(method, await call)
            code = _Code.OK
        except grpc.aio.AioRpcError as error:
            code = error.code()
            self._judge(path, error, sent)
        self.findings.codes[method.name, code.name] += 1

    def _judge(self, path: str, error: grpc.aio.AioRpcError, sent: Sequence[bytes]) -> None:
        found = read(error)
        if error.code() is _Code.INTERNAL and found.message == _CORE:
            return  # gRPC's own client: it was writing when the answer came
        local = found.code is _Code.DEADLINE_EXCEEDED and not found.reason
        good = (
            found.code in DOCUMENTED
            and (local or found.reason in _REASONS)
            and len(found.message.encode()) <= 1024
        )
        if not good or (not local and PYTHON.search(found.message)):
            shown = [part.hex() for part in sent]
            self.findings.wrong.append(f"{path}: {found} for {shown}")

    def _learn(self, method: MethodDescriptor, data: bytes) -> None:
        """Keep ids, so that later messages name what there is."""
        if method.name == "SubmitCanvas":
            answer = coordinator_service_pb2.SubmitCanvasResponse.FromString(data)
            self._ids += [text for text in (answer.canvas_id, answer.last.node_id) if text]
            del self._ids[:-_KEPT_IDS]
        if method.name == "Work":
            assigned = worker_service_pb2.WorkResponse.FromString(data).assignments
            self._tokens += [assignment.token for assignment in assigned]
            del self._tokens[:-_KEPT_IDS]


def _mend(message: worker_service_pb2.WorkRequest, position: int, mutator: Mutator) -> None:
    """Make the first message of a stream a hello that could be taken, and a later one a frame with the next number."""
    if position:
        message.ClearField("hello")
        message.frame = position
        message.credit_count = mutator.random.choice((0, 1, 5))
        return
    hello = worker_service_pb2.WorkRequest.Hello(
        protocol_version=1, session_id=f"fuzzed-session-{mutator.random.randrange(30):02}", epoch=time.monotonic_ns(),
        queues=["default", "mail"], tasks=["add", "tsum"], slot_count=2, held=message.hello.held,
        dead_sessions=message.hello.dead_sessions,
    )  # fmt: skip
    message.Clear()
    message.hello.CopyFrom(hello)
