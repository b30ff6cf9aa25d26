"""The machine that drives the real scripts through the actions of the model (`tests/model`) in any order.

After each step the store is read whole, and must be consistent; in the end every canvas is driven to its end, must
have ended as the one rule says, and leaves nothing behind.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine, Generator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from gesso_server.dispatch.rerun import CanvasActiveError
from gesso_server.dispatch.values import NoValueError
from gesso_server.plan import Call, Chain, Chord, Element, Group, Plan, Raise
from gesso_server.store.calls import Accepted, Frame, Grant, Reported
from gesso_server.store.embedded import EmbeddedSettings, EmbeddedStore
from gesso_server.store.records import Record
from gesso_server.store.rerun import IncompleteCanvasError, NothingFailedError
from gesso_server.store.store import Store
from integration.store.scripts.rig import (
    NAMESPACE,
    QUEUE,
    Canvas,
    Rig,
    Worker,
    name,
    quick,
    source_value,
    token,
)
from support.keyspace import Keyspace
from support.plan_rule import PlanRun
from support.store_invariants import PARTITION, StoredCanvas, check
from support.trees import call, canvases

CLOCK = PARTITION + "clock"
START_MS = 9_000_000_000_000
LEASE_MS = 60_000
RESULTS_KEPT = timedelta(hours=1)
T = TypeVar("T")
WORKERS = st.integers(0, 1)
SOME = st.integers(0, 20)


def with_error_links(element: Element, told: list[bool]) -> Element:
    """Give every call an error link of its own for which `told` says so."""
    number = count()

    def visit(inner: Element) -> Element:
        links = tuple(map(visit, inner.links))
        match inner:
            case Call():
                at = next(number)
                linked = (call(f"told-{inner.body.decode()}"),) if at < len(told) and told[at] else ()
                return replace(inner, links=links, error_links=linked)
            case Chain():
                return replace(inner, links=links, steps=tuple(map(visit, inner.steps)))
            case Group():
                return replace(inner, links=links, members=tuple(map(visit, inner.members)))
            case Chord():
                return replace(
                    inner, links=links, header=tuple(map(visit, inner.header)), body=visit(inner.body)
                )

    return visit(element)


ELEMENTS = st.builds(with_error_links, canvases(depth=3), st.lists(st.booleans(), max_size=6))


class Delivery(RuleBasedStateMachine):
    """One store, two workers, some canvases."""

    runner: ClassVar[asyncio.Runner]
    store: ClassVar[Store]

    def __init__(self) -> None:
        super().__init__()
        self.rig = self.run(self._begin())
        self.workers = [self.rig.worker(letter * 16) for letter in "ab"]
        self.sessions = count()
        self.last: dict[str, tuple[Frame, int]] = {}
        """Of each session, its last call."""
        self.stale: list[Grant] = []
        self.applied: list[Reported] = []
        self.ended: dict[tuple[str, int], str] = {}
        """How each task of a plan ended, in that order, as the observer saw it."""
        self.disturbed: set[str] = set()
        """Canvases that were told to do something else than their plan says."""
        self.finals: dict[tuple[str, int], str] = {}
        self.canvases: list[Canvas] = []
        self.paused = False

    def run(self, call: Coroutine[Any, Any, T]) -> T:
        """Wait for a call."""
        return self.runner.run(call)

    async def _begin(self) -> Rig:
        await self.store.connect(None)
        await self.store.redis.flushall()
        await self.store.redis.set(CLOCK, START_MS)
        return Rig(self.store, quick(result_ttl=RESULTS_KEPT))

    @initialize()
    def connect(self) -> None:
        """Both workers are there."""
        for at in range(2):
            self.hello(at, 0)

    # --- clients --------------------------------------------------------------------------

    @precondition(lambda self: len(self.canvases) < 3)
    @rule(element=ELEMENTS)
    def submit(self, element: Element) -> None:
        """Submit a canvas, and the same again."""
        request = f"r{len(self.canvases)}"
        canvas = self.run(self.rig.submit(element, request_id=request))
        again = self.run(self.rig.submit(element, request_id=request))
        assert (again.id, again.accepted.known) == (canvas.id, True)
        self.canvases.append(canvas)

    @precondition(lambda self: self.canvases)
    @rule(which=SOME, terminate=st.booleans())
    def cancel(self, which: int, terminate: bool) -> None:  # noqa: FBT001  drawn by hypothesis
        """Cancel a canvas."""
        canvas = self.canvases[which % len(self.canvases)]
        self.disturbed.add(canvas.id)
        self.run(self.rig.partition.cancel_canvas(NAMESPACE, canvas.id, terminate=terminate, forget=False))

    @precondition(lambda self: self.canvases)
    @rule(which=SOME, index=SOME)
    def revoke(self, which: int, index: int) -> None:
        """Revoke a node."""
        canvas = self.canvases[which % len(self.canvases)]
        self.disturbed.add(canvas.id)
        self.run(self.rig.partition.cancel_node(NAMESPACE, canvas.id, index, terminate=False))

    @precondition(lambda self: 0 < len(self.canvases) < 6)
    @rule(which=SOME)
    def run_again(self, which: int) -> None:
        """Run a canvas again, and say so once more, if it has ended and anything of it failed."""
        canvas = self.canvases[which % len(self.canvases)]
        left = self.run(self.rig.look(canvas))[0].left
        request = f"again{len(self.canvases)}"
        try:
            first, second = (self.run(self._run_again(canvas, request)) for _ in range(2))
        except CanvasActiveError:
            assert left
        except (NothingFailedError, NoValueError, IncompleteCanvasError):
            assert not left
        else:
            assert first.canvas_id == second.canvas_id
            new = Canvas(canvas.element, canvas.plan, first)
            self.disturbed.add(new.id)  # it does a part of its plan
            self.rig.canvases[new.id] = new
            self.canvases.append(new)

    async def _run_again(self, canvas: Canvas, request: str) -> Accepted:
        accepted = await self.rig.coordinator.reruns.run(NAMESPACE, canvas.id, request)
        assert accepted is not None
        return accepted

    @rule(paused=st.booleans())
    def pause(self, paused: bool) -> None:  # noqa: FBT001  as above
        """Pause the queue, or let it go on."""
        self.paused = paused
        self.run(self.rig.partition.pause_queue(NAMESPACE, QUEUE, paused=paused))

    @precondition(lambda self: self.canvases)
    @rule(which=SOME, index=SOME)
    def forget(self, which: int, index: int) -> None:
        """Forget the value of a node, which those that need it still get."""
        canvas = self.canvases[which % len(self.canvases)]
        self.run(self.rig.partition.forget_node(NAMESPACE, canvas.id, index))

    # --- workers --------------------------------------------------------------------------

    @rule(at=WORKERS, lost=SOME)
    def hello(self, at: int, lost: int) -> None:
        """Connect anew; a part of what is held was lost, and is sent again."""
        worker = self.workers[at]
        known = worker.held[lost:]
        welcomed = self.run(worker.hello(held=known, lease_ms=LEASE_MS))
        self.last.pop(worker.session, None)
        assert welcomed.accepted
        assert not welcomed.drops
        assert sorted(map(token, [*known, *welcomed.grants])) == sorted(map(token, worker.held))

    @rule(at=WORKERS, want=st.integers(1, 5), answered=st.booleans())
    def lease(self, at: int, want: int, answered: bool) -> None:  # noqa: FBT001  drawn by hypothesis
        """Ask for tasks; if the answer is lost, ask again."""
        self._exchange(self.workers[at], Frame(), want)
        if not answered:
            self.repeat(at)

    @rule(at=WORKERS, which=SOME)
    def start(self, at: int, which: int) -> None:
        """Begin a task."""
        worker = self.workers[at]
        if worker.held:
            self._exchange(worker, Frame(started=[token(worker.held[which % len(worker.held)])]))

    @rule(at=WORKERS, which=SOME, want=st.integers(0, 2))
    def succeed(self, at: int, which: int, want: int) -> None:
        """End a task with its name and what it took, and ask for more."""
        self._end(at, which, "v", "S", want=want)

    @rule(at=WORKERS, which=SOME, kind=st.sampled_from("eir"))
    def fail(self, at: int, which: int, kind: str) -> None:
        """End a task with an error, or be ignored."""
        self._end(at, which, kind, "F" if kind == "e" else "I")

    @rule(at=WORKERS, which=SOME, kind=st.sampled_from("yq"), delay_ms=st.sampled_from([0, 5000]))
    def again(self, at: int, which: int, kind: str, delay_ms: int) -> None:
        """Fail and want to be retried, once; or reject."""
        self._end(at, which, kind, "", extra="1", delay_ms=delay_ms)

    @rule(at=WORKERS, which=SOME)
    def give_back(self, at: int, which: int) -> None:
        """Return a task unstarted."""
        worker = self.workers[at]
        if worker.held:
            grant = worker.held.pop(which % len(worker.held))
            self.stale.append(grant)
            self._exchange(worker, Frame(returned=[token(grant)]))

    @rule(at=WORKERS, which=SOME, element=canvases(depth=2), reported=st.booleans())
    def swap(self, at: int, which: int, element: Element, reported: bool) -> None:  # noqa: FBT001  as above
        """Replace a task with a canvas; or die after that was staged, before it was reported."""
        worker = self.workers[at]
        if not worker.held:
            return
        grant = worker.held[which % len(worker.held)]
        found = self.run(self.rig.partition.look(NAMESPACE, grant.canvas_id, [grant.index]))
        assert found is not None
        if found[0].state != "A":
            return
        self.disturbed.add(grant.canvas_id)
        extra = self.run(self.rig.stage_replacement(grant.canvas_id, grant.index, element))
        if reported:
            self._end(at, which, "p", "", extra=extra)

    # --- what goes wrong ------------------------------------------------------------------

    @rule(at=WORKERS)
    def repeat(self, at: int) -> None:
        """Make the last call again: the same tasks, with the same tokens, and nothing twice."""
        worker = self.workers[at]
        if worker.session not in self.last:
            return
        frame, want = self.last[worker.session]
        reply = self.run(worker.exchange(frame, want=want, seq=worker.seq))
        assert "A" not in reply.answers.replace("A", "", len(frame.started))
        if reply.status == "O":
            assert {token(grant) for grant in reply.grants} <= {token(grant) for grant in worker.held}

    @rule(at=WORKERS, want=st.integers(1, 3))
    def late_copy(self, at: int, want: int) -> None:
        """A copy of an earlier call comes: nothing is handed out."""
        worker = self.workers[at]
        if worker.seq > 1:
            copy = replace(worker, held=[])  # whose number is not the next call's
            assert not self.run(copy.exchange(want=want, seq=worker.seq - 1)).grants

    @rule(at=WORKERS, want=st.integers(1, 3))
    def call_of_old_connection(self, at: int, want: int) -> None:
        """A coordinator that has not seen that its worker left asks for work: nothing is handed out."""
        worker = self.workers[at]
        old = Worker(self.rig, worker.session, worker.queues, worker.tasks, epoch=worker.epoch - 1, seq=99)
        assert not self.run(old.exchange(want=want)).grants

    @rule(at=WORKERS, which=SOME)
    def late_report(self, at: int, which: int) -> None:
        """Somebody reports what was given up, or reported, before: it changes nothing."""
        late = [Reported(token(grant), "v", b"late") for grant in self.stale] + self.applied
        if late:
            reply = self.run(self._told(self.workers[at], late[which % len(late)]))
            assert reply in {"D", "S"}

    @rule(at=WORKERS, running=SOME)
    def die(self, at: int, running: int) -> None:
        """A process dies; the next one says what was running in it, perhaps also what had been given up already."""
        dead = self.workers[at]
        crashed = [token(grant) for grant in [*dead.held, *self.stale][:running]]
        self.stale += dead.held
        self.workers[at] = born = self.rig.worker(f"{next(self.sessions):016x}")
        assert self.run(born.hello(dead=[(dead.session, crashed)], lease_ms=LEASE_MS)).accepted

    @rule(at=WORKERS)
    def say_goodbye(self, at: int) -> None:
        """A worker leaves, and comes back with nothing."""
        worker = self.workers[at]
        self.stale += worker.held
        worker.held.clear()
        self.run(self.rig.partition.leave(worker.id, grace_ms=None))
        self.run(worker.hello(lease_ms=LEASE_MS))
        self.last.pop(worker.session, None)

    @rule(at=WORKERS)
    def fall_silent(self, at: int) -> None:
        """A worker's lease runs out, and it comes back later."""
        worker = self.workers[at]
        self.run(self.rig.partition.leave(worker.id, grace_ms=0))
        self.sweep()

    @rule(ms=st.sampled_from([1, 4000, 70_000]))
    def wait(self, ms: int) -> None:
        """Time passes; both workers are renewed, if it is not too late."""
        self.run(self._pass(ms))
        if ms < LEASE_MS:
            self.run(self.rig.partition.renew([worker.session for worker in self.workers], lease_ms=LEASE_MS))

    @rule()
    def sweep(self) -> None:
        """A coordinator sweeps."""
        self.run(self.rig.sweep())

    # --- what is true ---------------------------------------------------------------------

    @invariant()
    def store_is_consistent(self) -> None:
        """Every count and every queue says what the nodes say, and what has ended stays as it is."""
        keys = self.run(Keyspace.read(self.store.redis))
        for canvas in check(keys):
            for index, record in canvas.records.items():
                state = self.finals.setdefault((canvas.id, index), record.state) if record.state.final else ""
                assert state in {"", record.state}
                if _ended_by_itself(record):
                    self.ended.setdefault((canvas.id, index), "F")
        for worker in self.workers:
            held = keys.hash(f"{PARTITION}h:{worker.session}")
            gone = [grant for grant in worker.held if f"{grant.canvas_id}:{grant.index}" not in held]
            if PARTITION + "s:" + worker.session not in keys.keys:
                gone = list(worker.held)
            elif not gone:
                assert len(worker.held) == len(held), "a task is leased that its worker does not know"
            worker.held = [grant for grant in worker.held if grant not in gone]
            self.stale += gone

    def teardown(self) -> None:
        """Drive everything to its end."""
        if self.canvases:
            self.run(self._drive())
        self.rig.canvases.clear()

    async def _drive(self) -> None:
        for worker in self.workers:
            await self.rig.partition.leave(worker.id, grace_ms=None)
        await self.rig.partition.pause_queue(NAMESPACE, QUEUE, paused=False)
        last = self.rig.worker("f" * 16)
        await last.hello()
        for _ in range(40):
            await self.store.redis.incrby(CLOCK, 6000)
            await self.rig.settle()
            await self.rig.partition.renew([last.session], lease_ms=LEASE_MS)
            while grants := await last.take(8):
                for grant in grants:
                    reported = self._reported(grant, "v", "S", "", 0)
                    last.held.remove(grant)
                    assert await self._told(last, reported) == "A"
            found = check(await Keyspace.read(self.store.redis))
            if not any(canvas.left for canvas in found):
                break
        else:
            raise AssertionError("a canvas hangs")
        for stored in found:
            self._check_end(self.rig.canvases[stored.id], stored)
        await self._check_removal(last)

    def _check_end(self, canvas: Canvas, stored: StoredCanvas) -> None:
        """Compare a canvas with what the rule makes of its plan, given how its tasks ended."""
        if canvas.id in self.disturbed or not canvas.plan.nodes:
            return
        run = PlanRun(_without_templates(canvas.plan))
        for (canvas_id, index), state in self.ended.items():
            if canvas_id == canvas.id and index < len(canvas.plan.nodes):
                run.end(index, state)
        assert run.ends.keys() == set(range(len(canvas.plan.nodes)))
        for index, end in run.ends.items():
            assert stored.records[index].state.replace("D", "F") == end.state, index
        if canvas.plan.last is not None and run.ends[canvas.plan.last].state == "S":
            assert canvas.value(canvas.plan.last) == run.value(canvas.plan.last)

    async def _check_removal(self, worker: Worker) -> None:
        """After the time that results are kept no key of a canvas is left."""
        await self.store.redis.incrby(CLOCK, 2 * RESULTS_KEPT // timedelta(milliseconds=1))
        for _ in range(10):
            await self.rig.settle()
        await worker.hello()
        await worker.take()
        await self.rig.partition.leave(worker.id, grace_ms=None)
        for _ in range(3):
            await self.rig.sweep()  # which removes counts that have come to 0
        keys = await Keyspace.read(self.store.redis)
        kinds = {name.partition(":")[0] for name in keys.under(PARTITION)}
        assert kinds <= {"clock", "canary", "num", "req", "rerun", "lapsed", "i", "dead"}
        assert all(key in keys.ttls for key in keys.keys if key.startswith(PARTITION + "lapsed:"))

    async def _pass(self, ms: int) -> None:
        await self.store.redis.incrby(CLOCK, ms)

    # --- parts ----------------------------------------------------------------------------

    def _exchange(self, worker: Worker, frame: Frame, want: int = 0) -> str:
        reply = self.run(worker.exchange(frame, want=want))
        assert not (self.paused and reply.grants)
        self.last[worker.session] = (frame, want)
        if reply.status == "U":
            self.last.pop(worker.session)
            self.run(worker.hello(lease_ms=LEASE_MS))
        return reply.answers

    def _end(self, at: int, which: int, kind: str, state: str, **more: Any) -> None:
        worker = self.workers[at]
        if not worker.held:
            return
        grant = worker.held.pop(which % len(worker.held))
        reported = self._reported(grant, kind, state, more.get("extra", ""), more.get("delay_ms", 0))
        assert self._exchange(worker, Frame(reported=[reported]), more.get("want", 0)) == "A"

    def _reported(self, grant: Grant, kind: str, state: str, extra: str, delay_ms: int) -> Reported:
        canvas = self.rig.canvases[grant.canvas_id]
        value: object = "added later"
        if grant.index < len(canvas.plan.nodes):
            retried = kind == "y" and grant.failures >= 1
            if state or retried:
                self.ended[grant.canvas_id, grant.index] = state or "F"
            if grant.canvas_id not in self.disturbed:
                value = canvas.values[grant.index] = [name(grant), source_value(canvas, grant)]
        reported = Reported(token(grant), kind, json.dumps(value).encode(), delay_ms, extra)
        self.applied.append(reported)
        return reported

    async def _told(self, worker: Worker, reported: Reported) -> str:
        """Report by a call of its own, whose number is not kept."""
        other = replace(worker, seq=worker.seq, held=[], epoch=0)
        return (await other.exchange(Frame(reported=[reported]))).answers


def _ended_by_itself(record: Record) -> bool:
    """Whether a task was given up, or ran longer than it may: nobody has reported that."""
    own = record.cause is None and not record.behind_join
    return not record.join and (record.state == "D" or (record.state == "F" and own))


def _without_templates(plan: Plan) -> Plan:
    """Return a plan whose failures start nothing: what an error link does, nobody else sees."""
    nodes = [
        replace(node, edges=[edge for edge in node.edges if not isinstance(edge, Raise)])
        for node in plan.nodes
    ]
    return replace(plan, nodes=nodes)


@contextmanager
def prepared(machine: type[Delivery], folder: Path) -> Generator[None]:
    """Give a machine a store to run on until the block ends."""
    with asyncio.Runner() as runner:
        embedded = runner.run(EmbeddedStore.start(EmbeddedSettings(data_directory=folder / "data")))
        store = Store(embedded.url, "c1")
        machine.runner, machine.store = runner, store
        try:
            yield
        finally:
            runner.run(store.close())
            runner.run(embedded.stop())
