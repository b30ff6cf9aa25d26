"""CoordinatorService, the calls that stand alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from hashlib import sha256
from typing import TypeVar, cast

import grpc

from gesso.v1 import coordinator_service_pb2 as pb
from gesso.v1 import payload_pb2, value_item_pb2, worker_service_pb2
from gesso_server.carried import Carried
from gesso_server.config import DEFAULT_NAMESPACE
from gesso_server.dispatch.coordinator import Coordinator
from gesso_server.dispatch.large import beside, is_large
from gesso_server.dispatch.submission import Submission, Submitted
from gesso_server.dispatch.values import Mark, NoValueError, Room, Settled
from gesso_server.ids import CanvasId, NodeRef, parse_canvas_id
from gesso_server.plan import Plan
from gesso_server.rpc.elements import Elements, merged_stamps, milliseconds, positive_milliseconds
from gesso_server.rpc.listing import Nodes
from gesso_server.rpc.nodes import NodeView, node_state, submitted, summary
from gesso_server.rpc.refusal import Refusal, draining, invalid, not_found
from gesso_server.rpc.search import list_canvases
from gesso_server.rpc.service import Context
from gesso_server.rpc.waiting import add_survey, explain
from gesso_server.store.calls import Accepted, LookedCanvas
from gesso_server.store.records import State

NAMESPACE = DEFAULT_NAMESPACE
V = TypeVar("V", pb.ReadValueResponse, worker_service_pb2.ReadInputResponse)

_REQUEST_ID_BYTES = 128
_TRACESTATE_BYTES, _BAGGAGE_BYTES = 512, 8192
_INLINE = Room(size=256 << 10, count=50_000)
_NONE = payload_pb2.Payload(data=b"null")
_FRAME_BYTES = 256 << 10
_PAGE_SIZE, _PAGE_LIMIT = 100, 1000
_TASK_ID_LENGTH = 128


class Canvases:
    """Serves submissions, waits and reads, for whichever stream they come by."""

    def __init__(self, coordinator: Coordinator) -> None:
        self._coordinator = coordinator
        self._nodes = Nodes(coordinator, NAMESPACE)

    async def submit_canvas(
        self, request: pb.SubmitCanvasRequest, _context: Context
    ) -> pb.SubmitCanvasResponse:
        """Serve CoordinatorService.SubmitCanvas."""
        response, _ = await self.submit(request, watch=False)
        return response

    async def submit(
        self, request: pb.SubmitCanvasRequest, *, watch: bool
    ) -> tuple[pb.SubmitCanvasResponse, Submitted | None]:
        """Accept a canvas; with `watch` the end of its last node is announced to this coordinator.

        Returns:
            The answer, and what was accepted; None when the request was only to be checked.
        """
        config = self._coordinator.config
        elements = Elements(config.limits, config.routes)
        async with self.turn(request):
            submission, plan = await self.planned(request, elements, watch=watch)
            if request.validate_only:
                return pb.SubmitCanvasResponse(node_count=len(plan.nodes)), None
            if self._coordinator.draining:
                raise draining()
            made = await self._coordinator.submissions.keep(submission, plan)
        response = submitted(made.accepted, self._coordinator.durability)
        if made.last_task_id:
            response.last.task_id = made.last_task_id
        return response, made

    def turn(self, request: pb.SubmitCanvasRequest) -> AbstractAsyncContextManager[None]:
        """Return what is held while a submission is planned and kept: large ones are taken one at a time."""
        return self._coordinator.submissions.large if is_large(request) else nullcontext()

    async def planned(
        self, request: pb.SubmitCanvasRequest, elements: Elements, *, watch: bool
    ) -> tuple[Submission, Plan]:
        """Check, convert and compile a submission; a large one in a thread, so that others are served meanwhile.

        Raises:
            Refusal: If something in it is wrong.
            PlanError: If it does not compile.
        """

        def made() -> tuple[Submission, Plan]:
            submission = self._submission(request, elements, watch=watch)
            return submission, self._coordinator.submissions.compile(submission.element)

        return await beside(made, large=is_large(request))

    async def last_end(self, made: Submitted) -> pb.WaitNodeResponse | None:
        """Wait for the end of an accepted canvas's last node; None if it has none."""
        if made.accepted.last is None:
            return None
        ref = NodeRef(made.accepted.canvas_id, made.accepted.last)
        if made.end is None:
            return await self.wait(pb.WaitNodeRequest(node_id=ref.node_id), None)
        looked = await self._coordinator.waits.until(ref, made.end)
        if looked is None:
            raise not_found("node")
        return await self.ended(NodeView.of(ref, looked))

    def _submission(self, request: pb.SubmitCanvasRequest, elements: Elements, *, watch: bool) -> Submission:
        """Check and convert a submission.

        Raises:
            Refusal: If something in it is wrong.
        """
        _check_request_id(request.request_id)
        if len(request.tracestate.encode()) > _TRACESTATE_BYTES:
            raise invalid("OUT_OF_RANGE", f"a tracestate has at most {_TRACESTATE_BYTES} bytes", "tracestate")
        if len(request.baggage.encode()) > _BAGGAGE_BYTES:
            raise invalid("OUT_OF_RANGE", f"baggage has at most {_BAGGAGE_BYTES} bytes", "baggage")
        deadline_ms = (
            positive_milliseconds(request.deadline, "deadline") if request.HasField("deadline") else None
        )
        try:
            element = elements.convert(request.canvas)
        except Refusal as refusal:
            raise refusal.within("canvas") from None
        digest = _digest(request, deadline_ms) if request.request_id else "0"
        return Submission(
            namespace=NAMESPACE, element=element, request_id=request.request_id, digest=digest,
            traceparent=request.traceparent, carried=self._carried(request), watch=watch, deadline_ms=deadline_ms,
            stamps=elements.take_stamps(),
        )  # fmt: skip

    def _carried(self, request: pb.SubmitCanvasRequest) -> Carried:
        keys = self._coordinator.config.tracing.baggage
        return Carried.of(request.tracestate, request.baggage, keys)

    async def last(self, accepted: Accepted) -> tuple[LookedCanvas, NodeView | None]:
        """Return an accepted canvas as it stands, and its last node."""
        indexes = [] if accepted.last is None else [accepted.last]
        canvas, views = await self._nodes.views(NodeRef(accepted.canvas_id, 0), indexes)
        return canvas, views[0] if views else None

    async def get_canvas(self, request: pb.GetCanvasRequest, _context: Context) -> pb.GetCanvasResponse:
        """Serve CoordinatorService.GetCanvas."""
        canvas_id = _canvas_id(request.canvas_id, "canvas_id")
        response = pb.GetCanvasResponse(canvas=summary(canvas_id, await self._nodes.canvas(canvas_id)))
        if request.with_waiting:
            survey = await self._coordinator.explainer.survey(NAMESPACE, canvas_id)
            if survey is None:
                raise not_found("canvas")
            _, views = await self._nodes.views(
                NodeRef(canvas_id, 0), [crowd.first.index for crowd in survey.crowds]
            )
            add_survey(survey, [view.handle() for view in views], response)
        return response

    async def list_canvases(
        self, request: pb.ListCanvasesRequest, _context: Context
    ) -> pb.ListCanvasesResponse:
        """Serve CoordinatorService.ListCanvases."""
        size, _ = _page(request.page_size, "")
        return await list_canvases(self._coordinator.store, NAMESPACE, request, size)

    async def get_node(self, request: pb.GetNodeRequest, _context: Context) -> pb.GetNodeResponse:
        """Serve CoordinatorService.GetNode."""
        canvas, view = await self._nodes.one(await self._ref(request.node_id))
        node = view.node(canvas)
        parent = await self._nodes.parent(view)
        if parent is not None:
            node.parent.CopyFrom(parent.handle())
        if request.with_signature and not view.record.join:
            node.signature.CopyFrom(view.assignment.signature)
        if request.with_waiting:
            await explain(self._coordinator.explainer, NAMESPACE, canvas, view, node)
        return pb.GetNodeResponse(node=node)

    async def list_nodes(self, request: pb.ListNodesRequest, _context: Context) -> pb.ListNodesResponse:
        """Serve CoordinatorService.ListNodes."""
        size, offset = _page(request.page_size, request.page_token)
        indexes: Sequence[int]
        match request.WhichOneof("of"):
            case "canvas_id":
                ref = NodeRef(_canvas_id(request.canvas_id, "canvas_id"), 0)
                indexes = range((await self._nodes.canvas(ref.canvas_id)).node_count)
            case "members_of":
                ref = await self._ref(request.members_of, "members_of")
                indexes = list(self._nodes.members((await self._nodes.one(ref))[1]))
            case "children_of":
                ref = await self._ref(request.children_of, "children_of")
                indexes = await self._nodes.children((await self._nodes.one(ref))[1])
            case _:
                raise invalid("BAD_ID", "say whose nodes to list", "canvas_id")
        found = list(indexes[offset : offset + size])
        canvas, views, count = await self._nodes.page(ref, found)
        token = str(offset + count) if offset + count < len(indexes) else ""
        return pb.ListNodesResponse(nodes=[view.node(canvas) for view in views], next_page_token=token)

    async def wait_node(self, request: pb.WaitNodeRequest, context: Context) -> pb.WaitNodeResponse:
        """Serve CoordinatorService.WaitNode."""
        timeout = timeout_of(request)
        # Without a deadline it is None, whatever its type says.
        remaining = cast("float | None", context.time_remaining())
        if remaining is not None:
            # Answered a little before the caller's own deadline, so that the reason still reaches it.
            timeout = min(remaining * 0.95, timeout if timeout is not None else remaining)
        return await self.wait(request, timeout)

    async def wait(self, request: pb.WaitNodeRequest, timeout: float | None) -> pb.WaitNodeResponse:
        """Wait for a node's end, `timeout` seconds at the most."""
        ref = await self._ref(request.node_id)
        try:
            async with asyncio.timeout(timeout):
                looked = await self._coordinator.waits.wait(NAMESPACE, ref)
        except TimeoutError:
            text = "the node has not ended in time; the canvas goes on"
            raise Refusal(grpc.StatusCode.DEADLINE_EXCEEDED, "WAIT_TIMEOUT", text) from None
        if looked is None:
            raise not_found("node")
        return await self.ended(NodeView.of(ref, looked))

    async def ended(self, view: NodeView) -> pb.WaitNodeResponse:
        """Return how a node ended."""
        response = pb.WaitNodeResponse(handle=view.handle(), state=view.state())
        error = view.error()
        if error is not None:
            response.error.CopyFrom(error)
        elif view.record.state is not State.SUCCEEDED:
            response.custom_state = view.outcome.ignored.custom_state
        elif view.record.ignores_value:
            pass  # it is for what stands behind it, and for nobody else
        elif view.record.join:
            await self._join_value(view, response)
        elif view.elsewhere:
            response.elsewhere.SetInParent()
        elif not view.looked.outcome:
            raise NoValueError  # it was forgotten
        else:
            response.value.CopyFrom(view.outcome.value)
        return response

    async def _join_value(self, view: NodeView, response: pb.WaitNodeResponse) -> None:
        outcomes = await self._coordinator.values.small(
            view.ref.canvas_id,
            view.ref.index,
            view.join_body(),
            _INLINE,
            for_client=True,
        )
        if outcomes is None:
            response.elsewhere.SetInParent()
            return
        response.values.SetInParent()
        for outcome in outcomes:
            response.values.values.add().CopyFrom(worker_service_pb2.Outcome.FromString(outcome).value)

    async def read_value(
        self, request: pb.ReadValueRequest, _context: Context
    ) -> AsyncIterator[pb.ReadValueResponse]:
        """Serve CoordinatorService.ReadValue."""
        async for part in self.value(await self._ref(request.node_id), pb.ReadValueResponse):
            yield part

    async def _ref(self, text: str, field: str = "node_id") -> NodeRef:
        """Return the node that an id names: a node's own, or one that a client chose."""
        if not 0 < len(text) <= _TASK_ID_LENGTH:
            raise invalid("BAD_ID", f"a node's id has 1 to {_TASK_ID_LENGTH} characters", field)
        found = await self._coordinator.submissions.names.find(NAMESPACE, text)
        if found is None:
            raise not_found("node")
        return found

    async def cancel_canvas(
        self, request: pb.CancelCanvasRequest, _context: Context
    ) -> pb.CancelCanvasResponse:
        """Serve CoordinatorService.CancelCanvas."""
        canvas_id = _canvas_id(request.canvas_id, "canvas_id")
        found = await self._coordinator.cancellations.canvas(
            NAMESPACE, canvas_id, terminate=request.terminate
        )
        if found is None:
            raise not_found("canvas")
        return pb.CancelCanvasResponse(already_terminal=not found)

    async def retry_canvas(self, request: pb.RetryCanvasRequest, _context: Context) -> pb.RetryCanvasResponse:
        """Serve CoordinatorService.RetryCanvas."""
        canvas_id = _canvas_id(request.canvas_id, "canvas_id")
        return pb.RetryCanvasResponse(submitted=await self.rerun(canvas_id, request.request_id))

    async def rerun(self, canvas_id: CanvasId, request_id: str) -> pb.SubmitCanvasResponse:
        """Run what failed of a canvas again.

        Raises:
            Refusal: If there is no such canvas, or the request id is too long.
        """
        _check_request_id(request_id)
        if self._coordinator.draining:
            raise draining()
        accepted = await self._coordinator.reruns.run(NAMESPACE, canvas_id, request_id)
        if accepted is None:
            raise not_found("canvas")
        response = submitted(accepted, self._coordinator.durability)
        _, last = await self.last(accepted)
        if last is not None:
            response.last.CopyFrom(last.handle())
        return response

    async def forget_node(self, request: pb.ForgetNodeRequest, _context: Context) -> pb.ForgetNodeResponse:
        """Serve CoordinatorService.ForgetNode."""
        ref = await self._ref(request.node_id)
        partition = self._coordinator.store.partition_of(ref.canvas_id)
        found = await partition.forget_node(NAMESPACE, *ref) if partition else None
        if found is None:
            raise not_found("node")
        if not found:
            raise NoValueError
        return pb.ForgetNodeResponse()

    async def revoke_nodes(self, request: pb.RevokeNodesRequest, _context: Context) -> pb.RevokeNodesResponse:
        """Serve CoordinatorService.RevokeNodes."""
        if len(request.node_ids) > _PAGE_LIMIT:
            raise invalid("OUT_OF_RANGE", f"at most {_PAGE_LIMIT} nodes", "node_ids")
        if request.stamps:
            stamps = merged_stamps(request.stamps, {})
            values = [(key, value) for key, stamp in stamps.items() for value in stamp.values]
            if len(values) > _PAGE_LIMIT:
                raise invalid("OUT_OF_RANGE", f"at most {_PAGE_LIMIT} stamps' values", "stamps")
            await self._coordinator.revocations.add(values, terminate=request.terminate)
        refs = [await self._ref(text, "node_ids") for text in request.node_ids]
        count = await self._coordinator.cancellations.nodes(NAMESPACE, refs, terminate=request.terminate)
        return pb.RevokeNodesResponse(revoked_count=count)

    async def value(self, ref: NodeRef, kind: type[V], *, for_client: bool = True) -> AsyncIterator[V]:
        """Walk through the value of a node, in parts of about 256 KiB.

        Args:
            ref: The node.
            kind: The message that a part is.
            for_client: Whether values that are to be ignored are None.
        """
        _, view = await self._nodes.one(ref)
        if view.record.state is not State.SUCCEEDED:
            raise NoValueError
        part, outcome, size = kind(), worker_service_pb2.Outcome(), 0
        async for steps in self._coordinator.values.walk(ref.canvas_id, ref.index, for_client=for_client):
            for step in steps:
                size += 8
                # A part's items lie together in memory: made one by one, each would take some hundred bytes more.
                item = part.items.add()
                if isinstance(step, bytes):
                    size += len(step)
                    outcome.ParseFromString(step)
                    item.value.CopyFrom(outcome.value)
                else:
                    await self._set_mark(item, ref, step)
                if size > _FRAME_BYTES:
                    yield part
                    # What is read into a message again takes more memory each time, until it is thrown away.
                    part, outcome, size = kind(), worker_service_pb2.Outcome(), 0
        yield part

    async def _set_mark(self, item: value_item_pb2.ValueItem, ref: NodeRef, step: Mark | Settled) -> None:
        match step:
            case Mark.BEGIN:
                item.begin.SetInParent()
            case Mark.END:
                item.end.SetInParent()
            case Mark.IGNORED:
                item.value.CopyFrom(_NONE)
            case Settled(index, state):
                item.outcome.state = node_state(state)
                if state.final and state is not State.SUCCEEDED:
                    _, view = await self._nodes.one(NodeRef(ref.canvas_id, index))
                    if (error := view.error()) is not None:
                        item.outcome.error.CopyFrom(error)


def _check_request_id(text: str) -> None:
    if len(text.encode()) > _REQUEST_ID_BYTES:
        raise invalid("BAD_REQUEST_ID", f"a request id has at most {_REQUEST_ID_BYTES} bytes", "request_id")


def _digest(request: pb.SubmitCanvasRequest, deadline_ms: int | None) -> str:
    content = request.canvas.SerializeToString(deterministic=True)
    return sha256(content if deadline_ms is None else b"%d " % deadline_ms + content).hexdigest()


def _canvas_id(text: str, field: str) -> CanvasId:
    found = parse_canvas_id(text)
    if found is None:
        raise invalid("BAD_ID", "a canvas's id is 32 lower-case hexadecimal digits", field)
    return found


def _page(size: int, token: str) -> tuple[int, int]:
    if not 0 <= size <= _PAGE_LIMIT:
        raise invalid("OUT_OF_RANGE", f"a page has 1 to {_PAGE_LIMIT} entries", "page_size")
    if token and not (token.isascii() and token.isdigit() and len(token) < 10):  # noqa: PLR2004  below any overflow
        raise invalid("BAD_PAGE_TOKEN", "the token was not made by this service", "page_token")
    return size or _PAGE_SIZE, int(token or 0)


def timeout_of(request: pb.WaitNodeRequest) -> float | None:
    """Return how many seconds a wait may take, None for any.

    Raises:
        Refusal: If it is not a span of time.
    """
    if not request.HasField("timeout"):
        return None
    return milliseconds(request.timeout, "timeout") / 1000
