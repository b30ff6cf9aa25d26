"""The scripts on a real store: canvases are submitted as the coordinator does it, workers are made up."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from gesso_server.carried import Carried
from gesso_server.config import Durability, ServerConfig, Timing
from gesso_server.dispatch.coordinator import Coordinator
from gesso_server.dispatch.extension import Replaced
from gesso_server.dispatch.overrun import OVERRAN
from gesso_server.dispatch.submission import Submission
from gesso_server.ids import CanvasId, NodeRef
from gesso_server.plan import Element, JoinNode, Plan, TaskNode, compile_canvas
from gesso_server.store.calls import (
    Accepted,
    Ended,
    Exchanged,
    Frame,
    Grant,
    Hello,
    LookedCanvas,
    Reported,
    SessionId,
    Swept,
    TokenRef,
    Welcomed,
)
from gesso_server.store.partition import Partition
from gesso_server.store.records import Place, Record, parse_join_body, parse_record, parse_task_body
from gesso_server.store.store import Store

NAMESPACE = "default"
QUEUE = "default"
_LIMIT_SECONDS = 10
LEASE_MS = 60_000


@dataclass
class Canvas:
    """A canvas that was submitted, and what its tasks said."""

    element: Element
    plan: Plan
    accepted: Accepted
    values: dict[int, Any] = field(default_factory=dict)
    """What each task that ended well returned."""

    @property
    def id(self) -> CanvasId:
        """Its id."""
        return self.accepted.canvas_id

    def name(self, index: int) -> str:
        """Return the name of a task."""
        node = self.plan.nodes[index]
        assert isinstance(node, TaskNode)
        return node.call.body.decode()

    def value(self, index: int) -> Any:
        """Return the value of a node that succeeded."""
        node = self.plan.nodes[index]
        if isinstance(node, JoinNode):
            return [self.value(inner) for run in node.inputs for inner in run.indexes]
        return self.values[index]


class Rig:
    """A store with one partition, and canvases in it."""

    def __init__(self, store: Store, config: ServerConfig) -> None:
        self.store = store
        self.partition: Partition = store.partitions[0]
        self.coordinator = Coordinator(store, config, Durability.OS)
        self.canvases: dict[str, Canvas] = {}
        self.announced: list[Ended] = []

    async def submit(
        self, element: Element, *, request_id: str = "", digest: str = "00", watch: bool = False
    ) -> Canvas:
        """Submit a canvas."""
        submission = Submission(
            namespace=NAMESPACE, element=element, request_id=request_id, digest=digest, traceparent="",
            carried=Carried(), watch=watch,
        )  # fmt: skip
        accepted = (await self.coordinator.submissions.submit(submission)).accepted
        canvas = Canvas(element, compile_canvas(element, node_limit=10**6), accepted)
        self.canvases.setdefault(canvas.id, canvas)
        return canvas

    async def look(self, canvas: Canvas) -> tuple[LookedCanvas, list[Record]]:
        """Return a canvas and all its nodes."""
        records: list[Record] = []
        while True:
            wanted = range(len(records), min(len(records) + 1000, len(canvas.plan.nodes)))
            found = await self.partition.look(NAMESPACE, canvas.id, wanted)
            assert found is not None
            records += [parse_record(node.record) for node in found[1] if node]
            if len(records) == len(canvas.plan.nodes):
                return found[0], records

    async def record(self, canvas: Canvas, name: str) -> Record:
        """Return one task's record."""
        _, records = await self.look(canvas)
        for index, node in enumerate(canvas.plan.nodes):
            if isinstance(node, TaskNode) and node.call.body.decode() == name:
                return records[index]
        raise AssertionError(name)

    async def states(self, canvas: Canvas) -> str:
        """Return the letters of all nodes' states, by index."""
        return "".join(record.state for record in (await self.look(canvas))[1])

    async def sweep(self, *, staging_ms: int = 60_000, idle: Sequence[tuple[str, str]] = ()) -> Swept:
        """Sweep once."""
        return await self.partition.sweep(staging_ms=staging_ms, overran=OVERRAN, idle_queues=idle)

    async def settle(self) -> int:
        """Sweep until nothing is left to do now; return how many sweeps it took."""
        for count in range(1, 1000):
            swept = await self.sweep()
            if not swept.more and not swept.duties.work:
                return count
        raise AssertionError("sweeping never ends")

    async def keys(self) -> set[str]:
        """Return every key of the store."""
        return {bytes(key).decode() for key in await self.store.redis.keys("*")}  # type: ignore[arg-type]  # bytes

    async def stage_replacement(self, canvas_id: CanvasId, index: int, element: Element) -> str:
        """Stage what replaces a task, before that is reported; return what makes it take effect with the report."""
        replaced = Replaced(ref=NodeRef(canvas_id, index), task_id="", place=Place(), source=None)
        return await self.coordinator.extensions.replacement(NAMESPACE, replaced, element)

    def worker(
        self, session: str = "", *, queues: Sequence[str] = (QUEUE,), tasks: Sequence[str] = ("add", "mul")
    ) -> Worker:
        """Return a worker that has not said hello."""
        return Worker(self, session or secrets.token_hex(8), tuple(queues), tuple(tasks))

    async def ready(self, *queues: str, tasks: Sequence[str] = ("add", "mul")) -> Worker:
        """Return a worker that has said hello."""
        worker = self.worker(queues=queues or (QUEUE,), tasks=tasks)
        assert (await worker.hello()).accepted
        return worker

    async def sweep_until_gone(self, worker: Worker) -> None:
        """Sweep until the store has let a session go."""
        async with asyncio.timeout(_LIMIT_SECONDS):
            while await self.store.redis.exists(f"gesso:{{0}}:s:{worker.session}"):
                await self.sweep()


@dataclass
class Worker:
    """One worker's session, as the coordinator sees it."""

    rig: Rig
    session: str
    queues: tuple[str, ...]
    tasks: tuple[str, ...]
    epoch: int = 0
    seq: int = 0
    held: list[Grant] = field(default_factory=list)

    @property
    def id(self) -> SessionId:
        """Its connection."""
        return SessionId(session=self.session, epoch=self.epoch)

    async def hello(
        self,
        *,
        held: Iterable[Grant] = (),
        dead: Sequence[tuple[str, Sequence[TokenRef]]] = (),
        lease_ms: int = LEASE_MS,
        epoch: int | None = None,
    ) -> Welcomed:
        """Connect, with a higher epoch unless one is given."""
        self.epoch = self.epoch + 1 if epoch is None else epoch
        self.seq = 0
        hello = Hello(
            id=self.id, namespace=NAMESPACE, worker="w", slots=1, queues=self.queues, tasks=self.tasks,
            held=[token(grant) for grant in held], dead_sessions=dead,
        )  # fmt: skip
        return await self.rig.partition.hello(hello, lease_ms=lease_ms)

    async def exchange(
        self, frame: Frame | None = None, *, want: int = 0, seq: int | None = None, others_idle: bool = False
    ) -> Exchanged:
        """Send a frame, with the next number unless one is given."""
        self.seq = self.seq + 1 if seq is None else seq
        reply = await self.rig.partition.exchange(
            self.id, self.seq, frame or Frame(), want=want, others_idle=others_idle
        )
        if seq is None:
            self.held += reply.grants
        return reply

    async def take(self, count: int = 1) -> list[Grant]:
        """Ask for tasks and check that the store hands them over."""
        reply = await self.exchange(want=count)
        assert reply.status == "O"
        return reply.grants

    async def names(self, count: int = 1) -> list[str]:
        """Ask for tasks; return their names."""
        return list(map(name, await self.take(count)))

    async def report(self, *grants: Grant, kind: str = "v", want: int = 0) -> Exchanged:
        """Report that tasks ended."""
        frame = Frame()
        for grant in grants:
            if grant in self.held:
                self.held.remove(grant)
            frame.reported.append(Reported(token(grant), kind, b"null"))
        return await self.exchange(frame, want=want)

    async def start(self, *grants: Grant) -> Exchanged:
        """Report that tasks have begun to run."""
        return await self.exchange(Frame(started=list(map(token, grants))))

    async def give_back(self, *grants: Grant) -> Exchanged:
        """Return tasks unstarted."""
        return await self.exchange(Frame(returned=list(map(token, grants))))

    async def drain(self, *, most: int = 64) -> list[str]:
        """Run everything there is; return the names in the order in which they were handed over."""
        done: list[str] = []
        frame = Frame()
        while True:
            reply = await self.exchange(frame, want=most)
            frame = Frame()
            if not reply.grants:
                return done
            for grant in reply.grants:
                done.append(name(grant))
                self.held.remove(grant)
                frame.reported.append(Reported(token(grant), "v", json.dumps(name(grant)).encode()))


def name(grant: Grant) -> str:
    """Return the name of the call that a grant is for."""
    return parse_task_body(grant.body).call.decode()


def token(grant: Grant) -> TokenRef:
    """Return a grant's token."""
    return TokenRef(grant.canvas_id, grant.index, grant.attempt, grant.nonce)


def source_value(canvas: Canvas, grant: Grant) -> Any:
    """Return the value that a task takes, as the store hands it over; None for none."""
    match grant.source_kind:
        case "T":
            assert isinstance(grant.source_value, bytes)
            return json.loads(grant.source_value)
        case "J":
            assert isinstance(grant.source_value, bytes)
            inputs = parse_join_body(grant.source_value).inputs
            return [canvas.value(index) for run in inputs for index in run.indexes]
        case _:
            return None


def quick(**timing: timedelta) -> ServerConfig:
    """Return a configuration with other times."""
    return ServerConfig(timing=Timing(**timing))
