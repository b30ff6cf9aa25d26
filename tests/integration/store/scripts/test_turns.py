"""`max_in_flight`: members of a join wait for their turn."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

import pytest

from gesso_server.plan import Call, Chain, Chord, Counts, Element, Group, Policy
from gesso_server.store.calls import Frame, Grant, Reported
from integration.store.scripts.rig import NAMESPACE, Rig, Worker, name, token
from support.keyspace import Keyspace
from support.store_invariants import check
from support.trees import call, calls, chain, chord, group


def limited(*members: Element, most: int = 2, **policy: object) -> Group:
    """Return a group of which only so many members may be under way."""
    return Group(members, Policy(max_in_flight=most, **policy))  # type: ignore[arg-type]  # the fields' own types


def whole(*members: Element) -> Group:
    """Return a group that stays one inside another."""
    return Group(members, Policy(counts=Counts.SETTLED))


async def work(
    worker: Worker, *, failing: Sequence[str] = (), ignored: Sequence[str] = ()
) -> list[list[str]]:
    """Run everything, all that is handed out at one time together; return the names of each time."""
    rounds: list[list[str]] = []
    while grants := await worker.take(1000):
        rounds.append([name(grant) for grant in grants])
        for grant in grants:
            kind = "e" if name(grant) in failing else "i" if name(grant) in ignored else "v"
            await worker.report(grant, kind=kind)
        await worker.rig.settle()
    return rounds


async def test_who_waits_for_a_turn_is_in_no_queue(rig: Rig) -> None:
    """Between any two calls a member stands in a queue or among those that wait for their turn, never in both."""
    members: list[Element] = [*calls(2), Chain(tuple(calls(2, "step"))), whole(*calls(2, "inner"))]
    await rig.submit(limited(*members, most=1, counts=Counts.QUORUM, need=3, cancel_rest=True))
    worker = await rig.ready()
    taken = 0

    while check(await Keyspace.read(rig.store.redis))[0].left:
        await worker.report(*await worker.take(9))
        await rig.settle()
        taken += 1

    assert taken == 4


async def test_so_many_members_are_under_way_and_no_more(rig: Rig) -> None:
    """Members begin in order, a new one when one has ended."""
    await rig.submit(limited(*calls(5)))
    worker = await rig.ready()
    first, second = await worker.take(9)

    assert [name(first), name(second)] == ["m0", "m1"]
    assert await worker.names(9) == []
    await worker.report(second)
    assert await worker.names(9) == ["m2"]
    await worker.report(first)
    assert await worker.names(9) == ["m3"]


async def test_members_of_any_kind_take_one_place_each(rig: Rig) -> None:
    """A chain, a group and a chord are one member, from their first node to their last."""
    canvas = limited(
        chain(call("a1"), call("a2")), whole(call("b1"), call("b2")), chord(calls(2, "c"), call("c9")), call("d"),
        most=1,
    )  # fmt: skip
    await rig.submit(canvas)

    assert await work(await rig.ready()) == [["a1"], ["a2"], ["b1", "b2"], ["c0", "c1"], ["c9"], ["d"]]


async def test_limits_are_nested(rig: Rig) -> None:
    """A limited group inside a limited group keeps its own limit."""
    inner = [limited(*calls(3, prefix), most=1) for prefix in "abc"]
    submitted = await rig.submit(chord([limited(*inner, most=2)], call("body")))

    rounds = await work(await rig.ready())

    assert rounds == [["a0", "b0"], ["a1", "b1"], ["a2", "b2"], ["c0"], ["c1"], ["c2"], ["body"]]
    assert set(await rig.states(submitted)) == {"S"}


async def test_header_goes_on_after_a_failure(rig: Rig) -> None:
    """After a failed member the others still have their turn, as those of a header without a limit run on."""
    submitted = await rig.submit(Chord(tuple(calls(4)), call("body"), Policy(max_in_flight=1)))

    rounds = await work(await rig.ready(), failing=["m1"])

    assert rounds == [["m0"], ["m1"], ["m2"], ["m3"]]
    assert await rig.states(submitted) == "FSFSSF"


async def test_ignored_member_gives_its_place_up(rig: Rig) -> None:
    """An ignored member ends the join as ignored, and the others still have their turn."""
    submitted = await rig.submit(limited(*calls(3), most=1))

    assert await work(await rig.ready(), ignored=["m0"]) == [["m0"], ["m1"], ["m2"]]
    assert await rig.states(submitted) == "IISS"


@pytest.mark.parametrize(("state", "left"), [("e", "U"), ("i", "I")])
async def test_members_behind_a_step_that_did_not_succeed_end_with_it(
    rig: Rig, state: str, left: str
) -> None:
    """When the control edge closes, no member has its turn, and each ends as the step before it did."""
    members: list[Element] = [call("x"), whole(call("y"), call("z")), limited(*calls(2), most=1)]
    submitted = await rig.submit(chain(call("first"), limited(*members, most=1), call("last")))
    worker = await rig.ready()
    (first,) = await worker.take()

    await worker.report(first, kind=state)

    assert await worker.names(9) == []
    assert set((await rig.states(submitted))[1:]) == {left}
    assert (await rig.look(submitted))[0].left == 0


async def test_members_behind_a_failed_join_fail_by_themselves(rig: Rig) -> None:
    """Members that would have begun with their turn fail as a chord's body does."""
    unlimited = chord(calls(2, "h"), group(*calls(2)))
    states = []
    for body in (unlimited.body, limited(*calls(2), most=1)):
        submitted = await rig.submit(chord(calls(2, "h"), body))
        await work(await rig.ready(), failing=["h0"])
        states.append(await rig.states(submitted))

    assert states[0] == states[1]


async def test_quorum_cancels_those_whose_turn_has_not_come(rig: Rig) -> None:
    """With `cancel_rest` members that are no longer needed never begin."""
    policy: dict[str, object] = {"counts": Counts.QUORUM, "need": 2, "cancel_rest": True}
    submitted = await rig.submit(limited(*calls(2000), most=1, **policy))

    rounds = await work(await rig.ready())

    assert rounds == [["m0"], ["m1"]]
    assert (await rig.states(submitted)) == "SSS" + "C" * 1998
    assert (await rig.look(submitted))[0].left == 0


async def test_quorum_lets_the_rest_run_in_turn(rig: Rig) -> None:
    """Without `cancel_rest` the members that are no longer needed run on, one at a time."""
    submitted = await rig.submit(limited(*calls(4), most=1, counts=Counts.QUORUM, need=1))

    assert await work(await rig.ready()) == [[f"m{at}"] for at in range(4)]
    assert await rig.states(submitted) == "SSSSS"


async def test_retried_member_keeps_its_place(rig: Rig) -> None:
    """Between two attempts of a member no other has its turn."""
    await rig.submit(limited(*calls(2), most=1))
    worker = await rig.ready()
    (grant,) = await worker.take()
    worker.held.remove(grant)

    await worker.exchange(Frame(reported=[Reported(token(grant), "y", b"", 60_000, "3")]))

    assert await worker.names(9) == []


async def test_dead_member_gives_its_place_up(rig: Rig) -> None:
    """Behind a member that was given up, since its worker died, the others still have their turn."""
    once = replace(call("once"), timing="m")
    submitted = await rig.submit(limited(once, *calls(2), most=1))
    dying = await rig.ready()
    (grant,) = await dying.take()
    await dying.start(grant)

    await rig.worker().hello(dead=[(dying.session, [token(grant)])])

    assert await work(await rig.ready()) == [["m0"], ["m1"]]
    assert await rig.states(submitted) == "FDSS"
    assert len((await rig.partition.dead_tasks(NAMESPACE, until_ms=None, most=9))[1]) == 1


async def test_cancelled_canvas_begins_no_member(rig: Rig) -> None:
    """Cancelling ends the members that wait, and leaves nothing behind in the store."""
    submitted = await rig.submit(limited(*calls(600), most=1))
    worker = await rig.ready()
    (grant,) = await worker.take()

    await rig.partition.cancel_canvas(NAMESPACE, submitted.id, terminate=False, forget=True)
    await rig.settle()
    await worker.report(grant)
    await rig.settle()

    assert await worker.names(9) == []
    assert not {key for key in await rig.keys() if submitted.id in key}


async def test_member_revoked_before_its_turn_gives_no_place_up(rig: Rig) -> None:
    """Revoking a member that waits lets no other begin, and its turn passes."""
    submitted = await rig.submit(limited(*calls(4), most=1, counts=Counts.SETTLED))
    worker = await rig.ready()
    (first,) = await worker.take()

    await rig.partition.cancel_node(NAMESPACE, submitted.id, 2, terminate=False)
    assert await worker.names(9) == []
    await worker.report(first)

    assert await work(worker) == [["m2"], ["m3"]]
    assert await rig.states(submitted) == "SSVSS"


async def test_large_group_wakes_up_in_slices(rig: Rig) -> None:
    """A limit above what one call may begin is reached by the sweep."""
    submitted = await rig.submit(
        limited(*(call(f"m{at}", task="add" if at % 2 else "mul") for at in range(1500)), most=1200)
    )
    await rig.settle()
    worker = await rig.ready()

    assert len(await worker.take(1000)) + len(await worker.take(1000)) == 1200
    assert len(submitted.plan.nodes) == 1501


@pytest.mark.parametrize("seed", range(20))
async def test_no_more_than_the_limit_at_any_time(rig: Rig, seed: int) -> None:
    """Whatever order members of any shape end in, never more are under way, and all of them end."""
    rng = random.Random(seed)  # noqa: S311  no secret
    most = rng.randrange(1, 4)
    members: list[Element] = []
    for number in range(rng.randrange(1, 9)):
        names = [f"{number}.{part}" for part in range(3)]
        one, two, three = map(call, names)
        shapes: list[Element] = [
            one, chain(one, two), whole(one, two), chord([one, two], three), limited(one, two, three, most=1),
        ]  # fmt: skip
        members.append(rng.choice(shapes))
    # A join with a failed member has ended, though the others run on: those of one node at a time may fail here.
    may_fail = {number for number, member in enumerate(members) if isinstance(member, Call | Chain)}
    submitted = await rig.submit(chord([limited(*members, most=most)], call("9.body")))
    worker = await rig.ready()
    held: list[Grant] = []

    while True:
        held += await worker.take(rng.randrange(1, 4))
        if not held:
            break
        assert len({_member(grant) for grant in held}) <= most
        done = held.pop(rng.randrange(len(held)))
        await worker.report(done, kind=rng.choice("vvvve") if _member(done) in may_fail else "v")

    assert (await rig.look(submitted))[0].left == 0
    assert not any(state in "WOT" for state in await rig.states(submitted))


def _member(grant: Grant) -> int:
    return int(name(grant).partition(".")[0])
