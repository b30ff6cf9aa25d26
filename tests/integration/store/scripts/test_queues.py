"""Queues: their counts, pausing, priorities over several of them, and tasks that are set aside."""

from __future__ import annotations

from gesso_server.store.calls import QueueStanding
from gesso_server.store.limits import Limit
from integration.store.scripts.rig import NAMESPACE, Rig, Worker, name, token
from support.trees import call, calls, chain, chord, group


async def standing(rig: Rig, queue: str = "default") -> QueueStanding:
    """Return how a queue stands."""
    found = {each.queue: each for each in await rig.partition.queues(NAMESPACE, behind="", most=100)}
    return found[queue]


async def counts(rig: Rig, queue: str = "default") -> tuple[int, int]:
    """Return how many tasks of a queue wait and run."""
    found = await standing(rig, queue)
    return found.waiting, found.running


async def crashed_twice(rig: Rig, worker: Worker) -> Worker:
    """Let the worker take a task and die of it, twice; return the one that took its place."""
    for _ in range(2):
        (grant,) = await worker.take()
        await worker.start(grant)
        successor = await rig.ready(*worker.queues)
        await successor.hello(dead=[(worker.session, [token(grant)])])
        worker = successor
    return worker


async def test_tasks_are_counted_where_they_are(rig: Rig) -> None:
    """A task waits from when it could run until it is handed over, and runs until its end is reported."""
    await rig.submit(chord(calls(5), call("body")))
    worker = await rig.ready()

    assert await counts(rig) == (5, 0)
    grants = await worker.take(3)
    assert await counts(rig) == (2, 3)
    await worker.report(grants[0])
    await worker.give_back(grants[1])
    assert await counts(rig) == (3, 1)
    await worker.report(grants[2], want=9)
    await worker.report(*worker.held)
    assert await counts(rig) == (1, 0)
    await worker.drain()
    assert await counts(rig) == (0, 0)


async def test_ranges_are_counted_member_by_member(rig: Rig) -> None:
    """A group is one entry of its queue and counts as many tasks as it has."""
    await rig.submit(group(*calls(1000)))

    assert await counts(rig) == (1000, 0)


async def test_parked_tasks_wait_by_name(rig: Rig) -> None:
    """Tasks that no worker knows are counted, named, and counted once when they move on."""
    await rig.submit(group(*calls(3, task="strange")))
    worker = await rig.ready()
    assert await worker.names(9) == []

    found = await standing(rig)
    assert (found.waiting, found.unknown, found.sessions) == (3, frozenset(["strange"]), 1)
    other = await rig.ready(tasks=["strange"])
    assert len(await other.take(2)) == 2
    assert await counts(rig) == (1, 2)


async def test_tasks_that_a_limit_holds_back_wait(rig: Rig) -> None:
    """They are counted while they wait for permits, once, and no more when they ran or their canvas was cancelled."""
    assert await rig.partition.set_limit(f"{NAMESPACE}\0add", Limit(concurrency=1))
    canvas = await rig.submit(group(*calls(5)))
    worker = await rig.ready()
    assert await worker.names(9) == []  # a permit is asked for

    assert await counts(rig) == (5, 0)
    await _with_permits(rig, worker)
    assert await counts(rig) == (4, 1)
    await worker.report(*worker.held)
    await _with_permits(rig, worker)
    assert await counts(rig) == (3, 1)
    await rig.partition.cancel_canvas(NAMESPACE, canvas.id, terminate=False, forget=False)
    await worker.report(*worker.held)
    await _with_permits(rig, worker)
    assert await counts(rig) == (0, 0)


async def test_oldest_task_may_be_one_that_a_limit_holds_back(rig: Rig) -> None:
    """Whatever its priority; and only of the queue that it waits in."""
    assert await rig.partition.set_limit(f"{NAMESPACE}\0add", Limit(concurrency=1))
    await rig.submit(group(call("low", priority=0), call("high", priority=9)))
    worker = await rig.ready()
    await (await rig.ready("empty")).names(1)
    assert await worker.names(9) == []

    found = {each.queue: each for each in await rig.partition.queues(NAMESPACE, behind="", most=9)}

    assert found["default"].waiting == 2
    assert found["default"].oldest_ms is not None
    assert found["empty"].oldest_ms is None


async def _with_permits(rig: Rig, worker: Worker) -> None:
    """Carry what accounts and homes say to each other, and ask for tasks."""
    for _ in range(3):
        await rig.store.redis.incrby("gesso:{0}:clock", 2000)
        duties = (await rig.sweep()).duties
        while duties.news or duties.deliveries:
            if duties.news:
                duties = await rig.partition.settle_limits([(0, said) for said in duties.news])
            else:
                duties = await rig.partition.receive_permits(duties.deliveries)
        if await worker.names(9):
            return


async def test_paused_queue_counts_what_waits(rig: Rig) -> None:
    """A pause changes no count; what becomes ready meanwhile waits, too."""
    await rig.submit(group(*calls(3)))
    worker = await rig.ready()
    await rig.partition.pause_queue(NAMESPACE, "default", paused=True)
    await rig.submit(call("later"))

    assert await worker.names(9) == []
    assert await counts(rig) == (4, 0)
    await rig.partition.pause_queue(NAMESPACE, "default", paused=False)
    await worker.drain()
    assert await counts(rig) == (0, 0)


async def test_cancelled_tasks_are_not_counted_for_ever(rig: Rig) -> None:
    """What was cancelled while it waited is taken off when its turn comes, however much it is."""
    canvas = await rig.submit(group(*(call(f"m{at}", task="add" if at % 2 else "mul") for at in range(3000))))
    worker = await rig.ready(tasks=["add", "mul"])
    held = await worker.take(4)

    await rig.partition.cancel_canvas(NAMESPACE, canvas.id, terminate=False, forget=False)
    await rig.settle()
    for _ in range(4):
        assert await worker.take(10) == []
    await worker.report(*held)

    assert await counts(rig) == (0, 0)


async def test_lost_workers_tasks_wait_again(rig: Rig) -> None:
    """A session that ends takes no tasks any more, and what it held waits."""
    await rig.submit(group(*calls(4)))
    worker = await rig.ready()
    await worker.take(3)

    await rig.partition.leave(worker.id, grace_ms=None)

    found = await standing(rig)
    assert (found.waiting, found.running, found.sessions) == (4, 0, 0)


async def test_queue_without_anything_is_not_listed(rig: Rig) -> None:
    """Counts that have come to 0, and queues without any, are gone after some sweeps."""
    await rig.submit(group(*(call(queue, queue=queue) for queue in "abc")))
    worker = await rig.ready("a", "b", "c")
    await worker.drain()
    await rig.partition.leave(worker.id, grace_ms=None)

    for _ in range(20):
        await rig.sweep()

    assert await rig.partition.queues(NAMESPACE, behind="", most=100) == []
    assert {"gesso:{0}:qc", "gesso:{0}:qs"}.isdisjoint(await rig.keys())


async def test_queues_are_listed_by_name_in_parts(rig: Rig) -> None:
    """A list goes on behind a name, and knows only its own namespace."""
    await rig.submit(group(*(call(queue, queue=queue) for queue in ("b", "a", "b.c", "d"))))

    first = await rig.partition.queues(NAMESPACE, behind="", most=2)
    second = await rig.partition.queues(NAMESPACE, behind="b", most=2)
    assert [found.queue for found in first + second] == ["a", "b", "b.c", "d"]
    assert await rig.partition.queues("other", behind="", most=9) == []


async def test_oldest_task_is_the_one_that_waits_longest(rig: Rig) -> None:
    """A younger task that goes first does not hide an older one; without any there is no age."""
    worker = await rig.ready()
    assert (await standing(rig)).oldest_ms is None
    await rig.submit(call("old", priority=1))
    before = (await standing(rig)).oldest_ms
    await rig.submit(call("new", priority=9))
    after = (await standing(rig)).oldest_ms

    assert before is not None
    assert after is not None
    assert after >= before
    await worker.drain()
    assert (await standing(rig)).oldest_ms is None


async def test_workers_are_listed_with_what_they_hold(rig: Rig) -> None:
    """Each session by id, with its queues, tasks, slots and what it holds; a lost one is gone."""
    await rig.submit(group(*calls(3)))
    workers = sorted(
        [await rig.ready("default", "other", tasks=["add", "mul"]) for _ in range(3)],
        key=lambda w: w.session,
    )
    await workers[1].take(2)
    await rig.partition.leave(workers[2].id, grace_ms=None)

    found = await rig.partition.workers(NAMESPACE, behind="", most=9)

    assert [(each.session, each.held) for each in found] == [(workers[0].session, 0), (workers[1].session, 2)]
    assert (found[0].queues, found[0].tasks, found[0].slots) == (
        ("default", "other"),
        frozenset(["add", "mul"]),
        1,
    )
    assert found[0].seen_ms > 0
    assert await rig.partition.workers(NAMESPACE, behind=workers[1].session, most=9) == []


async def test_higher_priorities_are_first_over_all_queues_of_a_worker(rig: Rig) -> None:
    """Nothing of a lower priority is handed out while a queue of the worker has something of a higher one."""
    tasks = [
        call(f"{queue}{prio}", queue=queue, priority=prio)
        for prio in (0, 4, 9, 5)
        for queue in ("q1", "q2", "q3")
    ]
    await rig.submit(group(*tasks))
    worker = await rig.ready("q1", "q2", "q3")

    names = [(await worker.names())[0] for _ in tasks]

    assert [int(found[-1]) for found in names] == [9] * 3 + [5] * 3 + [4] * 3 + [0] * 3


async def test_paused_queue_delivers_nothing(rig: Rig) -> None:
    """What is held goes on, its successors wait, and another queue of the same worker goes on."""
    await rig.submit(chain(call("first"), call("second")))
    worker = await rig.ready("default", "other")
    (first,) = await worker.take()
    await rig.partition.pause_queue(NAMESPACE, "default", paused=True)
    await rig.submit(call("elsewhere", queue="other"))

    reply = await worker.report(first, want=5)

    assert [name(grant) for grant in reply.grants] == ["elsewhere"]
    assert reply.more is False
    assert (await standing(rig)).paused
    assert await counts(rig) == (1, 0)
    await rig.partition.pause_queue(NAMESPACE, "default", paused=False)
    assert await worker.names(5) == ["second"]


async def test_paused_queue_wakes_nobody(rig: Rig) -> None:
    """Neither new work nor sweeps wake sessions for a paused queue; resuming it does, once and at once."""
    await (await rig.ready()).take(1)
    await rig.partition.pause_queue(NAMESPACE, "default", paused=True)

    submitted = await rig.submit(group(*calls(3)))
    swept = await rig.sweep(idle=[(NAMESPACE, "default")])
    resumed = await rig.partition.pause_queue(NAMESPACE, "default", paused=False)

    assert submitted.accepted.duties.wakes == []
    assert swept.duties.wakes == []
    assert [(wake.queue, wake.count > 1000) for wake in resumed.wakes] == [("default", True)]


async def test_paused_queue_keeps_what_is_parked(rig: Rig) -> None:
    """A worker that knows a parked task does not get it while its queue is paused."""
    await rig.submit(call("s", task="strange"))
    await (await rig.ready()).take(1)
    await rig.partition.pause_queue(NAMESPACE, "default", paused=True)
    other = await rig.ready(tasks=["strange"])

    assert await other.take(5) == []
    await rig.partition.pause_queue(NAMESPACE, "default", paused=False)
    assert await other.names(5) == ["s"]


async def test_pause_of_an_unknown_queue_holds(rig: Rig) -> None:
    """A queue may be paused before it has anything, and is listed meanwhile."""
    await rig.partition.pause_queue(NAMESPACE, "later", paused=True)
    await rig.submit(call("x", queue="later"))

    assert await (await rig.ready("later")).take(5) == []
    assert (await standing(rig, "later")).paused


async def test_session_that_meets_a_suspect_takes_it_when_it_is_empty(rig: Rig) -> None:
    """It gets nothing until it is empty, and then the suspect alone; meanwhile busy sessions are served on."""
    worker = await rig.ready()
    await rig.submit(call("poison"))
    finder = await crashed_twice(rig, worker)
    await rig.submit(call("quick", priority=9))
    (quick,) = await finder.take()
    await rig.submit(group(*calls(4)))
    other = await rig.ready()
    await rig.submit(call("also", priority=9))
    (also,) = await other.take()

    assert await finder.take(5) == []
    assert await other.names(2) == ["m0", "m1"]
    assert await counts(rig) == (3, 4)
    reply = await finder.report(quick, want=5)

    assert [name(grant) for grant in reply.grants] == ["poison"]
    await other.report(also)
    assert await other.names(9) == ["m2", "m3"]
    assert await finder.take(5) == []


async def test_suspect_is_taken_by_whoever_is_empty_first(rig: Rig) -> None:
    """A session that holds nothing takes the suspect although another empties itself for it, which then goes on."""
    finder = await crashed_twice(rig, (await _with_poison(rig)))
    await rig.submit(call("quick", priority=9))
    (quick,) = await finder.take()
    assert await finder.take(5) == []

    assert await (await rig.ready()).names(5) == ["poison"]
    await finder.report(quick)
    await rig.submit(call("next"))
    assert await finder.names(5) == ["next"]


async def test_suspect_waits_on_when_its_session_is_lost(rig: Rig) -> None:
    """When the session that empties itself for a suspect dies, the suspect is in the queue again."""
    finder = await crashed_twice(rig, (await _with_poison(rig)))
    await rig.submit(call("quick", priority=9))
    await finder.take()
    assert await finder.take(5) == []

    await rig.partition.leave(finder.id, grace_ms=None)

    assert await counts(rig) == (2, 0)
    worker = await rig.ready()
    assert await worker.names(5) == ["quick"]
    assert await worker.names(5) == []
    await worker.report(*worker.held)
    assert await worker.names(5) == ["poison"]


async def _with_poison(rig: Rig) -> Worker:
    await rig.submit(call("poison"))
    return await rig.ready()


async def test_chains_end_while_most_of_a_large_group_waits(rig: Rig) -> None:
    """100 chains behind a group of 20,000 end after about as many tasks of the group as they have themselves."""
    await rig.submit(group(*calls(20_000, "g")))
    for number in range(100):
        await rig.submit(chain(*(call(f"c{number}.{step}") for step in range(3))))
    worker = await rig.ready()
    chains, members = 0, 0
    while chains < 300:
        grants = await worker.take(64)
        served = sum(name(grant).startswith("c") for grant in grants)
        chains, members = chains + served, members + len(grants) - served
        await worker.report(*grants)

    assert members < 600
