"""Grants and nodes come with the ids that the client chose, where it chose one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from gesso_server.plan import Call, Group
from gesso_server.store.calls import Grant, Looked
from integration.store.scripts.rig import NAMESPACE, Canvas, Rig, Worker
from support.trees import call, calls, chain, chord, group


def named(name: str, task_id: str, *links: Any) -> Call:
    """Return a call whose id was chosen."""
    return replace(call(name, *links), task_id=task_id)


async def granted(worker: Worker) -> list[Grant]:
    """Take what there is."""
    return sorted(await worker.take(10), key=lambda grant: grant.index)


async def looked(rig: Rig, canvas: Canvas, index: int) -> Looked:
    """Return a node as it stands."""
    found = await rig.partition.look(NAMESPACE, canvas.id, [index])
    assert found is not None
    (node,) = found[1]
    assert node is not None
    return node


async def test_canvas_without_chosen_ids_names_none(rig: Rig) -> None:
    """Nothing is kept of ids, and nothing sent."""
    worker = rig.worker()
    await worker.hello()
    canvas = await rig.submit(chain(call("a"), group(*calls(3))))

    (first,) = await granted(worker)
    await worker.report(first)
    rest = await granted(worker)

    assert [grant.names for grant in (first, *rest)] == [{}] * 4
    assert not [key for key in await rig.keys() if key.endswith(f"{canvas.id}:i")]


async def test_grants_name_the_task_before_and_the_groups_around(rig: Rig) -> None:
    """A member learns the ids of the step before and of its groups, the root's comes once for the canvas."""
    worker = rig.worker()
    await worker.hello()
    inner = Group((call("c"), call("d")), task_id="inner")
    outer = Group((call("b"), chain(call("e"), inner)), task_id="outer|1")
    canvas = await rig.submit(chain(named("a", "first"), outer, call("z")))

    reply = await worker.exchange(want=10)
    (first,) = reply.grants
    await worker.report(first)
    b, e = await granted(worker)
    await worker.report(b)
    await worker.report(e)
    members = await granted(worker)

    assert reply.contexts[canvas.id].root == "0 first"
    assert (b.names, e.names) == ({0: "first", 1: "outer|1"}, {0: "first", 1: "outer|1"})
    assert [grant.names for grant in members] == [{1: "outer|1", 4: "inner"}] * 2


async def test_failures_name_the_cause(rig: Rig) -> None:
    """What stands behind a failure learns the id chosen for the task that failed."""
    worker = rig.worker()
    await worker.hello()
    canvas = await rig.submit(chord([named("a", "culprit"), call("b")], call("body")))
    a, b = await granted(worker)

    await worker.report(a, kind="e")
    await worker.report(b)

    assert (await looked(rig, canvas, 3)).names == {1: "culprit"}
    assert (await looked(rig, canvas, 1)).names == {}


async def test_error_links_that_were_named_name_what_is_behind_them(rig: Rig) -> None:
    """A node that is added when a failure happens has its chosen id, as any other."""
    worker = rig.worker()
    await worker.hello()
    link = chain(named("mend", "mender"), call("after"))
    await rig.submit(replace(call("a"), error_links=(link,)))
    (a,) = await granted(worker)
    await worker.report(a, kind="e")
    (mend,) = await granted(worker)
    await worker.report(mend)
    (after,) = await granted(worker)

    assert after.names == {mend.index: "mender"}


async def test_large_named_canvas_is_staged_and_removed(rig: Rig) -> None:
    """Ids of a canvas that comes in parts are all known, and go when it was never submitted."""
    worker = rig.worker()
    await worker.hello()
    members = Group(tuple(named(f"m{number}", f"id{number}", call(f"l{number}")) for number in range(700)))
    canvas = await rig.submit(members)
    await worker.drain()
    abandoned = rig.store.partitions[0]
    await abandoned.stage(canvas.id[:-4] + "0000", [(0, "W/0|||", b"\n"), ("1 x", "W/0|||", b"\n")])  # type: ignore[arg-type,list-item]  # as the store has them

    await rig.sweep(staging_ms=-1000)

    ids = [key for key in await rig.keys() if key.endswith(":i")]
    assert [key.rsplit(":", 2)[1] for key in ids] == [canvas.id]
    assert await rig.store.redis.hlen(ids[0]) == 700
