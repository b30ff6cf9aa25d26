"""Accepting canvases: compile, stage what is large, submit."""

from __future__ import annotations

import asyncio
import math
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice

from gesso_server.carried import Carried
from gesso_server.config import ServerConfig
from gesso_server.dispatch.duties import DutyDesk
from gesso_server.dispatch.names import Names
from gesso_server.dispatch.pressure import Pressure
from gesso_server.dispatch.registry import Registry
from gesso_server.dispatch.session import Session
from gesso_server.dispatch.tracing import CanvasTraces
from gesso_server.dispatch.waits import Waits
from gesso_server.ids import CanvasId, NodeRef, Trace, new_canvas_id
from gesso_server.plan import Element, JoinNode, Plan, Start, compile_canvas
from gesso_server.store.calls import Accepted, Looked, NewCanvas
from gesso_server.store.partition import STAMPS_PER_CALL, Partition
from gesso_server.store.records import edges_text, lane_texts, stored_nodes, template_fields
from gesso_server.store.store import Store

_MS = timedelta(milliseconds=1)
_NODES_PER_CALL = 500
_NAMES_PER_CALL = 1000
_NAME_DAYS = 30
"""How long a chosen id is known at the least."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """What a client submits, checked and converted."""

    namespace: str
    element: Element
    request_id: str
    digest: str
    """Of the request's bytes, hexadecimal."""
    traceparent: str
    carried: Carried
    deadline_ms: int | None = None
    """How long the canvas may take; None for no limit."""
    watch: bool
    """Whether the end of the last node is to be announced to this coordinator."""
    stamps: Sequence[str] = ()
    """What it is found by, as `stamp_texts` writes it."""


@dataclass(frozen=True, slots=True)
class Submitted:
    """A canvas that was accepted."""

    accepted: Accepted
    last_task_id: str
    """The id that the client chose for its last node; empty for none."""
    end: asyncio.Future[Looked | None] | None
    """The end of its last node, if that was asked for and the canvas is new. Give it to `Waits.forget` in the end."""


class RequestIdReusedError(Exception):
    """The request id was used with another content."""


@dataclass(eq=False)  # not frozen: contextlib sets the traceback of what it lets through
class UnknownTaskError(Exception):
    """No connected worker knows a task, and this coordinator is strict."""

    task: str


class Submissions:
    """Accepts canvases."""

    def __init__(
        self,
        store: Store,
        config: ServerConfig,
        desk: DutyDesk,
        registry: Registry,
        waits: Waits,
        traces: CanvasTraces,
    ) -> None:
        self.pressure = Pressure(store, config.limits.store_watermark)
        self._store = store
        self._config = config
        self._desk = desk
        self._registry = registry
        self._waits = waits
        self.traces = traces
        self.names = Names(store, timedelta(days=_NAME_DAYS) // _MS)
        self.large = asyncio.Lock()
        """Held for a large canvas from its conversion to its end in the store: the memory of a few at once adds up."""

    def compile(self, element: Element) -> Plan:
        """Compile a canvas.

        Raises:
            CanvasTooLargeError: If it comes to too many nodes.
        """
        return compile_canvas(element, node_limit=self._config.limits.nodes)

    async def submit(self, submission: Submission) -> Submitted:
        """Accept a canvas. When this returns, the store has it.

        Raises:
            CanvasTooLargeError: If it comes to too many nodes.
            RequestIdReusedError: If the request id was used with another content.
            UnknownTaskError: If no worker knows one of its tasks, and that is asked for.
            BackpressureError: If the store is nearly full.
            StoreError: If the store does not answer, is full, or has too much of the namespace; repeating with the
                same request id is safe.
        """
        return await self.keep(submission, self.compile(submission.element))

    async def keep(self, submission: Submission, plan: Plan) -> Submitted:
        """Accept a canvas that is compiled. Otherwise as `submit`."""
        self.pressure.check()
        if self._config.limits.strict_tasks:
            await self._check_tasks(submission.namespace, plan)
        # Without a request id the canvas may go anywhere.
        request = submission.request_id or secrets.token_hex(8)
        partition = self._store.partition_for(submission.namespace, request)
        canvas_id = new_canvas_id(partition.number)
        if not submission.watch or plan.last is None:
            task_id = plan.nodes[plan.last].task_id if plan.last is not None else ""
            return Submitted(await self._send(partition, submission, plan, canvas_id), task_id, None)
        # Waited for before it is sent: the end may be known before the answer to the submission is.
        last = NodeRef(canvas_id, plan.last)
        end = self._waits.expect(submission.namespace, last)
        try:
            accepted = await self._send(partition, submission, plan, canvas_id)
        except BaseException:
            self._waits.forget(last, end)
            raise
        if accepted.known:
            self._waits.forget(last, end)
            return Submitted(accepted, plan.nodes[plan.last].task_id, None)
        return Submitted(accepted, plan.nodes[plan.last].task_id, end)

    async def _send(
        self, partition: Partition, submission: Submission, plan: Plan, canvas_id: CanvasId
    ) -> Accepted:
        trace, root = self.traces.begin(submission.traceparent, canvas_id)
        nodes = stored_nodes(plan, self.traces.telling(plan) if trace.told else ())
        part = list(islice(nodes, _NODES_PER_CALL))
        if len(part) == _NODES_PER_CALL:
            await partition.check_room(submission.namespace, len(plan.nodes), self.quota())
        while len(part) == _NODES_PER_CALL:
            staging = asyncio.create_task(partition.stage(canvas_id, part))
            try:
                await asyncio.sleep(0)  # it is sent; the next part is made while the store works on this one
                part = list(islice(nodes, _NODES_PER_CALL))
            finally:
                await staging
        await partition.stage_stamps(canvas_id, submission.stamps[STAMPS_PER_CALL:])
        new = self._new_canvas(submission, plan, canvas_id, trace)
        borrower = self._borrower(submission.namespace, plan, partition.number)
        if borrower is None:
            answer = await partition.submit(new, part)
        else:
            answer = await borrower.lend(partition.number, lambda loan: partition.submit(new, part, loan))
        if answer is None:
            raise RequestIdReusedError
        accepted, _ = answer
        # Before the answer, and also when a request is repeated: its first coordinator may have died in between.
        await self.names.keep(submission.namespace, accepted.canvas_id, plan)
        if root is not None and not accepted.known:
            root.end()
        self._desk.accepted(accepted)
        self._desk.see_to(partition, accepted.duties)
        return accepted

    def quota(self) -> int:
        """Return how many nodes of a namespace one partition may hold."""
        return math.ceil(self._config.limits.open_nodes / len(self._store.partitions))

    async def _check_tasks(self, namespace: str, plan: Plan) -> None:
        # Every session says hello in every partition, so any will do.
        names = sorted({lane.task for lane in plan.lanes})
        for at in range(0, len(names), _NAMES_PER_CALL):
            unknown = await self._store.partitions[0].unknown_tasks(
                namespace, names[at : at + _NAMES_PER_CALL]
            )
            if unknown:
                raise UnknownTaskError(unknown[0])

    def _new_canvas(self, submission: Submission, plan: Plan, canvas_id: CanvasId, trace: Trace) -> NewCanvas:
        timing = self._config.timing
        last = plan.nodes[plan.last] if plan.last is not None else None
        return NewCanvas(
            canvas_id=canvas_id, namespace=submission.namespace, request_id=submission.request_id,
            digest=submission.digest, watch=submission.watch, node_count=len(plan.nodes), last=plan.last,
            last_is_join=isinstance(last, JoinNode), member_count=last.total if isinstance(last, JoinNode) else 0,
            trace=trace, carried=submission.carried,
            root="" if plan.root is None else f"{plan.root} {plan.nodes[plan.root].task_id}".rstrip(),
            start=edges_text(plan.start), result_ttl_ms=timing.result_ttl // _MS,
            request_ttl_ms=timing.request_ttl // _MS, lanes=lane_texts(plan.lanes),
            templates=template_fields(plan.templates), template_count=len(plan.templates),
            growing=sum(isinstance(node, JoinNode) and node.open_index is not None for node in plan.nodes),
            quota=self.quota(), deadline_ms=submission.deadline_ms,
            stamps=submission.stamps[:STAMPS_PER_CALL],
        )  # fmt: skip

    def _borrower(self, namespace: str, plan: Plan, partition: int) -> Session | None:
        """Return an idle session for the queue that the canvas's first tasks go to."""
        lane = next((edge.lane for edge in plan.start if isinstance(edge, Start)), None)
        if lane is None:
            return None
        return self._registry.borrower(namespace, plan.lanes[lane].queue, partition)
