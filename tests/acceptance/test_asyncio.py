"""Promise: everything that waits can be awaited instead."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator

import pytest

from acceptance.tasks import call
from gesso import App, ChordError, TaskRevokedError, TimeoutError, aio, chain, chord, group  # noqa: A004
from gesso.aio import registry
from support.system import System, port_of


@pytest.fixture
async def app(system: System) -> AsyncIterator[App]:
    """Return a client of a coordinator with a worker."""
    coordinator = system.coordinator()
    system.worker(coordinator, processes=2)
    app = system.client(coordinator)
    yield app
    await aio.close(app)


async def test_canvases_are_awaited(app: App) -> None:
    """Chains, groups and chords give their values, and results tell how they stand."""
    chained = await aio.delay(chain(call("add", 1, 1), call("add", 2)))
    grouped: aio.GroupResult[int] = await aio.apply_async(group(call("add", key, key) for key in range(100)))
    header = [call("add", key, key) for key in range(100)]
    joined = await aio.apply_async(chord(header, call("total"), app=app))

    assert await chained.get(timeout=30) == 4
    assert await grouped.get(timeout=30) == [2 * key for key in range(100)]
    assert await joined.get(timeout=30) == sum(range(0, 200, 2))
    assert await grouped.completed_count() == 100
    assert [await member.get(timeout=30) async for member in grouped] == [2 * key for key in range(100)]
    parent = await chained.parent()
    assert parent is not None
    assert (await parent.get(timeout=30), await parent.state()) == (2, "SUCCESS")
    assert isinstance(parent, aio.AsyncResult)
    assert (await parent.sent(), await aio.AsyncResult("no-such-task", app).sent()) == (([1, 1], {}), None)


async def test_errors_are_raised_where_they_are_awaited(app: App) -> None:
    """An error of a task is raised as in the synchronous SDK, also as the ChordError behind it."""
    failed = await aio.delay(call("boom", "cracked"))
    joined = await aio.delay(chord([call("boom", "cracked")], call("total"), app=app))

    with pytest.raises(ValueError, match="cracked"):
        await failed.get(timeout=30)
    assert await failed.failed()
    with pytest.raises(ValueError, match="cracked"):
        await joined.get(timeout=30)
    with pytest.raises(ChordError, match="cracked"):
        await aio.AsyncResult(joined.id, app).get(timeout=30)


async def test_canvas_is_cancelled_and_run_again(app: App) -> None:
    """By a result, an id of its own or one that the client chose; what succeeded does not run again."""
    waiting = await aio.apply_async(chain(call("add", 1, 1), call("add", 2).set(countdown=3600)))
    parent = await waiting.parent()
    assert await parent.get(timeout=30) == 2

    assert await aio.cancel(waiting)
    with pytest.raises(TaskRevokedError):
        await waiting.get(timeout=30)
    assert not await aio.cancel(waiting.id, app=app)
    again = await aio.retry(waiting)
    assert again is not None
    assert again.id != waiting.id
    assert await again.state() == "SCHEDULED"
    assert await aio.cancel(again, terminate=True)
    named = await aio.apply_async(call("boom", "cracked").set(task_id="chosen"))
    with pytest.raises(ValueError, match="cracked"):
        await named.get(timeout=30)
    rerun = await aio.retry("chosen", app=app)
    assert rerun is not None
    with pytest.raises(ValueError, match="cracked"):
        await rerun.get(timeout=30)


async def test_many_coroutines_share_one_stream(app: App) -> None:
    """Coroutines that submit and wait at the same time each get their own value."""

    async def run(number: int) -> int:
        result = await aio.delay(call("add", number, 1))
        value = await result.get(timeout=60)
        assert isinstance(value, int)
        return value

    found = await asyncio.gather(*map(run, range(500)))

    assert found == list(range(1, 501))
    assert app.name == "client"


async def test_wait_goes_on_at_a_coordinator_that_started_again(system: System) -> None:
    """A coroutine that waits gets its value although the coordinator was killed meanwhile."""
    coordinator = system.coordinator()
    app = system.client(coordinator)
    result = await aio.delay(call("add", 20, 22))
    waiting = asyncio.create_task(result.get(timeout=60))

    coordinator.program.kill()
    again = await asyncio.to_thread(system.coordinator, port=port_of(coordinator.address))
    await asyncio.to_thread(system.worker, again)

    assert await waiting == 42
    await aio.close(app)


async def test_members_are_yielded_as_they_arrive(app: App) -> None:
    """More of them than are waited for at a time, errors in their places; a timeout is one for all."""
    grouped = await aio.delay(
        group([call("boom", "cracked"), *(call("add", key, key) for key in range(300))])
    )

    found = [value async for value in grouped.iterate(timeout=30, propagate=False)]

    errors = [value for value in found if isinstance(value, ValueError)]
    assert [str(error) for error in errors] == ["cracked"]
    assert sorted(value for value in found if isinstance(value, int)) == [2 * key for key in range(300)]
    assert await grouped.failed()
    waiting = await aio.apply_async(group([call("add", 1, 1)]), countdown=60)
    with pytest.raises(TimeoutError):
        async for _ in waiting.iterate(timeout=0.05):
            pass
    await waiting.revoke()
    with pytest.raises(TaskRevokedError):
        await waiting.get(timeout=30)
    assert app.name == "client"


async def test_what_follows_is_collected(app: App) -> None:
    """From the first task to the leaf, as a graph, as ids, and each value once."""
    result = await aio.delay(chain(call("add", 1, 1), group([call("add", 2), call("add", 3)]), call("total")))
    assert await result.get(timeout=30) == 9
    header = await result.parent()
    assert isinstance(header, aio.GroupResult)
    first = await header.parent()
    assert isinstance(first, aio.AsyncResult)

    values = [value async for _, value in first.collect()]

    assert values[:2] == [2, [4, 5]]
    assert await result.get_leaf() == 9
    assert len(await first.graph()) == len(await first.build_graph())
    assert (await result.as_tuple())[0][0] == result.id
    assert (await first.queue(), await first.retries(), await first.stamps() != {}) == ("default", 0, False)
    assert (await first.canvas_id()) == result.id.rpartition("-")[0]
    await result.forget()
    assert app.name == "client"


async def test_whoever_is_cancelled_leaves_nothing(app: App) -> None:
    """A submission and waits that are cancelled take their calls with them; the connection serves others."""
    result = await aio.apply_async(call("add", 1, 2), countdown=60)
    grouped = await aio.apply_async(group([call("add", 1, 2)] * 10), countdown=60)

    async def iterated(grouped: aio.GroupResult[int]) -> None:
        async for _ in grouped.iterate():
            pass

    waits = (result.get(), iterated(grouped), aio.delay(call("add", 1, 1)))
    tasks = [asyncio.create_task(each) for each in waits]
    coordinator = registry.shared(app.address)
    while coordinator.unanswered_count() < 11:  # noqa: ASYNC110 - nobody tells
        await asyncio.sleep(0)
    sent = asyncio.gather(*tasks, return_exceptions=True)
    sent.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sent
    del waits, tasks, sent, result, grouped

    async with asyncio.timeout(30):
        while coordinator.unanswered_count():
            gc.collect()
            await asyncio.sleep(0)
    assert await (await aio.delay(call("add", 20, 22))).get(timeout=30) == 42


async def test_tasks_are_revoked_by_id_and_by_stamp(app: App) -> None:
    """With `await`, as by `app.control`."""
    one = await aio.apply_async(call("add", 1, 2), countdown=60)
    await aio.revoke(one.id)
    with pytest.raises(TaskRevokedError):
        await one.get(timeout=30)

    await aio.revoke_by_stamped_headers({"order": "o-7"}, app=app)
    other = await aio.delay(call("add", 1, 2).stamp(order="o-7"))
    with pytest.raises(TaskRevokedError):
        await other.get(timeout=30)
