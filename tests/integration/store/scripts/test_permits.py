"""Permits come back, however the attempt that had one is over."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gesso_server.store.calls import Frame, Grant, Reported
from gesso_server.store.limits import Limit
from integration.store.scripts.post import Post
from integration.store.scripts.rig import Worker, token
from support.trees import call, calls, group


@pytest.mark.parametrize("kind", ["v", "e", "i", "y"])
async def test_permit_comes_back_however_an_attempt_ends(post: Post, kind: str) -> None:
    """A value, an error, an ignored end and a retry make room for the next."""
    await post.limit("add", Limit(concurrency=1))
    await post.submit(group(*calls(2)))
    worker = await post.worker()
    await post.names(worker)
    held = worker.held[0]
    frame = Frame()
    frame.reported.append(Reported(token(held), kind, b"null", 1000, "3" if kind == "y" else ""))
    worker.held.remove(held)
    post.keep(0, (await worker.exchange(frame)).duties)
    await post.carry()

    assert await post.names(worker) == ["m1"]


@pytest.mark.parametrize("end", ["dead", "crashed", "cancelled", "revoked", "overrun", "replaced"])
@pytest.mark.parametrize("post", [1, 4], indirect=True)
async def test_permit_comes_back_from_an_attempt_that_did_not_end_by_itself(post: Post, end: str) -> None:
    """Whatever becomes of it: given up, lost, cancelled or revoked while it was held, over its limit, or replaced."""
    await post.limit("add", Limit(concurrency=1))
    timing = {"dead": "m", "overrun": "h1000"}.get(end, "")
    canvas = await post.submit(replace(call("first"), timing=timing))
    await post.submit(call("next"))
    rig, worker = post.rigs[0], await post.worker(lease_ms=1000 if end in {"dead", "crashed"} else 10**7)
    (held,) = await post.take(worker, 1) or await _carried(post, worker)
    post.keep(0, (await worker.start(held)).duties)
    assert await post.names(worker) == []
    other = await post.worker()

    match end:
        case "dead" | "crashed":
            await post.pass_ms(2000)
            await post.sweep()
        case "overrun":
            await post.pass_ms(7000)
            await post.sweep()
        case "replaced":
            extra = await rig.stage_replacement(canvas.id, held.index, call("instead", task="mul"))
            frame = Frame(reported=[Reported(token(held), "p", b"", 0, extra)])
            post.keep(0, (await worker.exchange(frame)).duties)
        case _:
            if end == "cancelled":
                _, duties = await rig.partition.cancel_canvas(
                    "default", canvas.id, terminate=True, forget=False
                )
            else:
                _, duties = await rig.partition.cancel_node("default", canvas.id, held.index, terminate=True)
            post.keep(0, duties)
            await post.carry()
            assert await post.names(other) == []  # until its worker has obeyed
            await post.report(worker, held, kind="e")
    await post.carry()

    found = await post.names(other)
    assert "next" in found or found == ["first"]
    await post.report(other, *other.held)
    await post.carry()
    found += await post.names(other)
    assert set(found) - {"instead"} == ({"next", "first"} if end == "crashed" else {"next"})
    assert (await rig.states(canvas))[0] == {
        "dead": "D", "crashed": "G" if found[-1] == "first" else "S", "cancelled": "C", "revoked": "V", "overrun": "F",
        "replaced": "S",
    }[end]  # fmt: skip


async def _carried(post: Post, worker: Worker) -> list[Grant]:
    """Ask for tasks when permits have been carried."""
    await post.carry()
    return await post.take(worker, 1)


async def test_permit_comes_back_when_a_task_is_given_back(post: Post) -> None:
    """A task that a worker returns unstarted makes room, and is handed over again in its turn."""
    await post.limit("add", Limit(concurrency=1))
    await post.submit(group(*calls(2)))
    worker = await post.worker()
    await post.names(worker)
    post.keep(0, (await worker.give_back(worker.held.pop())).duties)
    await post.carry()

    assert await post.names(worker) == ["m1"]
    await post.report(worker, *worker.held)
    await post.carry()
    assert await post.names(worker) == ["m0"]


async def test_permits_of_a_dead_worker_come_back(post: Post) -> None:
    """When a session's lease is over its tasks' permits are free again."""
    await post.limit("add", Limit(concurrency=2))
    await post.submit(group(*calls(4)))
    dead = await post.worker(lease_ms=1000)
    assert len(await post.names(dead)) == 2
    await dead.start(*dead.held)

    await post.pass_ms(2000)
    worker = await post.worker()
    await post.sweep()
    await post.carry()

    assert len(await post.names(worker)) == 2
    await post.report(worker, *worker.held)
    await post.carry()
    assert sorted(await post.names(worker)) == ["m0", "m1"]


@pytest.mark.parametrize("post", [4], indirect=True)
async def test_permits_that_nobody_takes_go_back(post: Post) -> None:
    """A partition without a free worker keeps permits for a second, and not for ever."""
    await post.limit("add", Limit(concurrency=2))
    last = len(post.rigs) - 1
    await post.submit(group(*calls(4, "a")), 0)
    await post.submit(group(*calls(4, "b")), last)
    busy, free = await post.worker(0), await post.worker(last)
    await post.take(busy, 1)  # it asks, and does not come back for what it asked for
    await post.carry()
    assert await post.names(free) == []

    await post.pass_ms(1000)
    await post.sweep()
    await post.carry()

    assert len(await post.names(free)) == 2
