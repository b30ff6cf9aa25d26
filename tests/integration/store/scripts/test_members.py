"""Members that come later: however scattered they lie, and whatever was decided about their group before."""

from __future__ import annotations

import pytest

from gesso_server.dispatch.growth import Growing
from gesso_server.ids import NodeRef
from gesso_server.plan import Counts, Group, JoinNode, Policy
from gesso_server.store.calls import Frame, Reported
from gesso_server.store.records import Record, parse_record
from integration.store.scripts.reruns import again
from integration.store.scripts.rig import NAMESPACE, Canvas, Rig, Worker, name, token
from support.trees import call, calls, chain, chord, group

KEPT = Policy(counts=Counts.SETTLED)
"""Of a group that stays one inside another."""
FIRST = Policy(counts=Counts.QUORUM, need=1, cancel_rest=True)


@pytest.fixture
async def worker(rig: Rig) -> Worker:
    """A worker that has said hello."""
    worker = rig.worker()
    await worker.hello()
    return worker


async def records(rig: Rig, canvas: Canvas) -> list[Record]:
    """Return all nodes of a canvas, also those that came to it."""
    found = await rig.partition.look(NAMESPACE, canvas.id)
    assert found is not None
    count = found[0].node_count
    records: list[Record] = []
    for at in range(0, count, 1000):
        part = await rig.partition.look(NAMESPACE, canvas.id, range(at, min(at + 1000, count)))
        assert part is not None
        records += [parse_record(node.record) for node in part[1] if node]
    return records


async def states(rig: Rig, canvas: Canvas) -> str:
    """Return the letters of all of them."""
    return "".join(record.state for record in await records(rig, canvas))


async def left(rig: Rig, canvas: Canvas) -> int:
    """Return how many nodes have not ended."""
    found = await rig.partition.look(NAMESPACE, canvas.id)
    assert found is not None
    return found[0].left


async def revoke(rig: Rig, canvas: Canvas, index: int) -> None:
    """Revoke a node, and see it through."""
    await rig.coordinator.cancellations.nodes(NAMESPACE, [NodeRef(canvas.id, index)], terminate=False)
    await rig.settle()


async def grown(rig: Rig, first: Group, *more: Group) -> tuple[Canvas, Growing]:
    """Submit groups that grow, side by side."""
    canvas = await rig.submit(group(first, *more) if more else first)
    return canvas, rig.coordinator.growing(canvas.id, NAMESPACE, canvas.plan)


def group_of(canvas: Canvas, number: int = 0) -> int:
    """Return the index of the group that grows by this number."""
    return next(
        index
        for index, node in enumerate(canvas.plan.nodes)
        if isinstance(node, JoinNode) and node.open_index == number
    )


# --- scattered -------------------------------------------------------------------------------------------


async def test_group_is_revoked_however_scattered_its_members_lie(rig: Rig, worker: Worker) -> None:
    """Two groups that grow in turn have 190 runs each: all of the one is revoked, and nothing of the other."""
    count = 190
    canvas, growing = await grown(rig, Group((), KEPT, open_index=0), Group((), KEPT, open_index=1))
    first = group_of(canvas)
    for number in range(count):
        await growing.add(0, (call(f"a{number}"),), sealed=False)
        await growing.add(1, (call(f"b{number}"),), sealed=False)

    await revoke(rig, canvas, first)

    found = "".join(record.state for record in await records(rig, canvas) if not record.join)
    assert (found.count("V"), found.count("W"), len(found)) == (count, count, 2 * count)
    await growing.seal()
    assert sorted(await worker.drain()) == sorted(f"b{number}" for number in range(count))
    assert await left(rig, canvas) == 0


async def test_scattered_members_are_revoked_in_bounded_calls(rig: Rig) -> None:
    """What one call does not reach stands in the work list."""
    canvas, growing = await grown(rig, Group((), KEPT, open_index=0), Group((), KEPT, open_index=1))
    for number in range(190):
        await growing.add(0, tuple(calls(8, f"a{number}.")), sealed=False)
        await growing.add(1, (call(f"b{number}"),), sealed=False)
    first = group_of(canvas)

    _, duties = await rig.partition.cancel_node(NAMESPACE, canvas.id, first, terminate=False)

    assert duties.work
    assert (await states(rig, canvas)).count("V") <= 600
    assert await rig.settle() > 2
    assert (await states(rig, canvas)).count("V") == 1520


async def test_scattered_members_are_known_to_the_canvas_that_runs_them_again(rig: Rig) -> None:
    """A group of a canvas that is run again is revoked with all of them, too."""
    canvas, growing = await grown(rig, Group((), KEPT, open_index=0), Group((), KEPT, open_index=1))
    for number in range(190):
        await growing.add(0, (call(f"a{number}"),), sealed=False)
        await growing.add(1, (call(f"b{number}"),), sealed=False)
    await growing.seal()
    await rig.partition.cancel_canvas(NAMESPACE, canvas.id, terminate=False, forget=False)
    await rig.settle()
    new = await again(rig, canvas)
    first = group_of(canvas)

    await revoke(rig, new, first)

    found = "".join(record.state for record in await records(rig, new) if not record.join)
    assert (found.count("V"), found.count("W")) == (190, 190)


# --- decided ---------------------------------------------------------------------------------------------


async def decided(rig: Rig, worker: Worker, policy: Policy = FIRST) -> tuple[Canvas, Growing]:
    """Return a group that has what it needs, and still grows."""
    canvas, growing = await grown(rig, Group((call("a"), call("b")), policy, open_index=0))
    await growing.add(0, (call("c"),), sealed=False)
    await worker.report(*await worker.take(1))
    await rig.settle()
    return canvas, growing


async def test_members_that_came_before_the_decision_are_cancelled(rig: Rig, worker: Worker) -> None:
    """Those that a stream has brought, too."""
    canvas, _ = await decided(rig, worker)

    assert await states(rig, canvas) == "SSCC"
    assert await worker.take(9) == []


async def test_members_that_come_after_the_decision_end_at_once(rig: Rig, worker: Worker) -> None:
    """None begins, nothing waits for them, and the canvas ends with the stream."""
    canvas, growing = await decided(rig, worker)

    await growing.add(0, (chain(call("d"), call("e")), call("f")), sealed=False)
    await rig.settle()

    assert await states(rig, canvas) == "SSCCCCC"
    assert await worker.take(9) == []
    assert await left(rig, canvas) == 1
    await growing.add(0, (call("g"),), sealed=True)
    found = await rig.partition.look(NAMESPACE, canvas.id)
    assert found is not None
    assert (found[0].state, found[0].left, found[0].node_count) == ("S", 0, 8)


async def test_members_of_a_decided_group_with_turns_take_none(rig: Rig, worker: Worker) -> None:
    """With `max_in_flight` those that wait are cancelled, and those that come are not begun."""
    policy = Policy(counts=Counts.QUORUM, need=1, cancel_rest=True, max_in_flight=1)
    canvas, growing = await decided(rig, worker, policy)
    await growing.add(0, tuple(calls(3)), sealed=False)
    await rig.settle()

    assert await states(rig, canvas) == "SSCCCCC"
    await growing.seal()
    assert await worker.take(9) == []
    assert await left(rig, canvas) == 0


async def test_members_that_a_task_adds_to_a_decided_group_end_at_once(rig: Rig, worker: Worker) -> None:
    """What the task itself returns counts as ever."""
    canvas = await rig.submit(Group((call("a"), call("b")), FIRST))
    one, two = await worker.take(2)
    element = chain(call("x"), call("y"))
    extra = await rig.coordinator.extensions.additions(
        NAMESPACE, NodeRef(canvas.id, two.index), ((0,), None), [element]
    )
    # The winner's report and the addition come together: the addition's attempt is not told yet.
    frame = Frame(reported=[Reported(token(two), "v", b"null", 0, extra), Reported(token(one), "v", b"null")])
    await worker.exchange(frame)
    worker.held.clear()
    await rig.settle()

    assert await states(rig, canvas) == "SSSCC"
    assert await left(rig, canvas) == 0


async def test_members_behind_a_step_that_failed_end_with_it(rig: Rig, worker: Worker) -> None:
    """A group whose step before has failed was not decided: what comes ends as its members do."""
    element = chain(call("before"), Group((call("a"),), FIRST, open_index=0))
    canvas = await rig.submit(element)
    growing = rig.coordinator.growing(canvas.id, NAMESPACE, canvas.plan)
    await worker.report(*await worker.take(), kind="e")

    await growing.add(0, (call("b"),), sealed=True)
    await rig.settle()

    assert await states(rig, canvas) == "FUUU"
    assert await left(rig, canvas) == 0


async def test_members_that_come_to_a_revoked_group_are_revoked(rig: Rig, worker: Worker) -> None:
    """It stands for all its members."""
    canvas, growing = await grown(rig, Group((call("a"),), KEPT, open_index=0))
    await revoke(rig, canvas, 0)

    await growing.add(0, (chain(call("b"), call("c")), call("d")), sealed=True)
    await rig.settle()

    assert (await states(rig, canvas))[1:] == "VVUV"
    assert await left(rig, canvas) == 0
    assert await worker.take(9) == []


async def test_empty_chord_that_comes_to_a_revoked_group_ends_with_it(rig: Rig, worker: Worker) -> None:
    """It would end as it begins, and it never begins: nothing waits for it."""
    canvas, growing = await grown(rig, Group((call("first"),), KEPT, open_index=0))
    await revoke(rig, canvas, group_of(canvas))

    await growing.add(0, (chord((), call("body")),), sealed=False)
    await rig.settle()
    await growing.seal()

    assert await left(rig, canvas) == 0
    assert not await worker.drain()


async def test_revoked_group_can_be_run_again(rig: Rig, worker: Worker) -> None:
    """Its members are wanted again then, those that are added, too."""
    canvas = await rig.submit(group(*calls(2)))
    await revoke(rig, canvas, 0)
    new = await again(rig, canvas)
    (grant,) = await worker.take()
    extra = await rig.coordinator.extensions.additions(
        NAMESPACE, NodeRef(new.id, grant.index), ((0,), None), [call("added")]
    )
    await worker.exchange(Frame(reported=[Reported(token(grant), "v", b"null", 0, extra)]))
    worker.held.clear()

    assert await worker.drain() == ["m1", "added"]
    assert await left(rig, new) == 0


async def test_what_a_decided_group_cancelled_is_not_run_again_for_its_own_sake(
    rig: Rig, worker: Worker
) -> None:
    """Also of what came later: the canvas failed elsewhere."""
    streamed = Group((call("a"), call("b")), FIRST, open_index=0)
    canvas = await rig.submit(group(streamed, call("bad")))
    growing = rig.coordinator.growing(canvas.id, NAMESPACE, canvas.plan)
    await growing.add(0, (chain(call("c"), call("d")),), sealed=False)
    for grant in await worker.take(4):
        kind = {"a": "v", "bad": "e"}.get(name(grant))
        await (worker.report(grant, kind=kind) if kind else worker.give_back(grant))
    await growing.add(0, (call("e", call("linked")),), sealed=True)
    await rig.settle()
    assert await left(rig, canvas) == 0

    await again(rig, canvas)

    assert await worker.drain() == ["bad"]
