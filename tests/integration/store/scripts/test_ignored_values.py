"""A value that is to be ignored is kept for as long as a join or a step may read it, and no longer."""

from __future__ import annotations

from dataclasses import replace

from gesso_server.plan import Call, Group
from gesso_server.store.calls import Reported
from integration.store.scripts.rig import Canvas, Rig, token
from support.trees import call, chain, chord


def quiet(name: str) -> Call:
    """Return a call whose value is to be ignored."""
    return replace(call(name), timing="i")


async def kept(rig: Rig, canvas: Canvas) -> int:
    """Return how many outcomes of a canvas are stored."""
    found = 0
    async for key in rig.store.redis.scan_iter(match=f"*:c:{canvas.id}:r:*"):
        found += await rig.store.redis.hlen(key)
    return found


async def test_value_that_nothing_reads_is_never_stored(rig: Rig) -> None:
    """Neither a lone task's nor those of a group that nothing stands behind."""
    worker = rig.worker()
    await worker.hello()
    lone = await rig.submit(quiet("a"))
    members = await rig.submit(Group(tuple(quiet(f"m{number}") for number in range(5))))
    grants = await worker.take(10)

    for grant in grants[:5]:
        await worker.report(grant)
        assert await kept(rig, lone) == await kept(rig, members) == 0
    await worker.report(grants[5])

    assert (await rig.states(lone), await rig.states(members)) == ("S", "SSSSSS")


async def test_value_is_kept_until_what_stands_behind_has_read_it(rig: Rig) -> None:
    """A step may be delivered again, and then gets the value again; with the canvas it goes."""
    worker, other = rig.worker(), rig.worker()
    await worker.hello()
    await other.hello()
    canvas = await rig.submit(chain(quiet("a"), call("b")))
    (a,) = await worker.take()
    frame_of = Reported(token(a), "v", b'"a"')
    await worker.report(a)
    (b,) = await worker.take()
    await worker.give_back(b)
    (again,) = await other.take()

    assert frame_of.token.index == 0
    assert again.source_value == b"null"
    assert await kept(rig, canvas) == 1
    await other.report(again)
    assert await kept(rig, canvas) == 1  # that of the second step, which is not ignored


async def test_values_of_a_large_header_all_go(rig: Rig) -> None:
    """More than one call may drop: what one leaves, the next sweeps go on with."""
    worker = rig.worker()
    await worker.hello()
    canvas = await rig.submit(chord([quiet(f"m{number}") for number in range(1200)], call("body")))
    await worker.drain(most=200)

    await rig.settle()

    assert await kept(rig, canvas) == 1
    assert not [key for key in await rig.keys() if key.endswith(":f")]


async def test_failure_of_an_ignored_task_is_kept(rig: Rig) -> None:
    """Only values are ignored; an error is told."""
    worker = rig.worker()
    await worker.hello()
    canvas = await rig.submit(quiet("a"))
    (a,) = await worker.take()

    await worker.report(a, kind="e")

    assert await kept(rig, canvas) == 1
