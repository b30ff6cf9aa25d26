"""Processes that die: who is to blame, however late it is told, and what becomes of a task that kills them."""

from __future__ import annotations

from gesso_server.store.calls import Grant
from gesso_server.store.records import State
from integration.store.scripts.rig import Rig, Worker, name, token
from support.trees import call, calls, chain, group


async def crash(rig: Rig, worker: Worker, *running: Grant) -> Worker:
    """Replace a worker whose process died, naming what was running in it."""
    other = rig.worker()
    await other.hello(dead=[(worker.session, list(map(token, running)))])
    return other


async def test_dead_sessions_blame_what_was_running_in_them(rig: Rig) -> None:
    """The child that replaces a dead one says what was running: that alone counts a crash, all of it is redelivered."""
    canvas = await rig.submit(group(*calls(3)))
    worker = await rig.ready()
    one, two, three = await worker.take(3)
    await worker.start(one, two)

    other = await crash(rig, worker, two)

    _, (_, first, second, third) = await rig.look(canvas)
    assert [record.crashes for record in (first, second, third)] == [0, 1, 0]
    assert [record.deliveries for record in (first, second, third)] == [1, 1, 0]
    assert await other.names(9) == ["m0", "m1", "m2"]
    assert (await worker.report(one, two, three)).answers == "SSS"


async def test_dead_session_with_an_old_token_blames_nobody(rig: Rig) -> None:
    """A token that is not the current one is no proof of a crash."""
    canvas = await rig.submit(call("a"))
    worker = await rig.ready()
    (old,) = await worker.take()
    await worker.give_back(old)
    await worker.take()

    await crash(rig, worker, old)

    assert (await rig.record(canvas, "a")).crashes == 0


async def lapse(rig: Rig, worker: Worker) -> None:
    """Let the grace time of a session pass before anybody says what became of it."""
    await rig.partition.leave(worker.id, grace_ms=0)
    await rig.sweep_until_gone(worker)


async def test_crash_that_is_told_after_the_session_had_ended_counts_once(rig: Rig) -> None:
    """Its process's parent may be late: what was running counts a crash, what had not begun was not delivered."""
    canvas = await rig.submit(group(*calls(2)))
    worker = await rig.ready()
    one, _ = await worker.take(2)
    await lapse(rig, worker)
    assert [record.deliveries for record in (await rig.look(canvas))[1]] == [0, 1, 1]

    for _ in range(2):
        await crash(rig, worker, one)

    _, (_, first, second) = await rig.look(canvas)
    assert (first.state, first.deliveries, first.crashes) == (State.WAITING, 1, 1)
    assert (second.state, second.deliveries, second.crashes) == (State.WAITING, 0, 0)
    assert not [key for key in await rig.keys() if ":lapsed:" in key]


async def test_crash_that_is_told_late_counts_for_whoever_has_the_task_now(rig: Rig) -> None:
    """The next delivery goes on under its own token, and the crash before it is not forgotten."""
    canvas = await rig.submit(group(*calls(2)))
    worker, other = await rig.ready(), await rig.ready()
    one, _ = await worker.take(2)
    await lapse(rig, worker)
    await other.take(2)

    await crash(rig, worker, one)

    _, (_, first, second) = await rig.look(canvas)
    assert (first.state, first.deliveries, first.crashes) == (State.GRANTED, 2, 1)
    assert (second.state, second.deliveries, second.crashes) == (State.GRANTED, 2, 0)
    assert (await other.report(*other.held)).answers == "AA"


async def test_crash_that_counted_as_its_session_ended_does_not_count_again(rig: Rig) -> None:
    """What was said to have begun counted a crash when its session ended; the parent says nothing new."""
    canvas = await rig.submit(call("a"))
    worker = await rig.ready()
    (grant,) = await worker.take()
    await worker.start(grant)
    await lapse(rig, worker)

    await crash(rig, worker, grant)

    record = await rig.record(canvas, "a")
    assert (record.deliveries, record.crashes) == (1, 1)


async def test_third_crash_is_the_last_however_late_it_is_told(rig: Rig) -> None:
    """A task that ends its process at once is dead after three, also if its sessions ended before anybody knew why."""
    canvas = await rig.submit(call("poison"))
    worker = await rig.ready()
    for _ in range(3):
        (grant,) = await worker.take()
        await lapse(rig, worker)
        worker = await crash(rig, worker, grant)

    record = await rig.record(canvas, "poison")
    assert (record.state, record.deliveries, record.crashes) == (State.DEAD, 3, 3)
    assert await worker.take() == []


async def test_third_crash_that_is_told_while_the_task_runs_elsewhere_lets_that_end(rig: Rig) -> None:
    """An end that it reports counts; if it hands the task back, that is dead."""
    canvas = await rig.submit(call("poison"))
    worker, other = await rig.ready(), await rig.ready()
    for _ in range(2):
        (grant,) = await worker.take()
        worker = await crash(rig, worker, grant)
    (third,) = await worker.take()
    await lapse(rig, worker)
    (last,) = await other.take()

    await crash(rig, worker, third)
    assert (await rig.record(canvas, "poison")).state == State.GRANTED
    await other.report(last, kind="q")

    record = await rig.record(canvas, "poison")
    assert (record.state, record.deliveries, record.crashes) == (State.DEAD, 4, 3)


async def test_task_whose_sessions_end_untold_is_not_delivered_for_ever(rig: Rig) -> None:
    """Without a parent that could tell, a task whose sessions never return it is dead after twenty deliveries."""
    canvas = await rig.submit(call("a"))
    for _ in range(20):
        worker = await rig.ready()
        assert len(await worker.take()) == 1
        await lapse(rig, worker)

    record = await rig.record(canvas, "a")
    assert (record.state, record.deliveries, record.crashes) == (State.DEAD, 20, 0)


async def test_third_crash_is_the_last(rig: Rig) -> None:
    """A task whose workers died three times is dead, the canvas fails, and the queue goes on."""
    canvas = await rig.submit(chain(call("poison"), call("b")))
    await rig.submit(call("other"))
    worker = await rig.ready()
    for _ in range(3):
        (grant,) = [grant for grant in await worker.take(1) if name(grant) == "poison"] or await worker.take(
            1
        )
        await worker.start(grant)
        worker = await crash(rig, worker, grant)

    assert await rig.states(canvas) == "DU"
    dead = await rig.record(canvas, "poison")
    assert (dead.crashes, dead.deliveries) == (3, 3)
    assert (await rig.look(canvas))[0].state == "F"
    assert await worker.names(5) == ["other"]


async def suspect(rig: Rig) -> Worker:
    """Submit a task that ends two processes; return the worker that takes the place of the second."""
    await rig.submit(call("poison"))
    worker = await rig.ready()
    for _ in range(2):
        (grant,) = await worker.take()
        await worker.start(grant)
        worker = await crash(rig, worker, grant)
    return worker


async def test_suspect_is_delivered_alone(rig: Rig) -> None:
    """After two crashes a task is handed to a session that holds nothing, and nothing is handed out beside it."""
    worker = await suspect(rig)
    await rig.submit(group(*calls(3)))

    assert await worker.names(5) == ["poison"]
    assert await worker.names(5) == []
    await worker.report(*worker.held)
    assert await worker.names(5) == ["m0", "m1", "m2"]


async def test_session_that_is_busy_gets_no_suspect(rig: Rig) -> None:
    """A suspect waits for a session that holds nothing."""
    await suspect(rig)
    busy = await rig.ready("other", "default")
    await rig.submit(call("a", queue="other", priority=9))
    assert await busy.names(1) == ["a"]

    assert await busy.names(5) == []
    assert await (await rig.ready()).names(5) == ["poison"]
