"""Cancelling: tasks, groups with everything in them, whole canvases, and canvases whose deadline has passed."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from redis.asyncio import Redis

from gesso_server.carried import Carried
from gesso_server.config import ServerConfig
from gesso_server.dispatch.extension import Replaced
from gesso_server.dispatch.submission import Submission
from gesso_server.ids import NodeRef
from gesso_server.plan import Element, Group
from gesso_server.store.calls import DeadTask, Frame, Reported
from gesso_server.store.embedded import EmbeddedStore
from gesso_server.store.library import Bounds
from gesso_server.store.records import Place
from gesso_server.store.rerun import IncompleteCanvasError
from gesso_server.store.store import Store
from integration.store.scripts.rig import NAMESPACE, Canvas, Rig, Worker, quick, token
from support.trees import call, calls, chain, chord, group

LIMIT_SECONDS = 10
BRIEF = quick(result_ttl=timedelta(0))


@pytest.fixture
async def worker(rig: Rig) -> Worker:
    """A worker that has said hello."""
    worker = rig.worker()
    await worker.hello()
    return worker


async def revoke(rig: Rig, canvas: Canvas, index: int, *, terminate: bool = False) -> int:
    """Revoke a node; return how many had not ended."""
    ref = NodeRef(canvas.id, index)
    count = await rig.coordinator.cancellations.nodes(NAMESPACE, [ref], terminate=terminate)
    await rig.settle()
    return count


async def test_revoked_group_takes_all_its_members_along(rig: Rig, worker: Worker) -> None:
    """What waits ends at once, what is behind it by the rule, and what runs when its worker says so."""
    canvas = await rig.submit(chain(group(chain(call("a"), call("b")), call("c"), call("d")), call("body")))
    held = await worker.take(1)

    assert await revoke(rig, canvas, 0) == 1

    assert await rig.states(canvas) == "FKVVVF"
    await worker.report(*held)
    await rig.settle()
    assert await rig.states(canvas) == "FVVVVF"
    meta, _ = await rig.look(canvas)
    assert (meta.state, meta.left) == ("F", 0)


async def test_step_behind_a_revoked_one_ends_because_of_it(rig: Rig) -> None:
    """It is no failure of its own: its error links would run twice."""
    canvas = await rig.submit(group(chain(call("a"), call("b"), call("c")), call("d")))

    await revoke(rig, canvas, 0)

    assert await rig.states(canvas) == "FVUUV"


async def test_nested_groups_are_revoked(rig: Rig) -> None:
    """At any depth, also while the step before them runs."""
    inner = chord([call("x"), chord(calls(2), call("in"))], call("mid"))
    canvas = await rig.submit(chain(call("before"), group(inner, call("y")), call("after")))

    await revoke(rig, canvas, 1)

    states = await rig.states(canvas)
    assert states[0] == "W"
    assert not set(states[1:]) & set("WO")
    meta, _ = await rig.look(canvas)
    assert meta.left == 1


async def test_member_that_ended_stays_as_it_is(rig: Rig, worker: Worker) -> None:
    """And a group all of whose members have ended has nothing to revoke."""
    canvas = await rig.submit(group(*calls(3)))
    await worker.report(*await worker.take(1))

    assert await revoke(rig, canvas, 0) == 1
    assert await rig.states(canvas) == "FSVV"
    assert await revoke(rig, canvas, 0) == 0


async def test_large_group_is_revoked_in_slices(rig: Rig) -> None:
    """A call ends a bounded number; the work list has the rest."""
    canvas = await rig.submit(group(*calls(3000)))
    cancelled, duties = await rig.partition.cancel_node(NAMESPACE, canvas.id, 0, terminate=False)
    assert cancelled
    assert duties.work

    assert await rig.settle() > 2

    assert await rig.states(canvas) == "F" + "V" * 3000


async def test_replaced_task_is_revoked_with_what_took_its_place(rig: Rig, worker: Worker) -> None:
    """The replacement is cancelled; the task is a failure of its own."""
    canvas = await rig.submit(chain(call("a"), call("b")))
    (grant,) = await worker.take()
    extended = await rig.coordinator.extensions.replacement(
        NAMESPACE,
        Replaced(ref=NodeRef(canvas.id, 0), task_id="", place=Place(), source=None),
        chain(call("r1"), call("r2")),
    )
    await worker.exchange(Frame(reported=[Reported(token(grant), "p", b"", 0, extended)]))

    await revoke(rig, canvas, 0)

    assert await rig.states(canvas) == "VU"
    meta, _ = await rig.look(canvas)
    assert (meta.state, meta.left, meta.node_count) == ("F", 0, 4)
    assert await worker.take() == []


async def test_nodes_that_are_staged_only_are_not_cancelled(rig: Rig, worker: Worker) -> None:
    """A replacement that was on its way when its canvas was cancelled was never part of it."""
    canvas = await rig.submit(call("a"))
    (grant,) = await worker.take()
    await rig.coordinator.extensions.replacement(
        NAMESPACE,
        Replaced(ref=NodeRef(canvas.id, 0), task_id="", place=Place(), source=None),
        chain(call("r1"), call("r2")),
    )

    await rig.coordinator.cancellations.canvas(NAMESPACE, canvas.id, terminate=False)
    await rig.settle()

    meta, _ = await rig.look(canvas)
    assert (meta.state, meta.left) == ("C", 1)
    await worker.report(grant)
    meta, _ = await rig.look(canvas)
    assert (meta.state, meta.left, meta.node_count) == ("C", 0, 1)


async def test_cancellation_is_told_until_the_attempt_has_ended(rig: Rig, worker: Worker) -> None:
    """A signal may be lost, so each renewal says it again; to kill it may come later."""
    canvas = await rig.submit(group(*calls(2)))
    first, second = await worker.take(2)
    await revoke(rig, canvas, first.index)
    await revoke(rig, canvas, second.index)
    await revoke(rig, canvas, second.index, terminate=True)

    renewed = await rig.partition.renew([worker.session], lease_ms=60_000)
    assert sorted(renewed.cancelled[worker.session]) == [(token(first), False), (token(second), True)]
    await worker.report(first, second)

    assert (await rig.partition.renew([worker.session], lease_ms=60_000)).cancelled == {}
    assert await rig.states(canvas) == "FVV"


async def test_growing_group_is_revoked_with_what_came_later(rig: Rig, worker: Worker) -> None:
    """Members that a stream has brought are members like any other."""
    element = Group((call("a"),), open_index=0)
    canvas = await rig.submit(element)
    growing = rig.coordinator.growing(canvas.id, NAMESPACE, canvas.plan)
    await growing.add(0, (chain(call("b"), call("c")), call("d")), sealed=False)
    await growing.add(0, (call("e"),), sealed=True)

    await revoke(rig, canvas, 0)

    found = await rig.partition.look(NAMESPACE, canvas.id, range(6))
    assert found is not None
    assert "".join(node.record[0] for node in found[1] if node) == "FVVUVV"
    assert found[0].left == 0
    assert await worker.take(9) == []


async def submit_with_deadline(rig: Rig, element: Element, deadline: timedelta) -> Canvas:
    """Submit a canvas with a deadline."""
    submission = Submission(
        namespace=NAMESPACE, element=element, request_id="", digest="00", traceparent="", carried=Carried(),
        watch=False, deadline_ms=deadline // timedelta(milliseconds=1),
    )  # fmt: skip
    accepted = (await rig.coordinator.submissions.submit(submission)).accepted
    return Canvas(element, rig.coordinator.submissions.compile(element), accepted)


async def test_canvas_is_cancelled_when_its_deadline_passes(rig: Rig, worker: Worker) -> None:
    """What waits ends, what runs is told, and the nodes say which deadline it was."""
    canvas = await submit_with_deadline(rig, chain(call("a"), call("b")), timedelta(milliseconds=30))
    (grant,) = await worker.take()

    async with asyncio.timeout(LIMIT_SECONDS):
        while await rig.states(canvas) != "QC":
            await rig.sweep()
    await worker.report(grant)

    meta, _ = await rig.look(canvas)
    assert meta.state == "C"
    found = await rig.partition.look(NAMESPACE, canvas.id, [1])
    assert found is not None
    assert found[1][0] is not None
    assert found[1][0].overdue_ms == 30


@pytest.mark.parametrize("config", [BRIEF], indirect=True)
async def test_deadline_of_a_canvas_that_ended_is_forgotten(rig: Rig, worker: Worker) -> None:
    """It leaves nothing behind to wait for."""
    canvas = await submit_with_deadline(rig, call("a"), timedelta(days=1))
    assert (await rig.sweep()).next_due_ms is not None
    await worker.report(*await worker.take())

    assert await rig.states(canvas) == "S"
    assert (await rig.sweep()).next_due_ms is None


async def die(rig: Rig) -> None:
    """Let a worker die with what it runs."""
    worker = rig.worker()
    await worker.hello()
    held = await worker.take()
    heir = rig.worker()
    await heir.hello(dead=[(worker.session, [token(grant) for grant in held])])
    await rig.partition.leave(heir.id, grace_ms=None)


async def test_dead_tasks_are_listed_until_their_canvas_is_removed(rig: Rig) -> None:
    """The latest first; a purge takes them off before."""
    canvases = [await rig.submit(call(name)) for name in "ab"]
    for _ in range(6):
        await die(rig)

    trimmed, tasks = await rig.partition.dead_tasks(NAMESPACE, until_ms=None, most=10)

    assert trimmed == 0
    assert {task.canvas_id for task in tasks} == {canvas.id for canvas in canvases}
    assert [task.died_ms for task in tasks] == sorted((task.died_ms for task in tasks), reverse=True)
    assert await rig.partition.purge_dead_tasks(NAMESPACE, [NodeRef(canvases[0].id, 0)]) == 1
    assert [task.canvas_id for task in (await dead(rig))] == [canvases[1].id]
    assert await rig.partition.purge_dead_tasks(NAMESPACE, []) == 1
    assert await dead(rig) == []


async def test_oldest_dead_tasks_make_room(store: EmbeddedStore) -> None:
    """As many are listed as the setting says; how many were let go is counted."""
    connection = Store(store.url, "c1", Bounds(crashes=1, dead_letters=2))
    await connection.connect(None)
    rig = Rig(connection, ServerConfig())
    canvases = []
    for number in range(4):
        canvases.append(await rig.submit(call(f"t{number}")))
        await die(rig)
        await later(store)  # of two that die in the same millisecond, neither is the older one

    trimmed, tasks = await rig.partition.dead_tasks(NAMESPACE, until_ms=None, most=10)

    assert trimmed == 2
    assert {task.canvas_id for task in tasks} == {canvas.id for canvas in canvases[2:]}
    await connection.close()


@pytest.mark.parametrize("config", [BRIEF], indirect=True)
async def test_removed_canvas_takes_its_dead_tasks_along(rig: Rig) -> None:
    """No letter is listed that could not be shown."""
    await rig.submit(call("a"))
    for _ in range(3):
        await die(rig)
    assert len(await dead(rig)) == 1

    await rig.settle()

    assert await dead(rig) == []
    assert not [key for key in await rig.keys() if ":c:" in key or ":dead:" in key]


async def later(store: EmbeddedStore) -> None:
    """Wait until the store's clock shows another millisecond."""
    async with Redis.from_url(store.url) as redis:

        async def now() -> int:
            seconds, microseconds = await redis.time()
            return int(seconds) * 1000 + int(microseconds) // 1000

        begin = await now()
        while await now() == begin:
            pass


async def dead(rig: Rig) -> list[DeadTask]:
    """Return the dead tasks."""
    return (await rig.partition.dead_tasks(NAMESPACE, until_ms=None, most=100))[1]


async def test_failures_and_crashes_are_not_deliveries_too_many(rig: Rig, worker: Worker) -> None:
    """A task that was retried 30 times may still be returned, and die of three crashes."""
    canvas = await rig.submit(call("a"))
    for _ in range(30):
        (grant,) = await worker.take()
        await worker.exchange(Frame(reported=[Reported(token(grant), "y", b"", 0, "-1")]))
    (grant,) = await worker.take()
    await worker.give_back(grant)

    record = (await rig.look(canvas))[1][0]
    assert (record.state, record.deliveries, record.crashes, record.failures) == ("W", 30, 0, 30)
    await rig.partition.leave(worker.id, grace_ms=None)
    for _ in range(3):
        await die(rig)
    record = (await rig.look(canvas))[1][0]
    assert (record.state, record.deliveries, record.crashes, record.failures) == ("D", 33, 3, 30)


@pytest.mark.parametrize("garbage", ["", "?", "Wx,y/0||", "O1,1/Jz||", "no record at all"])
async def test_row_that_cannot_be_read_is_set_aside(rig: Rig, worker: Worker, garbage: str) -> None:
    """Its canvas is cancelled, its bytes are kept, and other canvases go on."""
    canvas, other = await rig.submit(group(*calls(3))), await rig.submit(call("other"))
    key = next(key for key in await rig.keys() if canvas.id in key and ":d:" in key)
    await rig.store.redis.hset(key, "2", garbage)

    done = await worker.drain()
    await rig.settle()

    assert "other" in done
    assert await rig.states(other) == "S"
    meta, _ = await rig.look(canvas)
    assert (meta.state, meta.left) == ("C", 0)
    (row,) = await rig.partition.unreadable_rows(10)
    assert (row.kind, row.place, row.data) == ("node", f"{canvas.id}:2", garbage.encode())
    assert [task.index for task in await dead(rig)] == [2]
    with pytest.raises(IncompleteCanvasError):
        await rig.coordinator.reruns.run(NAMESPACE, canvas.id, "")
    assert await rig.partition.purge_unreadable_rows() == 1


async def test_timers_and_work_that_cannot_be_read_stop_no_sweep(rig: Rig) -> None:
    """They are set aside as well."""
    canvas = await rig.submit(replace(call("a"), lane=call("a").lane._replace(timed=True), timing="d1"))
    redis = rig.store.redis
    await redis.zadd("gesso:{0}:due", {"garbage": 1, "zz:1": 2})
    await redis.zadd("gesso:{0}:exp", {"": 1})
    await redis.rpush("gesso:{0}:work", "garbage", "take 00 x")

    async with asyncio.timeout(LIMIT_SECONDS):
        while await rig.states(canvas) != "W" or await redis.llen("gesso:{0}:work"):
            await rig.sweep()

    rows = [(row.kind, row.data) for row in await rig.partition.unreadable_rows(10)]
    assert sorted(rows) == [("timer", b""), ("timer", b"garbage"), ("timer", b"zz:1"), ("work", b"garbage")]


@pytest.mark.long
@pytest.mark.timeout(600)
async def test_a_million_timers_cost_the_coordinator_nothing(rig: Rig) -> None:
    """They wait in the store; a sweep looks at the next one."""
    count = 999_999  # and their group is the millionth node
    lane = call("a").lane._replace(timed=True)
    template = replace(call("a"), lane=lane, timing="d86400000")
    await rig.submit(Group((template,) * count))
    while (swept := await rig.sweep()).more or swept.duties.work:
        pass  # 500 nodes each

    assert await rig.store.redis.zcard("gesso:{0}:due") == count
    assert not (await rig.sweep()).more


async def test_node_that_was_only_staged_is_not_revoked(rig: Rig) -> None:
    """What a task was to be replaced with, by a worker that died before it said so, is no node and does not count."""
    canvas = await rig.submit(group(call("a"), call("b")))
    worker = rig.worker()
    await worker.hello()
    first, second = await worker.take(2)
    await rig.stage_replacement(canvas.id, first.index, call("staged"))
    staged = len(canvas.plan.nodes)

    revoked, _ = await rig.partition.cancel_node(NAMESPACE, canvas.id, staged, terminate=False)

    assert revoked is None
    await worker.report(first)
    assert (await rig.look(canvas))[0].left == 2
    await worker.report(second)
    assert (await rig.look(canvas))[0].left == 0
