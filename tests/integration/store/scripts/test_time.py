"""What time does: countdowns, expiry, removal; and the signals between coordinators."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from gesso_server.carried import Carried
from gesso_server.dispatch import submission
from gesso_server.dispatch.submission import RequestIdReusedError
from gesso_server.ids import CanvasId, Trace
from gesso_server.plan import Call, Plan, Room, compile_canvas
from gesso_server.store.calls import (
    Frame,
    GrowthStep,
    NewCanvas,
    Reported,
    Wake,
)
from gesso_server.store.errors import StoreError
from gesso_server.store.records import edges_text, lane_texts, stored_nodes
from gesso_server.store.store import Store
from integration.store.scripts.rig import NAMESPACE, Canvas, Rig, quick, token
from support.trees import LANE, call, calls, chain, chord, group

LIMIT_SECONDS = 10
FORGETFUL = quick(result_ttl=timedelta(0), request_ttl=timedelta(milliseconds=1))
IDLE = [("default", "default")]


def timed(name: str, timing: str) -> Call:
    """Return a call with a timing."""
    plain = call(name)
    return replace(plain, lane=plain.lane._replace(timed=True), timing=timing)


async def until_state(rig: Rig, canvas: Canvas, states: str) -> None:
    """Sweep until the nodes are in these states."""
    async with asyncio.timeout(LIMIT_SECONDS):
        while await rig.states(canvas) != states:
            await rig.sweep()


async def test_countdown_begins_when_the_task_could_run(rig: Rig) -> None:
    """A step's countdown is counted from the end of the one before; until it is over the task waits in the store."""
    canvas = await rig.submit(chain(call("a"), timed("b", "d100")))
    worker = await rig.ready()
    await worker.report(*await worker.take())

    assert await worker.take() == []
    assert await rig.states(canvas) == "ST"
    swept = await rig.sweep()
    assert swept.next_due_ms is not None
    assert 0 <= swept.next_due_ms <= 100
    await until_state(rig, canvas, "SW")
    assert await worker.names() == ["b"]


async def test_eta_in_the_past_runs_at_once(rig: Rig) -> None:
    """Only an instant to come delays a task."""
    await rig.submit(group(timed("past", "a1000"), timed("later", "a9999999999999")))

    assert await (await rig.ready()).names(5) == ["past"]


async def test_task_that_expired_is_not_started(rig: Rig) -> None:
    """Past its last start a task fails, also if no worker and no sweep came in between, and what is behind it ends."""
    canvas = await rig.submit(chain(timed("a", "z1000"), call("b")))

    assert await (await rig.ready()).take() == []
    assert await rig.states(canvas) == "XU"


async def test_sweep_expires_what_waits(rig: Rig) -> None:
    """Tasks that wait, delayed or queued, expire without a worker."""
    canvas = await rig.submit(group(timed("queued", "x1"), timed("delayed", "d3600000x1"), call("a")))

    await until_state(rig, canvas, "FXXW")


async def test_returned_task_still_expires(rig: Rig) -> None:
    """A task that was handed out and given back expires like one that never was, without a worker."""
    canvas = await rig.submit(timed("a", "x50"))
    worker = await rig.ready()
    await worker.give_back(*await worker.take())

    await until_state(rig, canvas, "X")


async def test_expiry_reaches_what_is_behind_while_other_work_is_left(rig: Rig) -> None:
    """One sweep that expires a task and goes on with the work list forgets neither."""
    members = [chain(first, second) for first, second in zip(calls(2000), calls(2000, "n"), strict=True)]
    large = await rig.submit(chain(call("first", priority=9), group(*members)))
    small = await rig.submit(chain(timed("a", "x1"), call("b"), call("c")))
    worker = await rig.ready()
    (first,) = await worker.take()
    assert first.canvas_id == large.id
    assert (await worker.report(first, kind="e")).duties.work

    await rig.settle()
    await until_state(rig, small, "XUU")

    assert (await rig.look(large))[0].left == 0
    assert (await rig.look(small))[0].left == 0


async def test_retry_waits_in_the_store(rig: Rig) -> None:
    """A task rejected for a while comes back after it."""
    canvas = await rig.submit(call("a"))
    worker = await rig.ready()
    (grant,) = await worker.take()
    await worker.exchange(Frame(reported=[Reported(token(grant), "q", b"", 50)]))

    assert await rig.states(canvas) == "Y"
    await until_state(rig, canvas, "W")
    assert await worker.names() == ["a"]


@pytest.mark.parametrize("config", [FORGETFUL], indirect=True)
async def test_ended_canvas_is_removed_whole(rig: Rig) -> None:
    """After the time that results are kept nothing of a canvas is left, what still stood in its queues included."""
    worker = await rig.ready()
    before = await rig.keys()
    canvas = await rig.submit(chord(calls(300), call("b")), request_id="r", watch=True)
    await worker.drain()
    expired = await rig.submit(group(timed("a", "x1"), timed("strange", "x1")))
    await until_state(rig, expired, "FXX")
    async with asyncio.timeout(LIMIT_SECONDS):
        while await rig.partition.look(NAMESPACE, canvas.id) or await rig.partition.look(
            NAMESPACE, expired.id
        ):
            await rig.sweep()
        await worker.take()
        while any(":req:" in key for key in await rig.keys()):
            await rig.sweep()

    left = {key for key in await rig.keys() - before if canvas.id in key or expired.id in key}
    assert not left
    others = {key.removeprefix("gesso:{0}:") for key in await rig.keys() - before}
    assert others <= {"canary:c1", "clock", "i:default:default"}


@pytest.mark.parametrize("config", [FORGETFUL], indirect=True)
async def test_living_canvas_is_kept(rig: Rig) -> None:
    """However short results are kept, what has not ended has no limit."""
    canvas = await rig.submit(chain(call("a"), call("b")))
    worker = await rig.ready()
    await worker.report(*await worker.take())

    await rig.settle()

    assert await rig.states(canvas) == "SW"
    assert await worker.names() == ["b"]


@pytest.mark.parametrize("taken", [0, 1])
async def test_cancelled_canvas_ends_with_what_was_staged_for_it(rig: Rig, taken: int) -> None:
    """A stream breaks between its steps: reserved, staged and taken nodes all go, and none is staged any more."""
    before = await rig.keys()
    canvas = await rig.submit(chain(call("a"), call("b")))

    async def staged(count: int) -> Plan:
        reserved = await rig.partition.reserve(canvas.id, nodes=count, templates=0, lanes=lane_texts([LANE]))
        assert reserved is not None
        room = Room(reserved.base, reserved.templates, {LANE: reserved.lanes[0]})
        plan = compile_canvas(group(*calls(count - 1)), node_limit=1000, room=room)
        assert await rig.partition.stage_growth(canvas.id, [], stored_nodes(plan))
        assert await rig.partition.stage_growth(canvas.id, [], stored_nodes(plan))  # the answer was lost
        return plan

    await staged(300)
    for number in range(1, taken + 1):
        plan = await staged(5)
        step = GrowthStep(
            number=number,
            join=0,
            first=plan.base,
            node_count=5,
            inputs="-",
            start=edges_text(plan.start),
            sealed=False,
            waiting="",
        )
        assert (await rig.partition.grow(canvas.id, step))[0]
    await rig.partition.reserve(canvas.id, nodes=50, templates=0, lanes=[])

    await rig.partition.cancel_canvas(NAMESPACE, canvas.id, terminate=False, forget=True)
    late = list(stored_nodes(compile_canvas(call("c"), node_limit=1, room=Room(320, 0, {}))))
    assert not await rig.partition.stage_growth(canvas.id, [], late)
    async with asyncio.timeout(LIMIT_SECONDS):
        while any(canvas.id in key for key in await rig.keys() - before):
            await rig.sweep()


async def test_staged_canvas_that_was_never_submitted_is_removed(rig: Rig) -> None:
    """Parts of a canvas whose coordinator died are gone after the staging time, and not before."""
    before = await rig.keys()
    plan = compile_canvas(group(*calls(400)), node_limit=1000)
    canvas_id = CanvasId("000" + "a" * 29)
    await rig.partition.stage(canvas_id, list(stored_nodes(plan)))

    await rig.sweep(staging_ms=60_000)
    kept = await rig.keys() - before
    await rig.sweep(staging_ms=-1000)

    assert any("a" * 29 in key for key in kept)
    assert not any("a" * 29 in key for key in await rig.keys())


async def test_staging_is_timed_by_the_clock_that_sweeps_go_by(rig: Rig) -> None:
    """When the machine's clock is set back, a canvas that is being staged is not taken for an old one."""
    await rig.store.redis.set("gesso:{0}:clock", 9_000_000_000_000)
    canvas = await rig.submit(group(*calls(1200)))
    plan = compile_canvas(group(*calls(400)), node_limit=1000)
    canvas_id = CanvasId("000" + "a" * 29)
    await rig.partition.stage(canvas_id, list(stored_nodes(plan)))

    await rig.sweep(staging_ms=60_000)

    assert any("a" * 29 in key for key in await rig.keys())
    assert (await rig.look(canvas))[0].left == 1201


async def test_canvas_whose_parts_were_removed_is_not_accepted(rig: Rig) -> None:
    """A submission that took longer than the staging time fails, rather than being accepted with holes."""
    plan = compile_canvas(group(*calls(400)), node_limit=1000)
    canvas_id = CanvasId("000" + "a" * 29)
    nodes = list(stored_nodes(plan))
    await rig.partition.stage(canvas_id, nodes[:300])
    await rig.sweep(staging_ms=-1000)
    new = NewCanvas(
        canvas_id=canvas_id, namespace=NAMESPACE, request_id="", digest="0", watch=False, node_count=len(nodes),
        last=0, last_is_join=True, member_count=400, trace=Trace(canvas_id), carried=Carried(), root="",
        start=edges_text(plan.start), result_ttl_ms=1000, request_ttl_ms=1000, lanes=lane_texts(plan.lanes),
        templates=[], template_count=0, growing=0, quota=1000,
    )  # fmt: skip

    with pytest.raises(StoreError):
        await rig.partition.submit(new, nodes[300:])

    assert await rig.partition.look(NAMESPACE, new.canvas_id) is None
    assert await (await rig.ready()).take(5) == []


async def test_request_is_accepted_once(rig: Rig) -> None:
    """The same request id with the same content is the first canvas, with another it is refused."""
    first = await rig.submit(chain(call("a"), group(call("b"), call("c"))), request_id="r", digest="aa")

    again = await rig.submit(chain(call("a"), group(call("b"), call("c"))), request_id="r", digest="aa")
    with pytest.raises(RequestIdReusedError):
        await rig.submit(call("x"), request_id="r", digest="bb")

    assert (again.id, again.accepted.known) == (first.id, True)
    assert (again.accepted.last, again.accepted.last_is_join, again.accepted.member_count) == (1, True, 2)
    assert await (await rig.ready()).names(9) == ["a"]


async def test_canvas_is_accepted_once_without_a_request_id(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call that submits the same canvas again, however far that is by then, changes nothing of it."""
    canvas = await rig.submit(chain(call("a"), call("b")))
    worker = await rig.ready()
    await worker.report(*await worker.take())
    monkeypatch.setattr(submission, "new_canvas_id", lambda _partition: canvas.id)

    again = await rig.submit(chain(call("a"), call("b")))

    assert (again.id, again.accepted.known) == (canvas.id, True)
    assert await rig.states(canvas) == "SW"
    assert await worker.names(9) == ["b"]


async def test_idle_mark_wakes_once(rig: Rig) -> None:
    """A lease that came back short sets a mark; what makes work eligible sees it, wakes, and clears it."""
    worker = await rig.ready()
    await worker.take()

    first = await rig.partition.exchange(worker.id, 100, Frame(), want=1, others_idle=False)
    canvas = await rig.submit(chain(call("a"), call("b")))
    assert not first.grants
    assert canvas.accepted.duties.wakes == [Wake("default", "default", 1)]
    second = await rig.submit(call("c"))

    assert second.accepted.duties.wakes == []


async def test_sweep_wakes_for_work_whose_wake_up_was_lost(rig: Rig) -> None:
    """Idle queues that a coordinator names are woken by a sweep if they have work."""
    await rig.submit(call("a"))

    swept = await rig.sweep(idle=IDLE)

    assert [(wake.namespace, wake.queue) for wake in swept.duties.wakes] == IDLE


async def test_other_coordinator_is_told(rig: Rig, other_store: Store) -> None:
    """What a coordinator waits for reaches it by its channel: ends of nodes, and work for its idle sessions."""
    canvas = await rig.submit(chain(call("a"), call("b")))
    there = other_store.partitions[0]
    heard: asyncio.Queue[tuple[int, str]] = asyncio.Queue()
    listening = asyncio.Event()
    async with asyncio.timeout(LIMIT_SECONDS), asyncio.TaskGroup() as group:
        task = group.create_task(
            other_store.signals(
                lambda number, text: heard.put_nowait((number, text)), lambda _numbers, _anew: listening.set()
            )
        )
        await listening.wait()
        assert await there.watch(NAMESPACE, canvas.id, 1)
        worker = await rig.ready()
        idle = rig.worker(queues=("later",))
        await idle.hello()
        await there.exchange(idle.id, 1, Frame(), want=1, others_idle=False)
        await rig.submit(call("c", queue="later"))
        assert await heard.get() == (0, "wake default later 1")
        await worker.drain()
        assert await heard.get() == (0, f"end {canvas.id} 1")
        task.cancel()


async def test_own_waits_are_answered_by_the_call(rig: Rig) -> None:
    """The coordinator that makes the call that ends a node needs no signal."""
    canvas = await rig.submit(chain(call("a"), call("b")), watch=True)
    worker = await rig.ready()
    await worker.report(*await worker.take())

    reply = await worker.report(*await worker.take())

    assert [(end.canvas_id, end.index) for end in reply.duties.ends] == [(canvas.id, 1)]
    assert await rig.store.redis.exists(f"gesso:{{0}}:c:{canvas.id}:w") == 0


async def test_cancelled_call_stays_cancelled(rig: Rig) -> None:
    """Whenever a task is cancelled that calls the store, it ends: no cancellation is lost on the way."""
    for turns in range(20):
        task = asyncio.create_task(_call_and_wait(rig))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        async with asyncio.timeout(LIMIT_SECONDS):
            await asyncio.wait([task])
        assert task.cancelled()

    await rig.sweep()


async def _call_and_wait(rig: Rig) -> None:
    await rig.sweep()
    await asyncio.Event().wait()


async def test_clock_that_is_set_back_and_forth_repeats_work_and_counts_it_once(rig: Rig) -> None:
    """After a jump ahead leases are over early, and time stands until it is true again; late results are stale."""
    worker, other = await rig.ready(), await rig.ready()
    canvas = await rig.submit(chain(call("a"), call("b")))
    (first,) = await worker.take()
    await rig.store.redis.set("gesso:{0}:clock", 9_000_000_000_000)
    await other.hello(epoch=2)
    await rig.sweep()

    (second,) = await other.take()
    late = await worker.report(first)
    await other.report(second)

    assert first.index == second.index
    assert first.nonce != second.nonce
    assert late.answers == "S"
    assert await other.names(9) == ["b"]
    assert (await rig.look(canvas))[0].created_ms < 9_000_000_000_000
