"""The wire's limit: frames of 64 tasks through gRPC, with nothing behind them.

A server in a process of its own answers each frame of reports with one of assignments, as a coordinator would that had
no store; a client answers as a worker would that ran nothing. Both make and read the contract's messages.

    python -m bench.frames     the server: prints its port, and ends with its input
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator

import grpc
from grpc import aio

from bench.processes import end
from gesso.v1 import worker_service_pb2 as pb
from gesso.v1.worker_service_pb2_grpc import WorkerServiceStub

PER_FRAME = 64
_IN_FLIGHT = 2
"""Frames under way: while one is answered the next one is made."""
_METHOD, _SERVICE = "Work", "gesso.v1.WorkerService"
_NODE = "0" * 32


def frames(tasks: int) -> float:
    """Send so many tasks there and back, and return the seconds that it took."""
    server = subprocess.Popen(
        [sys.executable, "-m", "bench.frames"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    assert server.stdout is not None  # noqa: S101 - asked for above
    assert server.stdin is not None  # noqa: S101
    try:
        return asyncio.run(_client(int(server.stdout.readline()), tasks))
    finally:
        server.stdin.close()
        end(server)
        server.stdout.close()


async def _client(port: int, tasks: int) -> float:
    async with aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        call = WorkerServiceStub(channel).Work()
        await call.wait_for_connection()
        begin = time.perf_counter()
        for _ in range(_IN_FLIGHT):
            await call.write(pb.WorkRequest(credit_count=PER_FRAME))
        done = 0
        while done < tasks:
            response = await call.read()
            if not isinstance(response, pb.WorkResponse):
                raise TypeError("the stream of frames ended")
            done += len(response.assignments)
            await call.write(_reports(response))
        seconds = time.perf_counter() - begin
        call.cancel()
    return seconds


def _reports(response: pb.WorkResponse) -> pb.WorkRequest:
    request = pb.WorkRequest(credit_count=len(response.assignments))
    for assignment in response.assignments:
        report = request.reports.add()
        report.token.CopyFrom(assignment.token)
        report.outcome.value.encoding = "json"
        report.outcome.value.data = b"1"
    return request


async def _work(requests: AsyncIterator[bytes], _context: object) -> AsyncIterator[pb.WorkResponse]:
    model = pb.Assignment()
    model.signature.task = "bench.noop"
    model.signature.args.encoding = "json"
    model.signature.args.data = b"[1,1]"
    number = 0
    async for data in requests:
        request = pb.WorkRequest.FromString(data)
        tokens = [(report.token.node_id, report.token.nonce) for report in request.reports]
        response = pb.WorkResponse(acknowledged_frame=len(tokens))
        for _ in range(request.credit_count):
            number += 1
            assignment = response.assignments.add()
            assignment.CopyFrom(model)
            assignment.token.node_id = f"{_NODE}-{number}"
            assignment.token.attempt = 1
            assignment.token.nonce = number
        yield response


async def _serve() -> None:
    server = aio.server()
    handler: grpc.RpcMethodHandler[bytes, pb.WorkResponse] = grpc.stream_stream_rpc_method_handler(
        _work, request_deserializer=None, response_serializer=pb.WorkResponse.SerializeToString
    )
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(_SERVICE, {_METHOD: handler}),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(port, flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await server.stop(None)


if __name__ == "__main__":
    asyncio.run(_serve())
