"""Sessions, grants and tokens: what is handed out, again, taken back, and who is to blame."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence

import pytest

from gesso_server.store.calls import Frame, Grant, Reported
from gesso_server.store.records import State
from integration.store.scripts.rig import Rig, Worker, name, token
from support.trees import call, calls, chain, chord, group

LIMIT_SECONDS = 10


async def ready(
    rig: Rig, *, queues: Sequence[str] = ("default",), tasks: Sequence[str] = ("add", "mul")
) -> Worker:
    """Return a worker that has said hello."""
    worker = rig.worker(queues=queues, tasks=tasks)
    assert (await worker.hello()).accepted
    return worker


async def swept_until_gone(rig: Rig, worker: Worker) -> None:
    """Sweep until the store has let a session go."""
    async with asyncio.timeout(LIMIT_SECONDS):
        while await rig.store.redis.exists(f"gesso:{{0}}:s:{worker.session}"):
            await rig.sweep()


async def test_canvases_of_a_queue_are_served_in_turn(rig: Rig) -> None:
    """Three steps do not wait behind a thousand."""
    await rig.submit(group(*calls(1000, "long")))
    await rig.submit(group(*calls(3, "short")))
    worker = await ready(rig)

    names = await worker.names(8)

    assert Counter(found.rstrip("0123456789") for found in names) == {"long": 5, "short": 3}


async def test_canvases_take_turns_one_by_one(rig: Rig) -> None:
    """A worker with one slot gets from each canvas in turn."""
    for prefix in "abc":
        await rig.submit(group(*calls(2, prefix)))
    worker = await ready(rig)

    assert [(await worker.names())[0] for _ in range(6)] == ["a0", "b0", "c0", "a1", "b1", "c1"]


async def test_higher_priorities_are_served_first(rig: Rig) -> None:
    """Within a queue nothing of a lower priority is handed out while something of a higher one waits."""
    members = [call(f"p{priority}", priority=priority) for priority in (4, 0, 9, 5)]
    await rig.submit(group(*members))
    worker = await ready(rig)

    assert await worker.names(9) == ["p9", "p5", "p4", "p0"]


async def test_worker_gets_work_of_its_queues_only(rig: Rig) -> None:
    """What waits in another queue stays there."""
    await rig.submit(group(call("here", queue="q1"), call("there", queue="q2")))
    worker = await ready(rig, queues=("q1", "q3"))

    assert await worker.names(5) == ["here"]


async def test_ready_nodes_of_a_canvas_are_served_in_order(rig: Rig) -> None:
    """Members come in member order, and what was given back comes first again."""
    await rig.submit(group(*calls(5)))
    worker = await ready(rig)
    first, second = await worker.take(2)

    await worker.give_back(second)
    await worker.give_back(first)

    assert await worker.names(9) == ["m0", "m1", "m2", "m3", "m4"]


async def test_unknown_task_is_parked_while_others_are_served(rig: Rig) -> None:
    """A task that the worker does not know delays nothing behind it, and is delivered when one knows it."""
    await rig.submit(group(call("strange0", task="strange"), *calls(3), call("strange1", task="strange")))
    first = await ready(rig)

    assert await first.names(9) == ["m0", "m1", "m2"]
    second = await ready(rig, tasks=("strange",))
    assert await second.names(9) == ["strange0", "strange1"]


async def test_parked_tasks_keep_their_order(rig: Rig) -> None:
    """Tasks that waited for a worker that knows them are handed out in the order they were in."""
    canvas = group(*(call(f"{at}", task="strange" if at % 3 else "weird") for at in range(12)))
    await rig.submit(canvas)
    await (await ready(rig)).take(20)
    worker = await ready(rig, tasks=("strange",))

    assert await worker.names(20) == [f"{at}" for at in range(12) if at % 3]


async def test_worker_that_knows_a_parked_task_is_woken(rig: Rig) -> None:
    """Parking a task wakes every idle session of the queue, since nobody knows which one knows it."""
    for tasks in (("add",), ("mul",), ("strange",)):
        await (await ready(rig, tasks=tasks)).take(1)
    await rig.submit(call("s", task="strange"))

    reply = await (await ready(rig, tasks=("add",))).exchange(want=1)

    assert not reply.grants
    assert sum(wake.count for wake in reply.duties.wakes) > 1000


async def test_sweep_reminds_of_parked_tasks(rig: Rig) -> None:
    """A lost wake-up for a parked task is made up for by the sweep, as for any other."""
    await rig.submit(call("s", task="strange"))
    await (await ready(rig)).take(1)
    idle = [("default", "default")]
    await rig.sweep(idle=idle)

    swept = await rig.sweep(idle=idle)

    assert [(wake.namespace, wake.queue) for wake in swept.duties.wakes] == idle


async def test_many_unknown_tasks_are_parked_in_bounded_calls(rig: Rig) -> None:
    """However many tasks nobody knows are in front, one call looks at a bounded number, and says that there is more."""
    members = [call(f"x{number}", task=f"task{number}") for number in range(3000)]
    await rig.submit(group(*members, call("known")))
    await rig.settle()  # so many names reach their queue in slices
    worker = await ready(rig)

    replies = [await worker.exchange(want=1)]
    while not replies[-1].grants:
        assert replies[-1].more
        replies.append(await worker.exchange(want=1))

    assert [name(grant) for grant in replies[-1].grants] == ["known"]
    assert len(replies) > 2


async def test_repeated_call_returns_the_same_grants(rig: Rig) -> None:
    """A call whose answer was lost is repeated with the same number: same tasks, same tokens, nothing leased twice."""
    canvas = await rig.submit(group(*calls(6)))
    worker = await ready(rig)
    first = await worker.exchange(want=3)

    again = await worker.exchange(want=3, seq=worker.seq)

    assert list(map(token, again.grants)) == list(map(token, first.grants))
    assert len(first.grants) == 3
    assert (await rig.states(canvas)).count("G") == 3
    assert await worker.names(9) == ["m3", "m4", "m5"]


async def test_repeated_call_says_that_there_is_more(rig: Rig) -> None:
    """A repeat says as the first answer did that work is left, so that nobody waits for a sweep to be told."""
    await rig.submit(group(*calls(6)))
    worker = await ready(rig)
    first = await worker.exchange(want=3)

    again = await worker.exchange(want=3, seq=worker.seq)

    assert (first.more, again.more) == (True, True)


async def test_late_copy_of_a_call_leases_nothing(rig: Rig) -> None:
    """A copy of a call that comes after later ones were answered hands out nothing: nobody would learn of it."""
    canvas = await rig.submit(group(*calls(6)))
    worker = await ready(rig)
    await worker.exchange(want=1)
    await worker.exchange(want=1)

    late = await worker.exchange(want=3, seq=1)
    again = await worker.exchange(want=1, seq=2)

    assert (late.status, late.grants) == ("O", [])
    assert list(map(token, again.grants)) == [token(worker.held[1])]
    assert (await rig.states(canvas)).count("G") == 2


async def test_repeated_call_applies_reports_once(rig: Rig) -> None:
    """A repeated frame answers that its reports were applied before, and counts nothing twice."""
    canvas = await rig.submit(chord(calls(2), call("body")))
    worker = await ready(rig)
    one, two = await worker.take(2)
    frame = Frame(reported=[Reported(token(one), "v", b"1")])

    first = await worker.exchange(frame)
    again = await worker.exchange(frame, seq=worker.seq)

    assert (first.answers, again.answers) == ("A", "D")
    assert (await rig.look(canvas))[1][0].ended == 1
    assert (await worker.report(two, want=1)).grants


async def test_call_of_an_older_epoch_leases_nothing(rig: Rig) -> None:
    """A connection that was replaced can still report, and gets no work."""
    canvas = await rig.submit(group(*calls(2)))
    worker = await ready(rig)
    (grant,) = await worker.take()
    old = Worker(rig, worker.session, worker.queues, worker.tasks, epoch=1, seq=1)
    await worker.hello(held=[grant])

    reply = await old.report(grant, want=5)

    assert (reply.status, reply.answers, reply.grants) == ("E", "A", [])
    assert await rig.states(canvas) == "OSW"


async def test_hello_of_an_older_epoch_is_refused(rig: Rig) -> None:
    """A hello that comes late does not replace a newer connection."""
    worker = await ready(rig)
    await worker.hello()

    assert not (await worker.hello(epoch=1)).accepted
    assert not (await worker.hello(epoch=2)).accepted


async def test_call_of_an_unknown_session_leases_nothing(rig: Rig) -> None:
    """Without a hello there is no work."""
    await rig.submit(call("a"))
    worker = rig.worker()

    assert ((await worker.exchange(want=1)).status, worker.held) == ("U", [])


async def test_hello_agrees_on_what_is_held(rig: Rig) -> None:
    """What the worker lost is sent again with its token, what it may not hold is dropped; nothing is counted."""
    canvas = await rig.submit(group(*calls(4)))
    worker = await ready(rig)
    kept, lost, returned = await worker.take(3)
    await worker.give_back(returned)

    welcomed = await worker.hello(held=[returned, kept])

    assert welcomed.drops == [0]
    assert list(map(token, welcomed.grants)) == [token(lost)]
    _, records = await rig.look(canvas)
    assert [record.deliveries for record in records] == [0, 1, 1, 0, 0]


async def test_expired_session_loses_its_tasks(rig: Rig) -> None:
    """When a lease is over, what was running counts a crash, all of it counts as delivered, and both go back."""
    canvas = await rig.submit(group(*calls(2)))
    worker = rig.worker()
    await worker.hello(lease_ms=0)
    running, waiting = await worker.take(2)
    await worker.start(running)

    await swept_until_gone(rig, worker)

    _, (_, first, second) = await rig.look(canvas)
    assert (first.state, first.deliveries, first.crashes) == (State.WAITING, 1, 1)
    assert (second.state, second.deliveries, second.crashes) == (State.WAITING, 1, 0)
    late = await worker.report(running, waiting, want=5)
    assert (late.status, late.answers, late.grants) == ("U", "SS", [])
    other = await ready(rig)
    assert [token(grant)[:3] for grant in await other.take(9)] == [(canvas.id, 1, 2), (canvas.id, 2, 2)]


async def test_renewed_session_keeps_its_tasks(rig: Rig) -> None:
    """A renewal moves the end of the lease; a session that is gone is reported as unknown."""
    await rig.submit(call("a"))
    worker = rig.worker()
    await worker.hello(lease_ms=0)
    await worker.take()

    unknown, _ = await rig.partition.renew([worker.session, "nobody"], lease_ms=60_000)
    await rig.settle()

    assert unknown == ["nobody"]
    assert (await worker.report(*worker.held)).answers == "A"


async def crash(rig: Rig, worker: Worker, *running: Grant) -> Worker:
    """Replace a worker whose process died, naming what was running in it."""
    other = rig.worker()
    await other.hello(dead=[(worker.session, list(map(token, running)))])
    return other


async def test_dead_sessions_blame_what_was_running_in_them(rig: Rig) -> None:
    """The child that replaces a dead one says what was running: that alone counts a crash, all of it is redelivered."""
    canvas = await rig.submit(group(*calls(3)))
    worker = await ready(rig)
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
    worker = await ready(rig)
    (old,) = await worker.take()
    await worker.give_back(old)
    await worker.take()

    await crash(rig, worker, old)

    assert (await rig.record(canvas, "a")).crashes == 0


async def lapse(rig: Rig, worker: Worker) -> None:
    """Let the grace time of a session pass before anybody says what became of it."""
    await rig.partition.leave(worker.id, grace_ms=0)
    await swept_until_gone(rig, worker)


async def test_crash_that_is_told_after_the_session_had_ended_counts_once(rig: Rig) -> None:
    """Its process's parent may be late: what was running counts a crash, what had not begun was not delivered."""
    canvas = await rig.submit(group(*calls(2)))
    worker = await ready(rig)
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
    worker, other = await ready(rig), await ready(rig)
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
    worker = await ready(rig)
    (grant,) = await worker.take()
    await worker.start(grant)
    await lapse(rig, worker)

    await crash(rig, worker, grant)

    record = await rig.record(canvas, "a")
    assert (record.deliveries, record.crashes) == (1, 1)


async def test_third_crash_is_the_last_however_late_it_is_told(rig: Rig) -> None:
    """A task that ends its process at once is dead after three, also if its sessions ended before anybody knew why."""
    canvas = await rig.submit(call("poison"))
    worker = await ready(rig)
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
    worker, other = await ready(rig), await ready(rig)
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
        worker = await ready(rig)
        assert len(await worker.take()) == 1
        await lapse(rig, worker)

    record = await rig.record(canvas, "a")
    assert (record.state, record.deliveries, record.crashes) == (State.DEAD, 20, 0)


async def test_third_crash_is_the_last(rig: Rig) -> None:
    """A task whose workers died three times is dead, the canvas fails, and the queue goes on."""
    canvas = await rig.submit(chain(call("poison"), call("b")))
    await rig.submit(call("other"))
    worker = await ready(rig)
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


async def test_suspect_is_delivered_alone(rig: Rig) -> None:
    """After two crashes a task is handed to a session that holds nothing, and nothing is handed out beside it."""
    await rig.submit(call("poison"))
    worker = await ready(rig)
    for _ in range(2):
        (grant,) = await worker.take()
        await worker.start(grant)
        worker = await crash(rig, worker, grant)
    await rig.submit(group(*calls(3)))

    assert await worker.names(5) == ["poison"]
    assert await worker.names(5) == []
    await worker.report(*worker.held)
    assert await worker.names(5) == ["m0", "m1", "m2"]


async def test_session_that_is_busy_gets_no_suspect(rig: Rig) -> None:
    """A suspect waits for a session that holds nothing."""
    await rig.submit(call("poison"))
    worker = await ready(rig)
    for _ in range(2):
        (grant,) = await worker.take()
        await worker.start(grant)
        worker = await crash(rig, worker, grant)
    busy = await ready(rig, queues=("other", "default"))
    await rig.submit(call("a", queue="other", priority=9))
    assert await busy.names(1) == ["a"]

    assert await busy.names(5) == []
    assert await (await ready(rig)).names(5) == ["poison"]


async def test_goodbye_gives_everything_back(rig: Rig) -> None:
    """A worker that says goodbye counts no crash, and what it holds is handed out at once."""
    canvas = await rig.submit(group(*calls(2)))
    worker = await ready(rig)
    one, _ = await worker.take(2)
    await worker.start(one)

    await rig.partition.leave(worker.id, grace_ms=None)

    assert await (await ready(rig)).names(5) == ["m0", "m1"]
    assert [record.crashes for record in (await rig.look(canvas))[1]] == [0, 0, 0]


async def test_broken_connection_leaves_time_to_return(rig: Rig) -> None:
    """Within the grace time a session comes back to what it holds; after it, others get it."""
    await rig.submit(group(*calls(2)))
    worker = await ready(rig)
    await worker.take(2)

    await rig.partition.leave(worker.id, grace_ms=60_000)
    await rig.settle()
    assert await (await ready(rig)).names(5) == []
    await rig.partition.leave(worker.id, grace_ms=0)
    await swept_until_gone(rig, worker)

    assert await (await ready(rig)).names(5) == ["m0", "m1"]


async def test_leave_of_an_older_connection_changes_nothing(rig: Rig) -> None:
    """A stream that ends late does not end the session's new one."""
    await rig.submit(call("a"))
    worker = await ready(rig)
    old = worker.id
    await worker.hello()
    await worker.take()

    await rig.partition.leave(old, grace_ms=None)

    assert (await worker.report(*worker.held)).answers == "A"


async def test_rejected_task_is_delivered_again_and_not_for_ever(rig: Rig) -> None:
    """A task that is rejected to be delivered again is dead after twenty deliveries."""
    canvas = await rig.submit(call("a"))
    worker = await ready(rig)

    for _ in range(20):
        (grant,) = await worker.take()
        await worker.report(grant, kind="q")

    assert await worker.take() == []
    assert await rig.states(canvas) == "D"


async def test_thousands_of_reports_in_one_call(rig: Rig) -> None:
    """A worker that comes back after a long outage may report everything it held in one call."""
    canvas = await rig.submit(group(*calls(9000)))
    worker = await ready(rig)
    while len(worker.held) < 9000:
        assert await worker.take(1000)

    reply = await worker.report(*list(worker.held))
    await rig.settle()

    assert reply.answers == "A" * 9000
    assert (await rig.look(canvas))[0].left == 0


@pytest.mark.parametrize(("kind", "states"), [("e", "SFF"), ("i", "SII")])
async def test_end_of_a_body_is_its_own(rig: Rig, kind: str, states: str) -> None:
    """A body that fails or is ignored leaves its header as it is."""
    canvas = await rig.submit(chain(chord([call("a")], call("b")), call("c")))
    worker = await ready(rig)
    await worker.report(*await worker.take())

    await worker.report(*await worker.take(), kind=kind)

    found = await rig.states(canvas)
    assert found == states[0] * 2 + states[1] + states[2].replace("F", "U")


async def test_parent_of_a_body_with_an_empty_header_is_the_step_before(rig: Rig) -> None:
    """Nothing of the header came last, so the task before the chord is the parent."""
    await rig.submit(chain(call("a"), chord([], call("b"))))
    worker = await ready(rig)
    await worker.report(*await worker.take())

    (body,) = await worker.take()

    assert (name(body), body.parent) == ("b", 0)


async def test_parent_of_a_body_is_the_member_that_came_last(rig: Rig) -> None:
    """Whichever header task finished last is the body's parent."""
    await rig.submit(chord(calls(3), call("body")))
    worker = await ready(rig)
    one, two, three = await worker.take(3)
    for grant in (three, one, two):
        await worker.report(grant)

    (body,) = await worker.take()

    assert body.parent == two.index
