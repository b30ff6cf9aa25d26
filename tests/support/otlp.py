"""A receiver of spans, as a collector is one: the protocol's own gRPC service."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

import grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as pb
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import (
    TraceServiceServicer,
    add_TraceServiceServicer_to_server,
)
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span as SpanMessage

from support.system import LIMIT_SECONDS


@dataclass(frozen=True, slots=True)
class ReceivedSpan:
    """One span, with its ids in hexadecimal."""

    name: str
    kind: str
    """`internal`, `producer`, `consumer`, ..."""
    trace_id: str
    span_id: str
    parent_id: str
    """Empty for a root."""
    links: tuple[str, ...]
    error: bool
    attributes: Mapping[str, object]
    events: tuple[tuple[str, Mapping[str, object]], ...]
    service: str
    start_ns: int
    end_ns: int


@dataclass(slots=True)
class Receiver:
    """What has come in so far."""

    address: str = ""
    _spans: list[ReceivedSpan] = field(default_factory=list)
    _changed: threading.Condition = field(default_factory=threading.Condition)

    @property
    def environment(self) -> dict[str, str]:
        """What a process is told with OpenTelemetry's own variables, so that it sends its spans here."""
        return {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{self.address}", "OTEL_BSP_SCHEDULE_DELAY": "50"}

    @property
    def spans(self) -> list[ReceivedSpan]:
        """Every span that has come."""
        with self._changed:
            return list(self._spans)

    def trace(self, trace_id: str) -> list[ReceivedSpan]:
        """Return the spans of a trace that have come."""
        with self._changed:
            return [span for span in self._spans if span.trace_id == trace_id]

    def wait(self, trace_id: str, complete: Callable[[list[ReceivedSpan]], bool]) -> list[ReceivedSpan]:
        """Wait until the spans of a trace are complete, and return them."""

        def whole() -> bool:
            return complete([span for span in self._spans if span.trace_id == trace_id])

        with self._changed:
            in_time = self._changed.wait_for(whole, LIMIT_SECONDS)
            found = [span for span in self._spans if span.trace_id == trace_id]
        assert in_time, "\n".join(f"{s.name} {s.span_id} < {s.parent_id or 'root'} {s.links}" for s in found)
        return found

    def take(self, spans: list[ReceivedSpan]) -> None:
        """Take spans in."""
        with self._changed:
            self._spans += spans
            self._changed.notify_all()


class _Service(TraceServiceServicer):
    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver

    def Export(  # noqa: N802 - the protocol's name
        self, request: pb.ExportTraceServiceRequest, context: object
    ) -> pb.ExportTraceServiceResponse:
        del context
        self._receiver.take(
            [
                _received(span, str(_values(group.resource.attributes).get("service.name")))
                for group in request.resource_spans
                for scope in group.scope_spans
                for span in scope.spans
            ]
        )
        return pb.ExportTraceServiceResponse()


@contextmanager
def receiving() -> Generator[Receiver, None, None]:
    """Receive spans for as long as the context lasts."""
    receiver = Receiver()
    server = grpc.server(ThreadPoolExecutor(4))
    add_TraceServiceServicer_to_server(_Service(receiver), server)  # type: ignore[no-untyped-call]  # generated
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    receiver.address = f"127.0.0.1:{port}"
    try:
        yield receiver
    finally:
        server.stop(None).wait()


def _received(span: SpanMessage, service: str) -> ReceivedSpan:
    return ReceivedSpan(
        name=span.name,
        kind=SpanMessage.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_").lower(),
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_id=span.parent_span_id.hex(),
        links=tuple(link.span_id.hex() for link in span.links),
        error=span.status.code == 2,
        attributes=_values(span.attributes),
        events=tuple((event.name, _values(event.attributes)) for event in span.events),
        service=service,
        start_ns=span.start_time_unix_nano,
        end_ns=span.end_time_unix_nano,
    )


def _values(pairs: Iterable[KeyValue]) -> dict[str, object]:
    found: dict[str, object] = {}
    for pair in pairs:
        kind = pair.value.WhichOneof("value")
        found[pair.key] = (
            [item.string_value for item in pair.value.array_value.values]
            if kind == "array_value"
            else getattr(pair.value, kind or "string_value")
        )
    return found
