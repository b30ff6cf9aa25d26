"""What a call makes ready it may grant itself, without writing it: by the same rules as what waits in the store."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gesso_server.store.calls import Exchanged, Frame, Reported
from gesso_server.store.limits import Limit
from gesso_server.store.store import Store
from integration.store.scripts.rig import NAMESPACE, QUEUE, Rig, Worker, name, token
from support.keyspace import Keyspace
from support.store_invariants import check
from support.trees import call, calls, chain, group

CLOCK = "gesso:{0}:clock"
START_MS = 9_000_000_000_000


async def goes_on(rig: Rig, worker: Worker, want: int = 9) -> list[str]:
    """Report what the worker holds; return the names of what it is granted by the same call."""
    granted = list(map(name, (await worker.report(*worker.held, want=want)).grants))
    check(await Keyspace.read(rig.store.redis))
    return granted


async def queue_keys(rig: Rig) -> set[str]:
    """Return the keys that tasks wait in."""
    return {
        key for key in await rig.keys() if ":q:" in key or key.startswith(("gesso:{0}:r:", "gesso:{0}:l:"))
    }


async def pushes(rig: Rig) -> int:
    """Return how often something was put into a list, behind or in front, since the store began."""
    found = await rig.store.redis.info("commandstats")
    return sum(found.get(f"cmdstat_{command}", {"calls": 0})["calls"] for command in ("rpush", "lpush"))


async def test_step_of_a_chain_is_granted_without_a_queue(rig: Rig) -> None:
    """Nobody else waits: the next step goes to whoever reported the one before, and nothing is put into a list."""
    await rig.submit(chain(call("a"), call("b"), call("c")))
    worker = await rig.ready()
    assert await worker.names() == ["a"]
    before = await pushes(rig)

    assert await goes_on(rig, worker) == ["b"]
    assert await goes_on(rig, worker) == ["c"]

    assert await pushes(rig) == before
    assert await queue_keys(rig) == set()


async def test_repeated_call_is_granted_the_same(rig: Rig) -> None:
    """Its answer was lost: the repeat gets the same tasks with the same tokens, and they run once."""
    canvas = await rig.submit(chain(call("a"), group(*calls(3))))
    worker = await rig.ready()
    (first,) = await worker.take()
    frame = Frame(reported=[Reported(token(first), "v", b"null")])

    lost = await worker.exchange(frame, want=2)
    again = await worker.exchange(frame, want=2, seq=worker.seq)

    assert list(map(name, lost.grants)) == ["m0", "m1"]
    assert (again.answers, again.more) == ("D", True)
    assert list(map(token, again.grants)) == list(map(token, lost.grants))
    worker.held = lost.grants
    assert await goes_on(rig, worker) == ["m2"]
    assert await goes_on(rig, worker) == []
    assert set(await rig.states(canvas)) == {"S"}


async def test_whoever_waits_longer_comes_first(rig: Rig) -> None:
    """Tasks of another canvas that wait in the queue are not passed over, and take turns with the new ones."""
    await rig.submit(chain(call("a"), group(*calls(3, "new"))))
    worker = await rig.ready()
    await worker.take()
    await rig.submit(group(*calls(3, "old")))

    assert await goes_on(rig, worker, 1) == ["old0"]
    assert await worker.names(4) == ["new0", "new1", "old1", "new2"]
    assert await worker.names(4) == ["old2"]


async def test_canvases_that_are_made_ready_together_take_turns(rig: Rig) -> None:
    """One call that makes several canvases go on serves each of them its part, and leaves them in their order."""
    for letter in "ab":
        await rig.submit(chain(call(letter), group(*calls(4, letter))))
    worker = await rig.ready()
    await worker.take(2)

    assert await goes_on(rig, worker, 4) == ["a0", "a1", "b0", "a2"]
    assert await worker.names(2) == ["b1", "a3"]
    assert await worker.names(9) == ["b2", "b3"]


async def test_higher_priorities_come_first(rig: Rig) -> None:
    """Among what the call makes ready, and between that and what waits."""
    ranked = [call(f"p{prio}", priority=prio) for prio in (2, 7, 4)]
    await rig.submit(chain(call("a"), group(*ranked)))
    worker = await rig.ready()
    await worker.take()
    await rig.submit(group(call("low", priority=1), call("high", priority=8), call("middle", priority=5)))

    assert await goes_on(rig, worker, 3) == ["high", "p7", "middle"]
    assert await worker.names(9) == ["p4", "p2", "low"]


async def test_new_priority_is_served_beside_those_that_wait(rig: Rig) -> None:
    """A queue in which something less urgent waits hands out what is more urgent and new without writing it."""
    await rig.submit(chain(call("a"), call("urgent", priority=9)))
    worker = await rig.ready()
    await worker.take()
    await rig.submit(call("later", priority=0))
    before = await pushes(rig)

    assert await goes_on(rig, worker, 1) == ["urgent"]
    assert await pushes(rig) == before
    assert await goes_on(rig, worker) == ["later"]


async def test_nothing_of_a_paused_queue_is_granted(rig: Rig) -> None:
    """What becomes ready meanwhile waits in the store, and is granted when the queue goes on."""
    await rig.submit(chain(call("a"), call("b")))
    worker = await rig.ready()
    await worker.take()
    await rig.partition.pause_queue(NAMESPACE, QUEUE, paused=True)

    assert await goes_on(rig, worker) == []
    await rig.partition.pause_queue(NAMESPACE, QUEUE, paused=False)
    assert await worker.names() == ["b"]


async def test_limits_hold_new_tasks_back(rig: Rig) -> None:
    """A task for which there is no permit is set aside, not granted."""
    assert await rig.partition.set_limit(f"{NAMESPACE}\0mul", Limit(concurrency=1))
    await rig.submit(chain(call("a"), group(call("b", task="mul"), call("c"))))
    worker = await rig.ready()
    await worker.take()

    reply = await worker.report(*worker.held, want=9)

    assert list(map(name, reply.grants)) == ["c"]
    assert [news.want for news in reply.duties.news] == [1]
    assert [key for key in await rig.keys() if ":ls:" in key] == [f"gesso:{{0}}:ls:{NAMESPACE}\0mul"]


async def test_task_that_is_too_late_expires(rig: Rig) -> None:
    """Also one that becomes ready past its last start: it is not handed out."""
    await rig.store.redis.set(CLOCK, START_MS)
    late = replace(call("b", timed=True), timing="x1000")
    canvas = await rig.submit(chain(call("a"), late))
    worker = await rig.ready()
    await worker.take()
    await rig.store.redis.set(CLOCK, START_MS + 2000)

    assert await goes_on(rig, worker) == []
    assert await rig.states(canvas) == "SX"


async def test_unknown_task_is_parked(rig: Rig) -> None:
    """A step that the session does not know waits for one that does."""
    await rig.submit(chain(call("a"), call("b", task="mul")))
    worker = await rig.ready(tasks=["add"])
    await worker.take()

    assert await goes_on(rig, worker) == []
    assert await (await rig.ready(tasks=["mul"])).names() == ["b"]


@pytest.mark.parametrize("terminate", [True, False])
async def test_cancelled_canvas_is_granted_nothing(rig: Rig, *, terminate: bool) -> None:
    """A report of a canvas that was cancelled makes nothing ready, and neither does what comes back of it."""
    canvas = await rig.submit(chain(group(*calls(2)), call("b")))
    worker = await rig.ready()
    first, second = await worker.take(2)
    await rig.partition.cancel_canvas(NAMESPACE, canvas.id, terminate=terminate, forget=False)

    frame = Frame(returned=[token(second)], reported=[Reported(token(first), "v", b"null")])
    reply = await worker.exchange(frame, want=9)

    assert reply.grants == []
    await rig.settle()
    assert await queue_keys(rig) == set()


async def test_what_crashed_is_granted_alone(rig: Rig) -> None:
    """A task that is to run alone is not granted with others, whether it waits or comes back with the call itself."""
    await rig.submit(group(call("bad"), chain(call("a"), call("b"))))
    worker, other = await rig.ready(), await rig.ready()
    assert await worker.names(1) == ["bad"]
    assert await other.names(1) == ["a"]
    for _ in range(2):
        bad = (worker.held or await worker.take(1))[0]
        await worker.start(bad)
        heir = await rig.ready()
        await heir.hello(dead=[(worker.session, [token(bad)])])
        worker = heir

    assert await goes_on(rig, other) == ["bad"]
    (bad,) = other.held
    other.held = []
    again = await other.exchange(Frame(returned=[token(bad)]), want=9)
    assert list(map(name, again.grants)) == ["bad"]
    assert await goes_on(rig, other) == ["b"]


async def test_what_a_call_leaves_stays_in_order(rig: Rig) -> None:
    """Of a large group one call grants a part: the others wait in the store, in their order."""
    await rig.submit(chain(call("a"), group(*calls(100))))
    worker = await rig.ready()
    await worker.take()

    reply = await worker.report(*worker.held, want=10)

    assert list(map(name, reply.grants)) == [f"m{at}" for at in range(10)]
    assert reply.more
    check(await Keyspace.read(rig.store.redis))
    assert await worker.names(100) == [f"m{at}" for at in range(10, 100)]
    assert await queue_keys(rig) == set()


async def test_task_that_comes_back_stands_in_front(rig: Rig) -> None:
    """One call gives a task back and makes others ready: the one that had its turn before is granted first."""
    await rig.submit(group(chain(call("a"), call("b")), call("c")))
    worker = await rig.ready()
    first, second = await worker.take(2)
    assert [name(first), name(second)] == ["a", "c"]

    frame = Frame(returned=[token(second)], reported=[Reported(token(first), "v", b"null")])
    reply = await worker.exchange(frame, want=9)

    assert list(map(name, reply.grants)) == ["c", "b"]


async def waits(rig: Rig) -> Worker:
    """Return a session that was told that there is nothing."""
    worker = await rig.ready()
    assert (await worker.exchange(want=1)).grants == []
    return worker


@pytest.mark.parametrize(("want", "woken"), [(9, []), (3, []), (2, [(QUEUE, 1)]), (0, [(QUEUE, 3)])])
async def test_idle_sessions_are_woken_for_what_is_left(
    rig: Rig, other_store: Store, want: int, woken: list[tuple[str, int]]
) -> None:
    """Another coordinator's session that waits hears of what the call did not grant itself, and of nothing else."""
    await rig.submit(chain(call("a"), group(*calls(3))))
    worker = await rig.ready()
    await worker.take()
    await waits(rig)
    idle = f"gesso:{{0}}:i:{NAMESPACE}:{QUEUE}"
    await rig.store.redis.sadd(idle, "c2")

    reply: Exchanged = await worker.report(*worker.held, want=want)

    assert [(wake.queue, wake.count) for wake in reply.duties.wakes] == woken
    assert bool(await rig.store.redis.sismember(idle, "c2")) == (not woken)
    assert other_store.partitions
