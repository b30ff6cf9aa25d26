"""Promise: everything that waits can be awaited instead."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from acceptance.tasks import call
from gesso import App, ChordError, aio, chain, chord, group
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
