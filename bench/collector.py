"""A receiver of spans that takes them in as cheaply as it can, and counts them when it is asked.

    python -m bench.collector

Its first line says `{"address": "127.0.0.1:4317"}`; to each line that it is told it answers with `{"spans": 1200}`.
What comes is kept as bytes, so that reading it is in nobody's time.
"""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor

import grpc
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

_SERVICE, _METHOD = "opentelemetry.proto.collector.trace.v1.TraceService", "Export"
_ANSWER = ExportTraceServiceResponse().SerializeToString()


class Collector:
    """What has come in."""

    def __init__(self) -> None:
        self._new: list[bytes] = []
        self._count = 0

    def take(self, request: bytes, _context: grpc.ServicerContext) -> bytes:
        """Take a request in."""
        self._new.append(request)
        return _ANSWER

    def count(self) -> int:
        """Return how many spans have come."""
        while self._new:
            request = ExportTraceServiceRequest.FromString(self._new.pop())
            self._count += sum(
                len(scope.spans) for each in request.resource_spans for scope in each.scope_spans
            )
        return self._count


def main() -> None:
    """Receive, and answer until nobody asks any more."""
    collector = Collector()
    server = grpc.server(ThreadPoolExecutor(2))
    handler: grpc.RpcMethodHandler[bytes, bytes] = grpc.unary_unary_rpc_method_handler(collector.take)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(_SERVICE, {_METHOD: handler}),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(json.dumps({"address": f"127.0.0.1:{port}"}), flush=True)
    for _ in sys.stdin:
        print(json.dumps({"spans": collector.count()}), flush=True)
    server.stop(None).wait()


if __name__ == "__main__":
    main()
