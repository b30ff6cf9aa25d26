"""When a block that listens is ended, and when not."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from gesso_server.rpc.silence import Silence

LIMIT = timedelta(milliseconds=20)
LONGER_S = 3 * LIMIT.total_seconds()


async def passed(seconds: float) -> None:
    """Wait until so much time has passed, by the loop's clock."""
    loop = asyncio.get_running_loop()
    event = asyncio.Event()
    loop.call_later(seconds, event.set)
    await event.wait()


async def test_wait_that_is_too_long_ends_the_block() -> None:
    """Also if it is not the first one."""

    async def listen() -> None:
        async with Silence(LIMIT) as silence:
            silence.begins()
            silence.ends()
            await passed(LONGER_S)
            silence.begins()
            await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        await listen()

    await passed(0.0)  # the task that listened is not cancelled any more


async def test_block_may_take_its_time_between_two_waits() -> None:
    """Only those who are waited for are silent."""
    async with Silence(LIMIT) as silence:
        silence.begins()
        silence.ends()
        await passed(LONGER_S)


async def test_cancellation_from_elsewhere_is_one() -> None:
    """It is no silence, and goes on outwards."""

    async def listen() -> None:
        async with Silence(timedelta(hours=1)) as silence:
            silence.begins()
            await asyncio.Event().wait()

    task = asyncio.create_task(listen())
    await passed(0.0)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
