"""Cancelling canvases, seen from outside."""

from __future__ import annotations

import grpc

from gesso.v1 import canvas_summary_pb2, node_pb2
from gesso.v1 import coordinator_service_pb2 as pb
from gesso.v1 import worker_service_pb2 as worker_pb
from support.client import Client
from support.grpc_worker import Stream, hello
from support.messages import group, sig

LIMIT = {"seconds": 20}


async def test_cancelled_canvas_ends_although_a_replacement_was_staged_in_vain(
    client: Client, channel: grpc.aio.Channel
) -> None:
    """Nodes that came with a report that did not count are no part of the canvas: it ends when its own have ended."""
    worker = Stream(channel)
    await worker.send(hello())
    await worker.frame(credit_count=1)
    answer = await client.SubmitCanvas(pb.SubmitCanvasRequest(canvas=group(sig(), sig())))
    (assignment,) = await worker.take()
    late = worker_pb.Report(token=assignment.token)
    late.token.nonce ^= 1
    late.outcome.replacement.canvas.CopyFrom(group(sig(), sig(), sig()))
    await worker.frame(reports=[late])
    refused = await worker.until(lambda: [refusal for frame in worker.frames for refusal in frame.refusals])

    await client.CancelCanvas(pb.CancelCanvasRequest(canvas_id=answer.canvas_id))
    await worker.until(lambda: any(frame.cancellations for frame in worker.frames))
    await worker.report([assignment])
    ended = await client.WaitNode(pb.WaitNodeRequest(node_id=answer.last.node_id, timeout=LIMIT))
    canvas = (await client.GetCanvas(pb.GetCanvasRequest(canvas_id=answer.canvas_id))).canvas
    await worker.close()

    assert refused[0].reason == worker_pb.WorkResponse.Refusal.REASON_STALE
    assert ended.state == node_pb2.Node.STATE_CANCELLED
    assert canvas.state == canvas_summary_pb2.CanvasSummary.STATE_CANCELLED
    assert canvas.HasField("finish_time")
    assert canvas.node_count == 3
