"""A receiver of spans and metrics, as a collector is one: the protocol's own gRPC services."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

import grpc
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as metrics_pb
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2_grpc import (
    MetricsServiceServicer,
    add_MetricsServiceServicer_to_server,
)
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as pb
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import (
    TraceServiceServicer,
    add_TraceServiceServicer_to_server,
)
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric as MetricMessage
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


Labels = frozenset[tuple[str, object]]


@dataclass(slots=True)
class Receiver:
    """What has come in so far."""

    address: str = ""
    _spans: list[ReceivedSpan] = field(default_factory=list)
    _metrics: dict[tuple[str, str, str, Labels], float] = field(default_factory=dict)
    """The last value by service, instance, name and attributes; of histograms how many values."""
    _changed: threading.Condition = field(default_factory=lambda: threading.Condition(threading.RLock()))

    @property
    def environment(self) -> dict[str, str]:
        """What a process is told with OpenTelemetry's own variables, so that it sends its spans here."""
        return {
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{self.address}",
            "OTEL_BSP_SCHEDULE_DELAY": "50",
            "OTEL_METRICS_EXPORTER": "none",
        }

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

    def metric(self, service: str, name: str, *labels: str) -> dict[str, float]:
        """Return a metric's values that are not 0, all instances together, by the values of labels."""
        found: dict[str, float] = {}
        with self._changed:
            for (of, _, known, pairs), value in self._metrics.items():
                if (of, known) == (service, name) and value:
                    attributes = dict(pairs)
                    key = ":".join(str(attributes[label]) for label in labels if label in attributes)
                    found[key] = found.get(key, 0) + value
        return found

    def wait_for_metrics(self, complete: Callable[[], bool]) -> bool:
        """Wait until what has come is complete; return whether it was in time."""
        with self._changed:
            return self._changed.wait_for(complete, LIMIT_SECONDS)

    def take_metrics(self, values: Mapping[tuple[str, str, str, Labels], float]) -> None:
        """Take values in, in the place of those before."""
        with self._changed:
            self._metrics |= values
            self._changed.notify_all()

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


class _MetricsService(MetricsServiceServicer):
    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver

    def Export(  # noqa: N802 - the protocol's name
        self, request: metrics_pb.ExportMetricsServiceRequest, context: object
    ) -> metrics_pb.ExportMetricsServiceResponse:
        del context
        values: dict[tuple[str, str, str, Labels], float] = {}
        for group in request.resource_metrics:
            resource = _values(group.resource.attributes)
            whose = str(resource.get("service.name")), str(resource.get("service.instance.id"))
            for metric in (metric for scope in group.scope_metrics for metric in scope.metrics):
                values |= {(*whose, metric.name, labels): value for labels, value in _points(metric)}
        self._receiver.take_metrics(values)
        return metrics_pb.ExportMetricsServiceResponse()


def _points(metric: MetricMessage) -> Iterator[tuple[Labels, float]]:
    if metric.HasField("histogram"):
        for point in metric.histogram.data_points:
            yield frozenset(_values(point.attributes).items()), point.count
    for number in (*metric.sum.data_points, *metric.gauge.data_points):
        value = number.as_int if number.WhichOneof("value") == "as_int" else number.as_double
        yield frozenset(_values(number.attributes).items()), value


@contextmanager
def receiving() -> Generator[Receiver, None, None]:
    """Receive spans for as long as the context lasts."""
    receiver = Receiver()
    server = grpc.server(ThreadPoolExecutor(4))
    add_TraceServiceServicer_to_server(_Service(receiver), server)  # type: ignore[no-untyped-call]  # generated
    add_MetricsServiceServicer_to_server(_MetricsService(receiver), server)  # type: ignore[no-untyped-call]  # generated
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
