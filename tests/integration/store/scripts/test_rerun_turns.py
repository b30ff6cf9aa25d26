"""Joins of which only so many members may be under way, in canvases that are run again."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from gesso_server.plan import Counts, Element, Group, Policy
from gesso_server.store.calls import Frame, Reported
from gesso_server.store.rerun import NothingFailedError
from integration.store.scripts.reruns import again, ref_of, run, value
from integration.store.scripts.rig import NAMESPACE, Rig, Worker, name, token
from support.trees import call, calls, chain, chord


def limited(*members: Element, most: int = 2, **policy: object) -> Group:
    """Return a group of which only so many members may be under way."""
    return Group(members, Policy(max_in_flight=most, **policy))  # type: ignore[arg-type]  # the fields' own types


async def rounds(worker: Worker, *failing: str) -> list[list[str]]:
    """Run everything, all that is handed out at one time together; return the names of each time."""
    found: list[list[str]] = []
    while grants := await worker.take(1000):
        found.append([name(grant) for grant in grants])
        for grant in grants:
            kind = "e" if name(grant) in failing else "v"
            worker.held.remove(grant)
            await worker.exchange(Frame(reported=[Reported(token(grant), kind, name(grant).encode())]))
        await worker.rig.settle()
    return found


LIMITED: dict[str, tuple[Element, Sequence[str], Sequence[Sequence[str]]]] = {
    # the canvas, what fails, and what runs together when it is run again
    "members": (limited(*calls(6)), ["m0", "m1", "m3", "m4", "m5"], [["m0", "m1"], ["m3", "m4"], ["m5"]]),
    "a header": (
        chord([limited(*calls(4), most=1)], call("body")), ["m1", "m2"], [["m1"], ["m2"], ["body"]],
    ),
    "members of several nodes": (
        limited(
            chain(call("a1"), call("a2")), chord(calls(2, "c"), call("c9")), chain(call("b1"), call("b2")), most=1
        ),
        ["a2", "c1", "b1"], [["a2"], ["c1"], ["c9"], ["b1"], ["b2"]],
    ),
    "a join inside a join": (
        limited(*(limited(*calls(3, prefix), most=1) for prefix in "abc"), most=2),
        ["a1", "a2", "b0", "b2", "c1", "c2"], [["a1", "b0"], ["a2", "b2"], ["c1"], ["c2"]],
    ),
    "what was never opened": (
        chain(call("first"), limited(*calls(3), limited(*calls(2, "n"), most=1), most=1), call("last")),
        ["first"], [["first"], ["m0"], ["m1"], ["m2"], ["n0"], ["n1"], ["last"]],
    ),
    "behind a chord that failed": (
        chain(chord(calls(2, "h"), call("body")), limited(*calls(3))),
        ["h0"], [["h0"], ["body"], ["m0", "m1"], ["m2"]],
    ),
    "a quorum": (
        chain(limited(*calls(5), most=1, counts=Counts.QUORUM, need=3), call("b")),
        ["m0", "m2", "m4"], [["m0"], ["m2", "b"], ["m4"]],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("element", "failing", "expected"), LIMITED.values(), ids=LIMITED)
async def test_limit_of_a_join_holds_when_it_is_run_again(
    rig: Rig, element: Element, failing: Sequence[str], expected: Sequence[Sequence[str]]
) -> None:
    """So many members of what is run again are under way, in order, from the step that failed; also the second time."""
    canvas = await rig.submit(element)
    worker = rig.worker()
    await worker.hello()
    await rounds(worker, *failing)

    second = await again(rig, canvas)
    await rounds(worker, *failing)
    third = await again(rig, second)

    assert await rounds(worker) == expected
    assert set(await rig.states(third)) == {"S"}
    assert (await rig.look(third))[0].left == 0
    assert third.accepted.last is not None
    assert await value(rig, third, third.accepted.last) == await _undisturbed(rig, worker, element)


async def _undisturbed(rig: Rig, worker: Worker, element: Element) -> list[bytes]:
    """Return the value of a canvas in which nothing fails; of a quorum, that of what stands behind it."""
    canvas = await rig.submit(element)
    await rounds(worker)
    assert canvas.accepted.last is not None
    return await value(rig, canvas, canvas.accepted.last)


async def test_members_that_waited_for_their_turn_begin_with_it_when_run_again(rig: Rig) -> None:
    """A canvas that was cancelled while one member had ended and one ran, goes on with so many at a time."""
    canvas = await rig.submit(chord([limited(*calls(300), most=2)], call("body")))
    worker = rig.worker()
    await worker.hello()
    one, two = await worker.take(9)
    await worker.report(one)
    await rig.coordinator.cancellations.canvas(NAMESPACE, canvas.id, terminate=False)
    await rig.settle()
    for grant in (two, *await worker.take(9)):
        await worker.report(grant)
    for grant in list(worker.held):
        await worker.report(grant)
    await rig.settle()

    new = await again(rig, canvas)
    found = await rounds(worker)

    assert max(map(len, found)) == 2
    assert [each for part in found for each in part] == [*(f"m{at}" for at in range(1, 300)), "body"]
    assert (await rig.look(new))[0].state == "S"


async def test_members_added_later_keep_the_limit_when_run_again(rig: Rig) -> None:
    """One that a member added to its join, and one that was replaced, begin with their turn."""
    canvas = await rig.submit(limited(*calls(2), most=1))
    worker = rig.worker()
    await worker.hello()
    (grant,) = await worker.take()
    extensions, ref = rig.coordinator.extensions, ref_of(canvas, grant.index)
    added = await extensions.additions(NAMESPACE, ref, ((0,), None), [call("added")])
    await worker.exchange(Frame(reported=[Reported(token(grant), "v", b"m0", 0, added)]))
    (grant,) = await worker.take()
    replacement = await rig.stage_replacement(canvas.id, grant.index, chain(call("r1"), call("r2")))
    await worker.exchange(Frame(reported=[Reported(token(grant), "p", b"", 0, replacement)]))
    assert await run(worker, "r1", "added") == ["r1", "added"]

    new = await again(rig, canvas)

    assert await rounds(worker) == [["r1"], ["r2"], ["added"]]
    assert await value(rig, new, 0) == [b"m0", b"r2", b"added"]


async def test_members_that_a_join_needed_no_more_stay_cancelled(rig: Rig) -> None:
    """Neither they nor their links run again for the sake of a failure behind the join."""
    members = [call(f"m{at}", call(f"link{at}")) for at in range(4)]
    quorum = limited(*members, most=2, counts=Counts.QUORUM, need=1, cancel_rest=True)
    canvas = await rig.submit(chain(quorum, call("b")))
    worker = rig.worker()
    await worker.hello()
    (one, *_) = await worker.take()
    await worker.report(one)
    await run(worker, "b")

    await again(rig, canvas)

    assert await run(worker) == ["b"]


async def test_member_that_its_link_needs_keeps_the_limit_of_a_join_that_has_ended(rig: Rig) -> None:
    """Of a quorum that is taken over, members of a cancelled canvas run again in turn."""
    members = [call(f"m{at}", call(f"link{at}")) for at in range(4)]
    quorum = limited(*members, most=1, counts=Counts.QUORUM, need=1)
    canvas = await rig.submit(quorum)
    worker = rig.worker()
    await worker.hello()
    (one,) = await worker.take()
    await worker.report(one)
    await rig.coordinator.cancellations.canvas(NAMESPACE, canvas.id, terminate=False)
    await rig.settle()
    for grant in list(worker.held):
        await worker.report(grant)

    new = await again(rig, canvas)
    found = await rounds(worker)

    assert all(sum(each.startswith("m") for each in part) <= 1 for part in found)
    assert set(await rig.states(new)) == {"S"}


@pytest.mark.parametrize("seed", range(12))
async def test_limit_holds_wherever_a_canvas_was_cancelled(rig: Rig, seed: int) -> None:
    """Whatever members have ended, run and wait when it is cancelled, run again it keeps every limit and ends well."""
    rng = random.Random(seed)  # noqa: S311  no secret
    most = rng.randrange(1, 4)
    members: list[Element] = []
    for number in range(rng.randrange(2, 9)):
        one, two, three = (call(f"{number}.{part}") for part in range(3))
        shapes: list[Element] = [
            one, chain(one, two), chord([one, two], three), limited(one, two, three, most=1),
            chain(one, chord([two], three)),
        ]  # fmt: skip
        members.append(rng.choice(shapes))
    element = chord([limited(*members, most=most)], call("9.body"))
    canvas = await rig.submit(element)
    worker = rig.worker()
    await worker.hello()

    for _ in range(2):
        for _ in range(rng.randrange(1, 8)):
            await worker.take(rng.randrange(1, 4))
            if worker.held:
                await worker.report(rng.choice(worker.held))
        await rig.coordinator.cancellations.canvas(NAMESPACE, canvas.id, terminate=False)
        await rig.settle()
        await worker.report(*worker.held)
        try:
            canvas = await again(rig, canvas)
        except NothingFailedError:
            return
    while await worker.take(rng.randrange(1, 4)) or worker.held:
        assert len({name(grant).partition(".")[0] for grant in worker.held}) <= most
        await worker.report(rng.choice(worker.held))

    assert set(await rig.states(canvas)) == {"S"}
    assert (await rig.look(canvas))[0].left == 0
