"""WorkerService: hello, and then one call to the store for each frame."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import AsyncIterator, Iterable

import grpc

from gesso.v1 import worker_service_pb2 as pb
from gesso_server.config import Timing
from gesso_server.dispatch.coordinator import Coordinator
from gesso_server.dispatch.session import Incoming, Outgoing, Session, SessionLostError
from gesso_server.ids import CanvasId, NodeRef, parse_node_id
from gesso_server.rpc.assignments import Assignments, batches
from gesso_server.rpc.canvases import NAMESPACE, Canvases
from gesso_server.rpc.holdings import Holdings
from gesso_server.rpc.limits import declared_limits
from gesso_server.rpc.refusal import Refusal, draining, invalid
from gesso_server.rpc.reports import Reports
from gesso_server.rpc.service import Context
from gesso_server.rpc.silence import Silence
from gesso_server.store.calls import CanvasContext, Grant, Hello, SessionId, TokenRef, Welcomed
from gesso_server.store.errors import StoreError, level_of

_log = logging.getLogger(__name__)

PROTOCOL_VERSION = 1
_SESSION = re.compile(r"[A-Za-z0-9._-]{16,64}", re.ASCII)
_SESSION_TEXT = "a session's id has 16 to 64 letters, digits, dots, hyphens or underscores"
_QUEUE = re.compile(r"[A-Za-z0-9._:-]{1,128}", re.ASCII)
_TASK = re.compile(r"[^\x00-\x1f\x7f-\x9f]+")
_TASK_BYTES = 256
_MOST_CREDITS = 1000
_MOST_QUEUES = 64
_MOST_TASKS = 10_000
_WORKER_BYTES = 128
_REASONS = {
    "D": pb.WorkResponse.Refusal.REASON_DUPLICATE,
    "S": pb.WorkResponse.Refusal.REASON_STALE,
    "U": pb.WorkResponse.Refusal.REASON_UNKNOWN_TASK,
}


class Work:
    """Serves WorkerService."""

    def __init__(self, coordinator: Coordinator, canvases: Canvases) -> None:
        self._coordinator = coordinator
        self._canvases = canvases
        self._assignments = Assignments(coordinator.values)

    async def read_input(
        self, request: pb.ReadInputRequest, _context: Context
    ) -> AsyncIterator[pb.ReadInputResponse]:
        """Serve WorkerService.ReadInput."""
        ref = parse_node_id(request.node_id)
        if ref is None:
            raise invalid("BAD_ID", "a node's id is its canvas's id, a hyphen and a number", "node_id")
        if not _SESSION.fullmatch(request.session_id):
            raise invalid("BAD_ID", _SESSION_TEXT, "session_id")
        token = _token(request.token)
        partition = self._coordinator.store.partition_of(ref.canvas_id)
        same = token.canvas_id == ref.canvas_id
        if partition is None or not same or not await partition.takes(request.session_id, token, ref.index):
            text = "the session does not hold this attempt, or the node is not its input"
            raise Refusal(grpc.StatusCode.FAILED_PRECONDITION, "NOT_HELD", text)
        async for part in self._canvases.value(ref, pb.ReadInputResponse, for_client=False):
            yield part

    async def work(
        self, requests: AsyncIterator[pb.WorkRequest], _context: Context
    ) -> AsyncIterator[pb.WorkResponse]:
        """Serve WorkerService.Work."""
        timing = self._coordinator.config.timing
        first = await _first(requests, timing)
        hello, limits = _hello(first), declared_limits(first.hello.limits)
        if self._coordinator.draining:
            raise draining()
        await self._coordinator.limiter.declare(NAMESPACE, limits)
        try:
            async with self._coordinator.session(hello) as (session, welcomes):
                holdings = Holdings(self._coordinator, NAMESPACE, hello.held)
                async for response in self._welcome(session, hello, welcomes, holdings):
                    yield response
                async for response in self._exchange(session, hello, requests, holdings):
                    yield response
        except SessionLostError:
            text = "the session is not known any more, or has a newer connection; connect again"
            raise Refusal(grpc.StatusCode.ABORTED, "PROTOCOL", text) from None

    async def _exchange(
        self, session: Session, hello: Hello, requests: AsyncIterator[pb.WorkRequest], holdings: Holdings
    ) -> AsyncIterator[pb.WorkResponse]:
        reports = Reports(self._coordinator, NAMESPACE, hello.worker, holdings)
        reader = asyncio.create_task(_read(session, reports, requests, self._coordinator.config.timing))
        revoker = asyncio.create_task(self._revoke_held(holdings))
        try:
            while (out := await session.exchange()) is not None:
                last = len(parts := batches(out.grants)) - 1
                for number, part in enumerate(parts):
                    response = pb.WorkResponse()
                    if number == 0:
                        _begin(response, out)
                    if number == last:
                        _end(response, out)
                    await self._assign(response, part, out.contexts, holdings)
                    if self._coordinator.revocations:
                        await self._revoke(session, response)
                    yield response
            await reader
        finally:
            reader.cancel()
            revoker.cancel()

    async def _revoke_held(self, holdings: Holdings) -> None:
        """Revoke what the worker holds and bears a stamp that is revoked, whenever that changes, until cancelled."""
        revocations = self._coordinator.revocations
        version = 0
        while True:
            version = await revocations.changed(version)
            try:
                for token, stamps in await holdings.stamped():
                    if revocations.hit(stamps):
                        ref = NodeRef(CanvasId(token.canvas_id), token.index)
                        kill = revocations.kills(stamps)
                        await self._coordinator.cancellations.nodes(NAMESPACE, [ref], terminate=kill)
            except StoreError as error:
                _log.log(level_of(error), "revocations.delayed reason=%s", error)
                version -= 1
                await asyncio.sleep(self._coordinator.config.timing.sweep.total_seconds())

    async def _welcome(
        self, session: Session, hello: Hello, welcomes: list[Welcomed], holdings: Holdings
    ) -> AsyncIterator[pb.WorkResponse]:
        response = pb.WorkResponse()
        response.welcome.heartbeat_interval.FromTimedelta(self._coordinator.config.timing.heartbeat)
        dropped = set(range(len(hello.held)))
        grants: list[Grant] = []
        contexts: dict[str, CanvasContext] = {}
        for welcomed in welcomes:
            dropped &= set(welcomed.drops)
            session.standstill.gave(welcomed.grants)
            grants += welcomed.grants
            contexts |= welcomed.contexts
        session.standstill.holds(token for at, token in enumerate(hello.held) if at not in dropped)
        for position in sorted(dropped):
            _set_token(response.welcome.drops.add(), hello.held[position])
        for part in batches(grants):
            await self._assign(response, part, contexts, holdings)
            yield response
            response = pb.WorkResponse()

    async def _revoke(self, session: Session, response: pb.WorkResponse) -> None:
        """Take back the assignments that bear a revoked stamp."""
        kept = []
        for assignment in response.assignments:
            stamps = {key: stamp.values for key, stamp in assignment.stamps.items()}
            if self._coordinator.revocations.hit(stamps):
                token = _token(assignment.token)
                ref = NodeRef(CanvasId(token.canvas_id), token.index)
                await self._coordinator.cancellations.nodes(NAMESPACE, [ref], terminate=False)
                session.take_back(token)
            else:
                kept.append(assignment)
        if len(kept) < len(response.assignments):
            del response.assignments[:]
            response.assignments.extend(kept)

    async def _assign(
        self,
        response: pb.WorkResponse,
        grants: list[Grant],
        contexts: dict[str, CanvasContext],
        holdings: Holdings,
    ) -> None:
        """Add assignments to a frame."""
        for grant in grants:
            assignment = await self._assignments.add(response, grant, contexts)
            holdings.assigned(grant, assignment)


def _begin(response: pb.WorkResponse, out: Outgoing) -> None:
    """Write into the first frame what has become of the worker's own."""
    response.acknowledged_frame = out.acknowledged
    for token, letter in out.refusals:
        refusal = response.refusals.add(reason=_REASONS[letter])
        _set_token(refusal.token, token)


def _end(response: pb.WorkResponse, out: Outgoing) -> None:
    """Write into the last frame what may concern what was assigned in any."""
    response.draining = out.draining
    for token, terminate in out.cancellations:
        cancellation = response.cancellations.add(terminate=terminate)
        _set_token(cancellation.token, token)


def _set_token(message: pb.Token, token: TokenRef) -> None:
    message.node_id = f"{token.canvas_id}-{token.index}"
    message.attempt = token.attempt
    message.nonce = int(token.nonce, 16)


async def _first(requests: AsyncIterator[pb.WorkRequest], timing: Timing) -> pb.WorkRequest:
    """Return the first message of a stream. A read that takes too long is cancelled, and the stream with it."""
    try:
        async with asyncio.timeout(timing.hello.total_seconds()):
            return await anext(requests)
    except TimeoutError:
        text = "the stream did not begin with a hello in time"
        raise Refusal(grpc.StatusCode.DEADLINE_EXCEEDED, "HELLO_TIMEOUT", text) from None
    except StopAsyncIteration:
        raise invalid("PROTOCOL", "the stream ended before a hello", "hello") from None


async def _read(
    session: Session, reports: Reports, requests: AsyncIterator[pb.WorkRequest], timing: Timing
) -> None:
    """Take frames in until the worker has no more; a worker that is silent for too long ends the stream."""
    try:
        async with Silence(timing.silence) as silence:
            silence.begins()
            async for request in requests:
                silence.ends()
                if request.HasField("hello"):
                    raise invalid("PROTOCOL", "a hello stands in the first message only", "hello")
                session.offer(await _incoming(request, session, reports))
                _check_standstill(session)
                if request.HasField("goodbye"):
                    session.said_goodbye = True
                    return
                await session.room()
                silence.begins()
    except TimeoutError:
        text = "the worker was silent for too long"
        raise Refusal(grpc.StatusCode.DEADLINE_EXCEEDED, "HEARTBEAT_TIMEOUT", text) from None
    finally:
        session.close()


def _check_standstill(session: Session) -> None:
    """Look, at each frame, heartbeats included, whether the worker works.

    Raises:
        Refusal: If it does not. What it has not begun goes elsewhere.
    """
    unstarted = session.standstill.overdue(time.monotonic())
    if not unstarted:
        return
    _log.warning("worker.stands_still session=%s unstarted=%d", session.id.session, len(unstarted))
    for token in unstarted:
        session.take_back(token)
    text = "the worker has free slots, and began nothing of what it was given"
    raise Refusal(grpc.StatusCode.DEADLINE_EXCEEDED, "HEARTBEAT_TIMEOUT", text)


async def _incoming(request: pb.WorkRequest, session: Session, reports: Reports) -> Incoming:
    if not 0 <= request.credit_count <= _MOST_CREDITS - max(session.credits, 0):
        text = f"credits are not negative, and at most {_MOST_CREDITS} outstanding"
        raise invalid("BAD_CREDIT", text, "credit_count")
    returned = list(_tokens(request.returned))
    for token in returned:
        reports.returned(token)
    return Incoming(
        request.frame,
        request.credit_count,
        list(_tokens(request.started)),
        returned,
        [
            *(reports.progress(_token(progress.token), progress) for progress in request.progress),
            *[await reports.reported(_token(report.token), report.outcome) for report in request.reports],
        ],
    )


def _tokens(tokens: Iterable[pb.Token]) -> Iterable[TokenRef]:
    return map(_token, tokens)


def _token(token: pb.Token) -> TokenRef:
    ref = parse_node_id(token.node_id)
    if ref is None:
        raise invalid("BAD_ID", "a node's id is its canvas's id, a hyphen and a number", "token.node_id")
    return TokenRef(ref.canvas_id, ref.index, token.attempt, f"{token.nonce:012x}")


def _hello(request: pb.WorkRequest) -> Hello:
    """Check and convert a hello.

    Raises:
        Refusal: If the message is not one, or something in it is wrong.
    """
    if not request.HasField("hello"):
        raise invalid("PROTOCOL", "the first message is a hello", "hello")
    hello = request.hello
    if hello.protocol_version != PROTOCOL_VERSION:
        bounds = (("min", str(PROTOCOL_VERSION)), ("max", str(PROTOCOL_VERSION)))
        text = f"protocol version {hello.protocol_version} is not served, {PROTOCOL_VERSION} is"
        raise Refusal(grpc.StatusCode.FAILED_PRECONDITION, "VERSION", text, metadata=bounds)
    if not _SESSION.fullmatch(hello.session_id):
        raise invalid("BAD_ID", _SESSION_TEXT, "hello.session_id")
    if hello.epoch <= 0:
        raise invalid("OUT_OF_RANGE", "epochs count from 1", "hello.epoch")
    _check_place(hello)
    return Hello(
        id=SessionId(session=hello.session_id, epoch=hello.epoch),
        namespace=NAMESPACE,
        worker=hello.worker,
        slots=hello.slot_count,
        queues=list(dict.fromkeys(hello.queues)),
        tasks=list(dict.fromkeys(hello.tasks)),
        held=list(_tokens(hello.held)),
        dead_sessions=[(dead.session_id, list(_tokens(dead.crashed))) for dead in hello.dead_sessions],
        overran=[
            (dead.session_id, list(_tokens(dead.overran))) for dead in hello.dead_sessions if dead.overran
        ],
    )


def _check_place(hello: pb.WorkRequest.Hello) -> None:
    """Check what a worker takes, and whose place."""
    if not 1 <= hello.slot_count <= _MOST_CREDITS:
        raise invalid("BAD_CREDIT", f"a worker has 1 to {_MOST_CREDITS} slots", "hello.slot_count")
    if not 1 <= len(hello.queues) <= _MOST_QUEUES or not all(map(_QUEUE.fullmatch, hello.queues)):
        text = f"a worker takes 1 to {_MOST_QUEUES} queues of letters, digits, dots, colons, hyphens or underscores"
        raise invalid("BAD_QUEUE_NAME", text, "hello.queues")
    if len(hello.tasks) > _MOST_TASKS:
        raise invalid("OUT_OF_RANGE", f"a worker knows at most {_MOST_TASKS} tasks", "hello.tasks")
    if any(not _TASK.fullmatch(name) or len(name.encode()) > _TASK_BYTES for name in hello.tasks):
        text = f"a task's name has 1 to {_TASK_BYTES} bytes and no control characters"
        raise invalid("BAD_TASK_NAME", text, "hello.tasks")
    if len(hello.worker.encode()) > _WORKER_BYTES:
        raise invalid("OUT_OF_RANGE", f"a worker's name has at most {_WORKER_BYTES} bytes", "hello.worker")
    if not all(_SESSION.fullmatch(dead.session_id) for dead in hello.dead_sessions):
        raise invalid("BAD_ID", _SESSION_TEXT, "hello.dead_sessions")
