"""The remote side of the SDK's tests: a small server that speaks the contract as it is told to.

It keeps what it was sent, answers submissions by `request_id`, and ends nodes when the test says so. It stands for the
coordinator's faults, which a real one cannot be made to show at will: lost connections, draining, refusals.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent import futures
from dataclasses import dataclass, field
from typing import Any, cast

import grpc

from gesso import codec
from gesso.v1 import canvas_pb2, node_pb2, payload_pb2, task_error_pb2, value_item_pb2
from gesso.v1 import coordinator_service_pb2 as pb
from gesso.v1.coordinator_service_pb2_grpc import add_CoordinatorServiceServicer_to_server

Reply = pb.ConverseResponse.Reply
Outcome = payload_pb2.Payload | task_error_pb2.TaskError


@dataclass(eq=False)
class Stream:
    """One conversation, as the server sees it."""

    out: queue.SimpleQueue[pb.ConverseResponse | None] = field(default_factory=queue.SimpleQueue)
    calls: list[pb.ConverseRequest.Call] = field(default_factory=list)
    frame_count: int = 0
    ended: threading.Event = field(default_factory=threading.Event)

    def send(self, *replies: Reply, draining: bool = False) -> None:
        """Send replies in one message."""
        self.out.put(pb.ConverseResponse(replies=replies, draining=draining))


class Peer:
    """A server whose every submission is one task, `<canvas>-0`, or as many as a group has members."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.streams: list[Stream] = []
        self.requests: list[pb.SubmitCanvasRequest] = []  # each submission that arrived, repeats too
        self.canvases: dict[str, str] = {}  # by request id
        self.last: dict[str, node_pb2.Handle] = {}  # by canvas id
        self.outcomes: dict[str, Outcome] = {}  # by node id
        self.waits: dict[tuple[Stream, int], str] = {}
        self.stopped: list[str] = []
        self.unary_count = 0
        self.echo = False  # whether each task ends at once, with its first argument
        self.answering = True
        self.taking = threading.Event()  # whether what is streamed is read
        self.taking.set()
        self.streamed: list[canvas_pb2.Canvas] = []  # members, as they arrived
        self.refusals: list[pb.CallError] = []  # for the next submissions
        self.aborts: list[grpc.StatusCode] = []  # for the next calls of their own
        self._server: grpc.Server | None = None
        self.port = 0

    # --- its life ----------------------------------------------------------------------------

    @property
    def address(self) -> str:
        """Where it listens, or did."""
        return f"127.0.0.1:{self.port}"

    def start(self) -> Peer:
        """Listen; on the same port as before."""
        self._server = grpc.server(futures.ThreadPoolExecutor(24), options=[("grpc.so_reuseport", 0)])
        add_CoordinatorServiceServicer_to_server(cast("Any", self), self._server)
        self.port = self._server.add_insecure_port(f"127.0.0.1:{self.port}")
        self._server.start()
        return self

    def stop(self) -> None:
        """Break every connection and listen no more."""
        if self._server is not None:
            self._server.stop(0).wait()
            self._server = None
            for stream in self.streams:
                stream.out.put(None)

    # --- what the test says ------------------------------------------------------------------

    def until(self, condition: Callable[[], Any], seconds: float = 10) -> None:
        """Wait until a condition on what arrived holds."""
        with self.changed:
            assert self.changed.wait_for(condition, seconds), "what the test waits for did not happen"

    def break_streams(self) -> None:
        """End every stream as a lost connection would."""
        for stream in self.streams:
            stream.out.put(None)

    def finish(self, node_id: str, outcome: Any) -> None:
        """End a node with a value, an error or a payload, and tell whoever waits."""
        if not isinstance(outcome, payload_pb2.Payload | task_error_pb2.TaskError):
            outcome = codec.encode(outcome)
        with self.changed:
            self.outcomes[node_id] = outcome
            for (stream, call_id), waited in tuple(self.waits.items()):
                if waited == node_id:
                    self._end(stream, call_id, node_id)
            self.changed.notify_all()

    def node_of(self, number: int) -> str:
        """Return the last node of the submission that arrived as this one."""
        return self.last[self.canvases[self.requests[number].request_id]].node_id

    # --- the contract ------------------------------------------------------------------------

    def Converse(  # noqa: N802
        self, request_iterator: Iterable[pb.ConverseRequest], context: Any
    ) -> Iterator[pb.ConverseResponse]:
        """Hold a conversation."""
        stream = Stream()
        with self.changed:
            self.streams.append(stream)
            self.changed.notify_all()
        reader = threading.Thread(target=self._read, args=(stream, request_iterator), daemon=True)
        reader.start()
        while (response := stream.out.get()) is not None:
            if not context.is_active():
                return
            yield response
        if not stream.ended.is_set():
            context.abort(grpc.StatusCode.UNAVAILABLE, "the connection was lost")

    def SubmitCanvas(self, request: pb.SubmitCanvasRequest, context: Any) -> pb.SubmitCanvasResponse:  # noqa: N802
        """Take one submission."""
        self._abort(context)
        with self.changed:
            self.unary_count += 1
            self.requests.append(request)
            self.changed.notify_all()
            return self._accept(request)

    def StreamCanvas(  # noqa: N802
        self, request_iterator: Iterable[pb.StreamCanvasRequest], context: Any
    ) -> pb.StreamCanvasResponse:
        """Take a group that grows."""
        self._abort(context)
        self.taking.wait()
        for request in request_iterator:
            self.streamed += [member for growth in request.growths for member in growth.members]
        handle = node_pb2.Handle(node_id=f"{'0' * 32}-0", kind="KIND_JOIN", member_count=len(self.streamed))
        return pb.StreamCanvasResponse(submitted=pb.SubmitCanvasResponse(canvas_id="0" * 32, last=handle))

    def GetNode(self, request: pb.GetNodeRequest, context: Any) -> pb.GetNodeResponse:  # noqa: N802
        """Return a node."""
        self._abort(context)
        node = self._node(request.node_id)
        if node is None:
            context.abort(grpc.StatusCode.NOT_FOUND, "no such node")
        return pb.GetNodeResponse(node=node)

    def ListNodes(self, request: pb.ListNodesRequest, context: Any) -> pb.ListNodesResponse:  # noqa: N802
        """Return the members of a group in pages of three."""
        self._abort(context)
        canvas_id, _, _ = request.members_of.partition("-")
        count = self.last[canvas_id].member_count
        start = int(request.page_token or 0)
        nodes = [self._node(f"{canvas_id}-{index}") for index in range(start, min(start + 3, count))]
        token = str(start + 3) if start + 3 < count else ""
        return pb.ListNodesResponse(nodes=[node for node in nodes if node is not None], next_page_token=token)

    def ReadValue(self, request: pb.ReadValueRequest, context: Any) -> Iterator[pb.ReadValueResponse]:  # noqa: N802
        """Send a group's value, one item a message."""
        self._abort(context)
        canvas_id, _, _ = request.node_id.partition("-")
        yield _items(value_item_pb2.ValueItem(begin={}))
        for index in range(self.last[canvas_id].member_count):
            yield _items(value_item_pb2.ValueItem(value=cast("Any", self.outcomes[f"{canvas_id}-{index}"])))
        yield _items(value_item_pb2.ValueItem(end={}))

    def _unserved(self, _: Any, context: Any) -> Any:
        context.abort(grpc.StatusCode.UNIMPLEMENTED, "not served")

    GetCanvas = ListCanvases = WatchCanvases = CancelCanvas = _unserved
    RetryCanvas = WaitNode = RevokeNodes = ForgetNode = _unserved

    # --- inside ------------------------------------------------------------------------------

    def _abort(self, context: Any) -> None:
        if self.aborts:
            context.abort(self.aborts.pop(0), "as the test says")

    def _read(self, stream: Stream, requests: Iterable[pb.ConverseRequest]) -> None:
        try:
            for request in requests:
                with self.changed:
                    stream.frame_count += 1
                    for call in request.calls:
                        stream.calls.append(call)
                        self._call(stream, call)
                    self.changed.notify_all()
            stream.ended.set()
        except grpc.RpcError:
            pass
        except ValueError:
            pass
        stream.out.put(None)

    def _call(self, stream: Stream, call: pb.ConverseRequest.Call) -> None:
        match call.WhichOneof("method"):
            case "submit":
                self._submit(stream, call)
            case "wait":
                self.waits[stream, call.call_id] = call.wait.node_id
                if call.wait.node_id in self.outcomes:
                    self._end(stream, call.call_id, call.wait.node_id)
                elif call.wait.node_id.partition("-")[0] not in self.last:
                    stream.send(
                        Reply(
                            call_id=call.call_id,
                            error=pb.CallError(
                                code=5, reason="ERROR_REASON_NODE_NOT_FOUND", message="unknown"
                            ),
                        )
                    )
            case "stop":
                self.stopped.append(self.waits.pop((stream, call.call_id), ""))
            case _:
                raise AssertionError(call)

    def _submit(self, stream: Stream, call: pb.ConverseRequest.Call) -> None:
        self.requests.append(call.submit)
        if not self.answering:
            return
        if self.refusals:
            stream.send(Reply(call_id=call.call_id, error=self.refusals.pop(0)))
            return
        response = self._accept(call.submit)
        stream.send(Reply(call_id=call.call_id, submitted=response))
        if call.submit.wait:
            self.waits[stream, call.call_id] = response.last.node_id
            if response.last.node_id in self.outcomes:
                self._end(stream, call.call_id, response.last.node_id)

    def _accept(self, request: pb.SubmitCanvasRequest) -> pb.SubmitCanvasResponse:
        known = request.request_id in self.canvases
        canvas_id = self.canvases.setdefault(request.request_id, f"{len(self.canvases):032x}")
        if request.canvas.WhichOneof("kind") == "group":
            count = len(request.canvas.members)
            handle = node_pb2.Handle(node_id=f"{canvas_id}-{count}", kind="KIND_JOIN", member_count=count)
        else:
            task_id = request.canvas.signature.options.task_id
            handle = node_pb2.Handle(node_id=f"{canvas_id}-0", kind="KIND_TASK", task_id=task_id)
            if self.echo:
                value = codec.decode(request.canvas.signature.args)
                self.outcomes[handle.node_id] = codec.encode(value[0] if value else None)
        self.last[canvas_id] = handle
        return pb.SubmitCanvasResponse(canvas_id=canvas_id, last=handle, node_count=1, deduplicated=known)

    def _end(self, stream: Stream, call_id: int, node_id: str) -> None:
        self.waits.pop((stream, call_id))
        ended = pb.WaitNodeResponse(handle=node_pb2.Handle(node_id=node_id))
        outcome = self.outcomes[node_id]
        if isinstance(outcome, task_error_pb2.TaskError):
            ended.state = node_pb2.Node.STATE_FAILED
            ended.error.CopyFrom(outcome)
        else:
            ended.state = node_pb2.Node.STATE_SUCCEEDED
            if outcome.encoding == "elsewhere":
                ended.elsewhere.SetInParent()
            else:
                ended.value.CopyFrom(outcome)
        stream.send(Reply(call_id=call_id, ended=ended))

    def _node(self, node_id: str) -> node_pb2.Node | None:
        canvas_id, _, index = node_id.partition("-")
        last = self.last.get(canvas_id)
        if last is None:
            return None
        handle = last if last.node_id == node_id else node_pb2.Handle(node_id=node_id, kind="KIND_TASK")
        node = node_pb2.Node(
            handle=handle, state="STATE_WAITING", task="tests.echo", failure_count=int(index == "9")
        )
        ended = [
            self.outcomes[each] for each in self.outcomes if each.startswith(canvas_id) and each != node_id
        ]
        node.ended_count = len(ended)
        node.succeeded_count = sum(isinstance(each, payload_pb2.Payload) for each in ended)
        outcome = self.outcomes.get(node_id)
        if isinstance(outcome, task_error_pb2.TaskError):
            node.state = node_pb2.Node.STATE_FAILED
            node.error.CopyFrom(outcome)
        elif outcome is not None:
            node.state = node_pb2.Node.STATE_SUCCEEDED
        return node


def _items(*items: value_item_pb2.ValueItem) -> pb.ReadValueResponse:
    return pb.ReadValueResponse(items=items)
