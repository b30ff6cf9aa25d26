"""A coordinator: its sessions, its waits, and the loops that keep both going.

It holds no state that matters. Whatever it forgets by dying is in the store, and another one goes on with it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta

from gesso_server.config import DEFAULT_NAMESPACE, Durability, ServerConfig
from gesso_server.dispatch.cancellation import Cancellations
from gesso_server.dispatch.duties import DutyDesk
from gesso_server.dispatch.ends import Ends
from gesso_server.dispatch.explanation import Explainer
from gesso_server.dispatch.extension import Extensions
from gesso_server.dispatch.fleet import Fleet
from gesso_server.dispatch.growth import Growing
from gesso_server.dispatch.limiter import Limiter
from gesso_server.dispatch.overrun import end_overran
from gesso_server.dispatch.registry import Registry, names
from gesso_server.dispatch.rerun import Reruns
from gesso_server.dispatch.revocations import Revocations
from gesso_server.dispatch.session import Session, SessionLostError
from gesso_server.dispatch.standstill import Standstill
from gesso_server.dispatch.submission import Submissions
from gesso_server.dispatch.sweeper import Sweepers
from gesso_server.dispatch.tally import Tally
from gesso_server.dispatch.tracing import CanvasTraces
from gesso_server.dispatch.values import Values
from gesso_server.dispatch.waits import Waits
from gesso_server.dispatch.watches import Watches
from gesso_server.ids import CanvasId, NodeRef, partition_of
from gesso_server.plan import Plan
from gesso_server.store.calls import (
    Exchanged,
    Hello,
    TokenRef,
    Wake,
    Welcomed,
)
from gesso_server.store.errors import StoreError, level_of
from gesso_server.store.partition import Partition
from gesso_server.store.store import Store
from gesso_telemetry.stamped import StampedTracer

_log = logging.getLogger(__name__)

_MS = timedelta(milliseconds=1)


class Coordinator:
    """One coordinator on one store."""

    def __init__(
        self,
        store: Store,
        config: ServerConfig,
        durability: Durability,
        tracer: StampedTracer | None = None,
        tally: Tally | None = None,
    ) -> None:
        """Prepare to run.

        Args:
            store: Is connected.
            config: How to run.
            durability: How safe an accepted canvas is.
            tracer: Tells spans; None for none.
            tally: Counts what is done; None where nobody looks at it.
        """
        self.store = store
        self.config = config
        self.registry = Registry()
        self.waits = Waits(store)
        self.watches = Watches(config.limits)
        self.values = Values(store)
        self._sweepers = Sweepers(store, self.registry, config.timing)
        self.limiter = Limiter(store, self._sweepers.hurry)
        self._sweepers.saw_limits = self.limiter.saw
        self._desk = DutyDesk(self.registry, self.waits, self._sweepers, self.limiter)
        self._desk.rolled_back = self._rolled_back
        self.rollbacks = 0
        """How often the store was seen to have forgotten what it had acknowledged."""
        self._desk.tally = self.tally = tally
        self.tracer = tracer
        self.traces = CanvasTraces(tracer, config.tracing)
        self.ends = Ends(with_bodies=bool(config.tracing.stamps))
        if tracer is not None:
            self._desk.ends = self.ends
        self.submissions = Submissions(store, config, self._desk, self.registry, self.waits, self.traces)
        self.extensions = Extensions(store, config.limits, self.submissions.names, self.traces)
        self.cancellations = Cancellations(store, self._desk)
        self.reruns = Reruns(store, config, self._desk, self.submissions)
        self.fleet = Fleet(store, self._desk)
        self.explainer = Explainer(store)
        self.revocations = Revocations(store, DEFAULT_NAMESPACE)
        self._revoked = asyncio.Event()
        self.draining = False
        self.durability = durability

    async def run(self) -> None:
        """Keep the loops going until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.waits.run())
            group.create_task(self.ends.run())
            group.create_task(self._sweepers.run(self._desk.see_to))
            group.create_task(self.submissions.pressure.run())
            group.create_task(self.limiter.run(self._desk.see_to))
            group.create_task(self._renew())
            group.create_task(self.store.follow())
            group.create_task(self.store.signals(self._signal, self._resumed))
            group.create_task(self._recheck())
            group.create_task(self._reload())

    def growing(self, canvas_id: CanvasId, namespace: str, plan: Plan) -> Growing:
        """Return the joins of an accepted canvas that still grow."""
        partition = self.store.partitions[partition_of(canvas_id)]
        pressure = self.submissions.pressure
        return Growing(self.extensions, self._desk, partition, canvas_id, namespace, plan, pressure)

    def drain(self) -> None:
        """Take nothing new, and ask sessions to move."""
        self.draining = True
        self.registry.drain()
        self.watches.drain()

    @asynccontextmanager
    async def session(self, hello: Hello) -> AsyncGenerator[tuple[Session, list[Welcomed]], None]:
        """Register a worker's connection for as long as its stream lasts.

        Raises:
            SessionLostError: If the store knows a newer connection of the session.
            StoreError: If the store does not answer.
        """
        lease_ms = self.config.timing.lease // _MS
        for partition in self.store.partitions if hello.overran else ():
            for frame, reply in await end_overran(partition, hello):
                self._desk.see_to(partition, reply.duties)
                if self.tally is not None:
                    self.tally.settled(frame, reply)
        welcomes = await asyncio.gather(
            *(partition.hello(hello, lease_ms=lease_ms) for partition in self.store.partitions)
        )
        for partition, welcomed in zip(self.store.partitions, welcomes, strict=True):
            self._desk.see_to(partition, welcomed.duties)
        if not all(welcomed.accepted for welcomed in welcomes):
            raise SessionLostError
        standstill = Standstill(slots=hello.slots, limit=self.config.timing.standstill)
        session = Session(
            hello.id, hello.namespace, tuple(hello.queues), self.store.partitions, self._called, standstill
        )
        session.tally = self.tally
        session.others_idle = lambda it, number: self.registry.another_idle(it, number) is not None
        session.hand_on = self._hand_on
        self.registry.add(session)
        try:
            yield session, welcomes
        finally:
            self.registry.discard(session)
            session.retire()
            await self._leave(session)

    def _called(self, session: Session, partition: Partition, reply: Exchanged) -> None:
        self._desk.see_to(partition, reply.duties)
        if reply.more:
            self._hand_on(session, partition.number)

    def _hand_on(self, session: Session, partition: int) -> None:
        """Let another session that waits for work of the same queues ask for what one does not take."""
        if other := self.registry.another_idle(session, partition):
            other.wake(partition)

    async def _leave(self, session: Session) -> None:
        grace = None if session.said_goodbye else self.config.timing.grace // _MS

        async def leave(partition: Partition) -> None:
            try:
                self._desk.see_to(partition, await partition.leave(session.id, grace_ms=grace))
            except StoreError as error:
                _log.log(level_of(error), "leave.failed session=%s reason=%s", session.id.session, error)

        await asyncio.gather(*map(leave, self.store.partitions))

    async def _renew(self) -> None:
        timing = self.config.timing

        async def renew(partition: Partition, sessions: list[Session]) -> None:
            try:
                renewed = await partition.renew(names(sessions), lease_ms=timing.lease // _MS)
            except StoreError as error:
                _log.log(level_of(error), "renew.failed partition=%d reason=%s", partition.number, error)
                return
            for session in sessions:
                if session.id.session in renewed.unknown:
                    session.lose()
                session.remind(partition.number, renewed.cancelled.get(session.id.session, []))

        while True:
            await asyncio.sleep(timing.renewal / timedelta(seconds=1))
            if sessions := self.registry.sessions:
                await asyncio.gather(*(renew(partition, sessions) for partition in self.store.partitions))

    def _resumed(self, numbers: frozenset[int], anew: bool) -> None:  # noqa: FBT001  as `store.signals` says it
        """Look at everything again of which a signal may have been lost."""
        self.waits.recheck()
        if 0 in numbers:
            self._revoked.set()
        for number in numbers:
            self._sweepers.hurry(number)
            self.watches.recheck(number)
        if anew:
            self._compare()

    def _rolled_back(self, partition: Partition) -> None:
        """See to a partition that has forgotten something it had acknowledged."""
        self.rollbacks += 1
        _log.error(
            "redis.rollback.detected partition=%d: the store has forgotten what it had acknowledged",
            partition.number,
        )
        self.waits.recheck()
        self.watches.rolled_back(partition.number)
        if partition.number == 0:
            self._revoked.set()
        self._compare()

    def _compare(self) -> None:
        """Let every session say anew what it holds: the store may believe that it holds what it has reported."""
        for session in self.registry.sessions:
            session.lose()

    def _signal(self, number: int, text: str) -> None:
        match text.split(" "):
            case ["revoked"]:
                self._revoked.set()
            case ["wake", namespace, queue, count]:
                self.registry.wake(number, Wake(namespace, queue, int(count)))
            case ["end", canvas_id, index]:
                self.waits.announce(NodeRef(CanvasId(canvas_id), int(index)))
            case ["change", canvas_id]:
                self.watches.canvas_changed(number, CanvasId(canvas_id))
            case ["changes", namespace]:
                self.watches.canvases_changed(number, namespace)
            case ["cancel", session, canvas_id, index, attempt, nonce, terminate]:
                token = TokenRef(canvas_id, int(index), int(attempt), nonce)
                self.registry.cancel(session, token, terminate=terminate == "1")
            case _:
                _log.warning("signal.unknown partition=%d", number)

    async def _reload(self) -> None:
        """Read what is revoked whenever it has changed; again, if the store does not answer."""
        while True:
            await self._revoked.wait()
            self._revoked.clear()
            if not await self.revocations.reload():
                await asyncio.sleep(self.config.timing.sweep / timedelta(seconds=1))
                self._revoked.set()

    async def _recheck(self) -> None:
        while True:
            await asyncio.sleep(self.config.timing.sweep / timedelta(seconds=1))
            self.waits.recheck_some()
            self.watches.recheck_some(len(self.store.partitions))
