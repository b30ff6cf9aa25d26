"""Sessions, grants and tokens: what is handed out, again, and taken back."""

from __future__ import annotations

from collections import Counter

import pytest

from gesso_server.store.calls import Frame, Reported
from gesso_server.store.records import State
from integration.store.scripts.rig import Rig, Worker, name, token
from support.trees import call, calls, chain, chord, group


async def test_canvases_of_a_queue_are_served_in_turn(rig: Rig) -> None:
    """Three steps do not wait behind a thousand."""
    await rig.submit(group(*calls(1000, "long")))
    await rig.submit(group(*calls(3, "short")))
    worker = await rig.ready()

    names = await worker.names(8)

    assert Counter(found.rstrip("0123456789") for found in names) == {"long": 5, "short": 3}


async def test_canvases_take_turns_one_by_one(rig: Rig) -> None:
    """A worker with one slot gets from each canvas in turn."""
    for prefix in "abc":
        await rig.submit(group(*calls(2, prefix)))
    worker = await rig.ready()

    assert [(await worker.names())[0] for _ in range(6)] == ["a0", "b0", "c0", "a1", "b1", "c1"]


async def test_higher_priorities_are_served_first(rig: Rig) -> None:
    """Within a queue nothing of a lower priority is handed out while something of a higher one waits."""
    members = [call(f"p{priority}", priority=priority) for priority in (4, 0, 9, 5)]
    await rig.submit(group(*members))
    worker = await rig.ready()

    assert await worker.names(9) == ["p9", "p5", "p4", "p0"]


async def test_worker_gets_work_of_its_queues_only(rig: Rig) -> None:
    """What waits in another queue stays there."""
    await rig.submit(group(call("here", queue="q1"), call("there", queue="q2")))
    worker = await rig.ready("q1", "q3")

    assert await worker.names(5) == ["here"]


async def test_ready_nodes_of_a_canvas_are_served_in_order(rig: Rig) -> None:
    """Members come in member order, and what was given back comes first again."""
    await rig.submit(group(*calls(5)))
    worker = await rig.ready()
    first, second = await worker.take(2)

    await worker.give_back(second)
    await worker.give_back(first)

    assert await worker.names(9) == ["m0", "m1", "m2", "m3", "m4"]


async def test_unknown_task_is_parked_while_others_are_served(rig: Rig) -> None:
    """A task that the worker does not know delays nothing behind it, and is delivered when one knows it."""
    await rig.submit(group(call("strange0", task="strange"), *calls(3), call("strange1", task="strange")))
    first = await rig.ready()

    assert await first.names(9) == ["m0", "m1", "m2"]
    second = await rig.ready(tasks=("strange",))
    assert await second.names(9) == ["strange0", "strange1"]


async def test_parked_tasks_keep_their_order(rig: Rig) -> None:
    """Tasks that waited for a worker that knows them are handed out in the order they were in."""
    canvas = group(*(call(f"{at}", task="strange" if at % 3 else "weird") for at in range(12)))
    await rig.submit(canvas)
    await (await rig.ready()).take(20)
    worker = await rig.ready(tasks=("strange",))

    assert await worker.names(20) == [f"{at}" for at in range(12) if at % 3]


async def test_worker_that_knows_a_parked_task_is_woken(rig: Rig) -> None:
    """Parking a task wakes every idle session of the queue, since nobody knows which one knows it."""
    for tasks in (("add",), ("mul",), ("strange",)):
        await (await rig.ready(tasks=tasks)).take(1)
    await rig.submit(call("s", task="strange"))

    reply = await (await rig.ready(tasks=("add",))).exchange(want=1)

    assert not reply.grants
    assert sum(wake.count for wake in reply.duties.wakes) > 1000


async def test_sweep_reminds_of_parked_tasks(rig: Rig) -> None:
    """A lost wake-up for a parked task is made up for by the sweep, as for any other."""
    await rig.submit(call("s", task="strange"))
    await (await rig.ready()).take(1)
    idle = [("default", "default")]
    await rig.sweep(idle=idle)

    swept = await rig.sweep(idle=idle)

    assert [(wake.namespace, wake.queue) for wake in swept.duties.wakes] == idle


async def test_many_unknown_tasks_are_parked_in_bounded_calls(rig: Rig) -> None:
    """However many tasks nobody knows are in front, one call looks at a bounded number, and says that there is more."""
    members = [call(f"x{number}", task=f"task{number}") for number in range(3000)]
    await rig.submit(group(*members, call("known")))
    await rig.settle()  # so many names reach their queue in slices
    worker = await rig.ready()

    replies = [await worker.exchange(want=1)]
    while not replies[-1].grants:
        assert replies[-1].more
        replies.append(await worker.exchange(want=1))

    assert [name(grant) for grant in replies[-1].grants] == ["known"]
    assert len(replies) > 2


async def test_repeated_call_returns_the_same_grants(rig: Rig) -> None:
    """A call whose answer was lost is repeated with the same number: same tasks, same tokens, nothing leased twice."""
    canvas = await rig.submit(group(*calls(6)))
    worker = await rig.ready()
    first = await worker.exchange(want=3)

    again = await worker.exchange(want=3, seq=worker.seq)

    assert list(map(token, again.grants)) == list(map(token, first.grants))
    assert len(first.grants) == 3
    assert (await rig.states(canvas)).count("G") == 3
    assert await worker.names(9) == ["m3", "m4", "m5"]


async def test_repeated_call_says_that_there_is_more(rig: Rig) -> None:
    """A repeat says as the first answer did that work is left, so that nobody waits for a sweep to be told."""
    await rig.submit(group(*calls(6)))
    worker = await rig.ready()
    first = await worker.exchange(want=3)

    again = await worker.exchange(want=3, seq=worker.seq)

    assert (first.more, again.more) == (True, True)


async def test_late_copy_of_a_call_leases_nothing(rig: Rig) -> None:
    """A copy of a call that comes after later ones were answered hands out nothing: nobody would learn of it."""
    canvas = await rig.submit(group(*calls(6)))
    worker = await rig.ready()
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
    worker = await rig.ready()
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
    worker = await rig.ready()
    (grant,) = await worker.take()
    old = Worker(rig, worker.session, worker.queues, worker.tasks, epoch=1, seq=1)
    await worker.hello(held=[grant])

    reply = await old.report(grant, want=5)

    assert (reply.status, reply.answers, reply.grants) == ("E", "A", [])
    assert await rig.states(canvas) == "OSW"


async def test_hello_of_an_older_epoch_is_refused(rig: Rig) -> None:
    """A hello that comes late does not replace a newer connection."""
    worker = await rig.ready()
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
    worker = await rig.ready()
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

    await rig.sweep_until_gone(worker)

    _, (_, first, second) = await rig.look(canvas)
    assert (first.state, first.deliveries, first.crashes) == (State.WAITING, 1, 1)
    assert (second.state, second.deliveries, second.crashes) == (State.WAITING, 1, 0)
    late = await worker.report(running, waiting, want=5)
    assert (late.status, late.answers, late.grants) == ("U", "SS", [])
    other = await rig.ready()
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


async def test_goodbye_gives_everything_back(rig: Rig) -> None:
    """A worker that says goodbye counts no crash, and what it holds is handed out at once."""
    canvas = await rig.submit(group(*calls(2)))
    worker = await rig.ready()
    one, _ = await worker.take(2)
    await worker.start(one)

    await rig.partition.leave(worker.id, grace_ms=None)

    assert await (await rig.ready()).names(5) == ["m0", "m1"]
    assert [record.crashes for record in (await rig.look(canvas))[1]] == [0, 0, 0]


async def test_broken_connection_leaves_time_to_return(rig: Rig) -> None:
    """Within the grace time a session comes back to what it holds; after it, others get it."""
    await rig.submit(group(*calls(2)))
    worker = await rig.ready()
    await worker.take(2)

    await rig.partition.leave(worker.id, grace_ms=60_000)
    await rig.settle()
    assert await (await rig.ready()).names(5) == []
    await rig.partition.leave(worker.id, grace_ms=0)
    await rig.sweep_until_gone(worker)

    assert await (await rig.ready()).names(5) == ["m0", "m1"]


async def test_leave_of_an_older_connection_changes_nothing(rig: Rig) -> None:
    """A stream that ends late does not end the session's new one."""
    await rig.submit(call("a"))
    worker = await rig.ready()
    old = worker.id
    await worker.hello()
    await worker.take()

    await rig.partition.leave(old, grace_ms=None)

    assert (await worker.report(*worker.held)).answers == "A"


async def test_rejected_task_is_delivered_again_and_not_for_ever(rig: Rig) -> None:
    """A task that is rejected to be delivered again is dead after twenty deliveries."""
    canvas = await rig.submit(call("a"))
    worker = await rig.ready()

    for _ in range(20):
        (grant,) = await worker.take()
        await worker.report(grant, kind="q")

    assert await worker.take() == []
    assert await rig.states(canvas) == "D"


async def test_thousands_of_reports_in_one_call(rig: Rig) -> None:
    """A worker that comes back after a long outage may report everything it held in one call."""
    canvas = await rig.submit(group(*calls(9000)))
    worker = await rig.ready()
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
    worker = await rig.ready()
    await worker.report(*await worker.take())

    await worker.report(*await worker.take(), kind=kind)

    found = await rig.states(canvas)
    assert found == states[0] * 2 + states[1] + states[2].replace("F", "U")


async def test_parent_of_a_body_with_an_empty_header_is_the_step_before(rig: Rig) -> None:
    """Nothing of the header came last, so the task before the chord is the parent."""
    await rig.submit(chain(call("a"), chord([], call("b"))))
    worker = await rig.ready()
    await worker.report(*await worker.take())

    (body,) = await worker.take()

    assert (name(body), body.parent) == ("b", 0)


async def test_parent_of_a_body_is_the_member_that_came_last(rig: Rig) -> None:
    """Whichever header task finished last is the body's parent."""
    await rig.submit(chord(calls(3), call("body")))
    worker = await rig.ready()
    one, two, three = await worker.take(3)
    for grant in (three, one, two):
        await worker.report(grant)

    (body,) = await worker.take()

    assert body.parent == two.index
