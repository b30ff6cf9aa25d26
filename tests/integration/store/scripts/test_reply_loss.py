"""A call whose answer was lost is repeated, and the store is as if it had been made once."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from gesso_server.config import ServerConfig
from gesso_server.dispatch import rerun, submission
from gesso_server.dispatch.overrun import OVERRAN
from gesso_server.ids import CanvasId, NodeRef
from gesso_server.plan import Counts, Group, JoinNode, Policy
from gesso_server.store.calls import Accepted, AccountNews, Frame, Grant, GrowthStep, PermitDelivery, Reported
from gesso_server.store.choice import CanvasChoice
from gesso_server.store.embedded import EmbeddedStore
from gesso_server.store.errors import StoreUnavailable
from gesso_server.store.library import library
from gesso_server.store.limits import Limit, LimitTable
from gesso_server.store.records import edges_text, runs_text, waiting_text
from gesso_server.store.store import Store
from integration.store.scripts.follower import Follower
from integration.store.scripts.rig import NAMESPACE, Rig, Worker, name, quick, token
from support.keyspace import Content, Keyspace
from support.lossy_proxy import LossyProxy
from support.trees import call, calls, chain, chord, group

CLOCK = "gesso:{0}:clock"
START_MS = 9_000_000_000_000
PARTS = ("work", "time", "again")
RESERVING = {"grow_reserve"}
"""Functions whose repeat takes new indexes: those that were taken first stay unused, and go with the canvas."""


class Repeating:
    """A partition whose calls are made again, once, if the store does not answer."""

    def __init__(self, partition: Any, losses: Losses) -> None:
        self._partition = partition
        self._losses = losses

    def __getattr__(self, method: str) -> Any:
        """Return the method, made to repeat itself."""
        found = getattr(self._partition, method)
        if method in {"number", "hello"}:
            return found
        if method == "logs":
            return Repeating(found, self._losses)

        async def repeated(*args: Any, **kwargs: Any) -> Any:
            try:
                return await found(*args, **kwargs)
            except StoreUnavailable:
                self._losses.note()
                return await found(*args, **kwargs)

        return repeated


@dataclass
class Losses:
    """Whose answer was lost, and repeated for that."""

    proxy: LossyProxy
    lost: list[str] = field(default_factory=list)

    def note(self) -> None:
        """Note that an answer was lost."""
        self.lost.append(self.proxy.called[-1])


@dataclass
class Tour:
    """A walk through everything that changes the store, the same each time."""

    rig: Rig
    losses: Losses

    async def run(self, part: str) -> None:
        """Take a part of it, on an empty store."""
        first, second = self.rig.worker("a" * 16), self.rig.worker("b" * 16)
        await self.greet(first)
        await self.greet(second)
        match part:
            case "work":
                await self._work(first, second)
            case "time":
                await self._time(first, second)
                await self._rest()
            case _:
                await self._again(first)

    async def _work(self, first: Worker, second: Worker) -> None:
        await self._chord(first)
        await self._troubles(first, second)
        await self._replacement(first)
        await self._growth(first)
        await self._cancellation(first, second)

    async def greet(self, worker: Worker, **how: Any) -> None:
        """Say hello; a stream whose hello was not answered ends, and the next one has a higher epoch."""
        try:
            welcomed = await worker.hello(held=worker.held, **how)
        except StoreUnavailable:
            self.losses.note()
            welcomed = await worker.hello(held=worker.held, **how)
        assert welcomed.accepted
        assert not welcomed.drops
        worker.held += welcomed.grants

    async def knows(self, worker: Worker) -> None:
        """Check that a worker knows what it has been granted."""
        held = (await Keyspace.read(self.rig.store.redis)).hash(f"gesso:{{0}}:h:{worker.session}")
        assert held.keys() == {f"{grant.canvas_id}:{grant.index}" for grant in worker.held}

    async def _take(self, worker: Worker, count: int = 1) -> list[Grant]:
        grants = await worker.take(count)
        await self.knows(worker)
        return grants

    async def _chord(self, worker: Worker) -> None:
        canvas = await self.rig.submit(chord(calls(2), call("body")), request_id="chord", watch=True)
        one, two = await self._take(worker, 3)
        await worker.start(one)
        await worker.report(one)
        (body,) = (await worker.report(two, want=3)).grants
        await self.knows(worker)
        await worker.report(body)
        assert await self.rig.states(canvas) == "SSSS"
        assert await self.rig.partition.forget_node(NAMESPACE, canvas.id, 1)

    async def _troubles(self, first: Worker, second: Worker) -> None:
        told = call("told")
        failing = chord([call("f"), call("g")], replace(call("body"), error_links=(told,)))
        await self.rig.submit(failing, request_id="failing")
        bad, good = await self._take(first, 2)
        await self._report(first, bad, "y", extra="3")
        (bad,) = await self._take(second)
        await first.start(good)
        await first.give_back(good)
        first.held.remove(good)
        await self._report(second, bad, "q")
        grants = await self._take(first, 3)
        kinds = {"f": "e", "g": "v"}
        for grant in grants:
            await self._report(first, grant, kinds[name(grant)])
        (link,) = await self._take(second, 3)
        assert name(link) == "told"
        await self._report(second, link, "v")
        await self.rig.submit(call("ignored"), request_id="ignored")
        await self._report(first, (await self._take(first))[0], "i")

    async def _report(self, worker: Worker, grant: Grant, kind: str, *, extra: str = "") -> None:
        worker.held.remove(grant)
        reply = await worker.exchange(Frame(reported=[Reported(token(grant), kind, b"{}", 0, extra)]))
        assert reply.answers in {"A", "D", "S"}

    async def _replacement(self, worker: Worker) -> None:
        canvas = await self.rig.submit(chain(call("swaps"), call("after")), request_id="swaps")
        (grant,) = await self._take(worker)
        extra = await self.rig.stage_replacement(canvas.id, 0, chain(call("r1"), call("r2")))
        await self._report(worker, grant, "p", extra=extra)
        assert await worker.drain() == ["r1", "r2", "after"]
        await self.knows(worker)

    async def _growth(self, worker: Worker) -> None:
        open_group = Group((call("m0"),), open_index=0)
        canvas = await self.rig.submit(open_group, request_id="grows")
        index, join = next(
            (at, node) for at, node in enumerate(canvas.plan.nodes) if isinstance(node, JoinNode)
        )
        ref = NodeRef(canvas.id, index)
        await self.rig.partition.touch_growth(canvas.id)
        for number, members in enumerate(([call("m1"), call("m2")], []), 1):
            growth = await self.rig.coordinator.extensions.growth(NAMESPACE, ref, join, members)
            step = GrowthStep(
                number=number, join=index, first=growth.base, node_count=len(growth.nodes),
                inputs=runs_text(growth.inputs) or "-", start=edges_text(growth.start), sealed=not members,
                waiting=waiting_text(growth.waiting),
            )  # fmt: skip
            assert (await self.rig.partition.grow(canvas.id, step))[0]
        assert await worker.drain() == ["m0", "m1", "m2"]
        await self.knows(worker)
        found = await self.rig.look(canvas)
        assert found[0].left == 0

    async def _cancellation(self, first: Worker, second: Worker) -> None:
        cancelled = await self.rig.submit(group(*calls(3)), request_id="cancelled")
        await self._take(first)
        await self.rig.partition.cancel_canvas(NAMESPACE, cancelled.id, terminate=True, forget=True)
        await self._report(first, first.held[0], "e")
        revoked = await self.rig.submit(group(*calls(2)), request_id="revoked")
        (grant,) = await self._take(second)
        for index in (1, 2):
            await self.rig.partition.cancel_node(NAMESPACE, revoked.id, index, terminate=False)
        await self._report(second, grant, "v")
        assert await self.rig.states(revoked) == "FVV"

    async def _time(self, first: Worker, second: Worker) -> None:
        await self.rig.submit(group(*calls(3)), request_id="time")
        one, *_ = await self._take(first, 2)
        await first.start(one)
        await self._take(second)
        await self.rig.partition.renew([first.session, second.session], lease_ms=1000)
        await self.rig.partition.leave(first.id, grace_ms=500)
        await self._pass(600)
        await self._settle()
        first.held.clear()
        third = self.rig.worker("c" * 16)
        await self.greet(third, dead=[(second.session, [token(second.held[0])])])
        second.held.clear()
        await self._take(third, 3)
        await self.rig.partition.leave(third.id, grace_ms=None)
        third.held.clear()
        await self.knows(third)

    async def _pass(self, ms: int) -> None:
        """Let time pass in the store."""
        await self.rig.store.redis.incrby(CLOCK, ms)

    async def _settle(self) -> None:
        """Sweep a number of times that is the same each time."""
        for _ in range(4):
            await self.rig.partition.sweep(
                staging_ms=60_000, overran=OVERRAN, idle_queues=[("default", "default")]
            )

    async def _again(self, worker: Worker) -> None:
        """Run canvases again: one with a limit and a quorum, and one with a task that was given up."""
        quorum = Group(tuple(calls(4, "q")), Policy(counts=Counts.QUORUM, need=3, max_in_flight=2))
        canvas = await self.rig.submit(chain(quorum, call("after")), request_id="quorum")
        await self._end(worker, "q1", "q2")
        new = await self.rig.coordinator.reruns.run(NAMESPACE, canvas.id, "again")
        assert isinstance(new, Accepted)
        assert await self._end(worker) == ["q1", "q2", "after"]
        for number in range(2):
            once = replace(call("once"), timing="m")
            given_up = await self.rig.submit(group(once, call("other")), request_id=f"given up {number}")
            dying = self.rig.worker(f"{number}" * 16)
            await self.greet(dying)
            doomed, _ = await self._take(dying, 2)
            await dying.start(doomed)
            await self.rig.partition.leave(dying.id, grace_ms=0)
            await self._settle()
            assert (await self.rig.states(given_up))[1] == "D"
            await self._end(worker)
            if number:
                assert await self.rig.partition.forget_dead_tasks(NAMESPACE, given_up.id) <= 1
            else:
                await self.rig.partition.purge_dead_tasks(NAMESPACE, [NodeRef(given_up.id, 1)])
            # As nobody can tell it from the first time, without a request id.
            begun = await self.rig.coordinator.reruns.run(NAMESPACE, given_up.id, "")
            assert isinstance(begun, Accepted)
            assert await self._end(worker) == ["once"]
        for paused in (True, False, True):
            await self.rig.partition.pause_queue(NAMESPACE, "paused", paused=paused)

    async def _end(self, worker: Worker, *failing: str) -> list[str]:
        """Run everything there is, one after the other, some of it to fail; return the names."""
        names = []
        while grants := await self._take(worker):
            names.append(name(grants[0]))
            await self._report(worker, grants[0], "e" if names[-1] in failing else "v")
        return names

    async def _rest(self) -> None:
        large = await self.rig.submit(group(*calls(600)), request_id="large")
        await self.rig.partition.stage_stamps(large.id, ["color\0blue", "color\0red"])
        await self.rig.partition.watch(NAMESPACE, large.id, 0)
        await self.rig.partition.name(NAMESPACE, [("chosen", f"{large.id}-0")], ttl_ms=10**9)
        await self.rig.partition.revoke_stamps(NAMESPACE, [("stamp", "value")], ttl_ms=1000, terminate=False)
        place, _ = await self.rig.partition.logs.open_canvases(NAMESPACE)
        await Follower(large.id).catch_up(self.rig.partition)
        await self._settle()
        await self.rig.partition.logs.read_canvases(
            CanvasChoice(namespace=NAMESPACE), place, begun="", most=10
        )
        await self.rig.partition.purge_unreadable_rows()
        await self._limits()

    async def _limits(self) -> None:
        """Let an account and its home, of a key without tasks, speak to each other."""
        partition, name = self.rig.partition, f"{NAMESPACE}\0key"
        assert await partition.set_limit(name, Limit(concurrency=2))
        table = await partition.limit_table()
        await partition.copy_limits(LimitTable(table.version + 1, table.texts))
        await partition.settle_limits([(0, AccountNews(name, 1, 1, 0, 0, 0, 2))])
        await partition.receive_permits([PermitDelivery(name, 0, 1, 2, 1)])


@pytest.fixture
async def proxy(store: EmbeddedStore, tmp_path: Path) -> AsyncIterator[LossyProxy]:
    """A proxy before the store."""
    async with LossyProxy(store.url.removeprefix("unix://"), tmp_path / "lossy").running() as proxy:
        yield proxy


@dataclass
class Tours:
    """Takes the tour again and again, each time on an empty store."""

    store: Store
    proxy: LossyProxy
    patch: pytest.MonkeyPatch
    config: ServerConfig = field(default_factory=lambda: quick(result_ttl=timedelta(hours=1)))

    async def take(self, part: str, lost: int = 0) -> tuple[Keyspace, Losses]:
        """Take a part of it, and lose one answer; return what the store has then."""
        await self.store.connect(None)
        await self.store.redis.flushall()
        await self.store.redis.set(CLOCK, START_MS)
        numbers = iter(range(10_000))
        for module in (submission, rerun):
            self.patch.setattr(
                module, "new_canvas_id", lambda _partition: CanvasId(f"000{next(numbers):029x}")
            )
        losses = Losses(self.proxy)
        repeating: Any = Repeating(self.store.partitions[0], losses)
        self.store.partitions[0] = repeating
        self.proxy.called.clear()
        self.proxy.drops = lambda number: number == lost
        await Tour(Rig(self.store, self.config), losses).run(part)
        return await Keyspace.read(self.store.redis), losses


@pytest.fixture
async def tours(proxy: LossyProxy, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Tours]:
    """The tour through the proxy."""
    connection = Store(proxy.url, "c1")
    yield Tours(connection, proxy, monkeypatch)
    await connection.close()


def mutating() -> set[str]:
    """Return the functions of the library that write, by what it says of them itself."""
    prefix = re.escape(library().name)
    found = re.findall(rf"function_name = '{prefix}_(\w+)'(?:, flags = \{{([^}}]*)\}})?", library().source)
    return {function for function, flags in found if "no-writes" not in flags}


def graph_of(found: Keyspace) -> dict[str, Content]:
    """Return what a store has, without what chance decides and the number of its sweeps."""
    return {key: value for key, value in found.unmarked().items() if not key.startswith("gesso:{0}:canary:")}


async def test_tour_calls_every_function_that_writes(tours: Tours) -> None:
    """No function that changes the store is left out of what follows."""
    called = set[str]()
    for part in PARTS:
        await tours.take(part)
        called.update(tours.proxy.called)

    assert mutating() <= called


@pytest.mark.parametrize("part", PARTS)
async def test_any_call_whose_answer_is_lost_counts_once(tours: Tours, part: str) -> None:
    """Whichever answer of the tour is lost, the call is repeated, and in the end every key is as without the loss."""
    expected, calm = await tours.take(part)
    called, lost = list(tours.proxy.called), set[str]()

    for number in range(1, len(called) + 1):
        found, losses = await tours.take(part, lost=number)
        if not losses.lost:
            continue  # of a call that only reads, made by the test itself
        function = losses.lost[0]
        lost.add(function)
        if function not in RESERVING:
            assert graph_of(found) == graph_of(expected), (number, function)
        assert found.ttls.keys() == expected.ttls.keys(), (number, function)
    assert calm.lost == []
    assert mutating() & set(called) <= lost
