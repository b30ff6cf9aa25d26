"""Soft limits: raised in the guarded block, once, and nowhere else."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from functools import partial
from itertools import count

import pytest

from gesso.errors import SoftTimeLimitExceeded
from gesso_worker.interruption import CoroutineInterruption, ThreadInterruption

LIMIT_SECONDS = 10.0


def in_thread(function: Callable[[], None]) -> threading.Thread:
    """Start a function in a thread."""
    thread = threading.Thread(target=function, daemon=True)
    thread.start()
    return thread


def send_when(ready: threading.Event, guard: ThreadInterruption) -> None:
    """Interrupt the block once it is ready."""
    ready.wait(LIMIT_SECONDS)
    guard.send()


def test_block_that_runs_is_interrupted_once() -> None:
    """A block that never ends gets the error, and may go on after it; a second one does not come."""
    guard, began, caught = ThreadInterruption(), threading.Event(), threading.Event()
    ends: list[str] = []

    def run() -> None:
        with guard:
            try:
                began.set()
                for _ in count():
                    pass
            except SoftTimeLimitExceeded:
                ends.append("caught")
                caught.set()
        ends.append("after")

    thread = in_thread(run)
    assert began.wait(LIMIT_SECONDS)
    guard.send()
    assert caught.wait(LIMIT_SECONDS)
    guard.send()
    thread.join(LIMIT_SECONDS)

    assert ends == ["caught", "after"]


def test_nothing_outside_of_the_block_is_interrupted() -> None:
    """Whenever the limit comes, what is behind the block runs undisturbed."""
    undisturbed = 0
    for _ in range(300):
        guard, ready = ThreadInterruption(), threading.Event()
        sender = in_thread(partial(send_when, ready, guard))
        try:
            with guard:
                ready.set()
                sum(range(50))
        except SoftTimeLimitExceeded:
            pass
        for _ in range(50):
            undisturbed += 1
        sender.join(LIMIT_SECONDS)

    assert undisturbed == 300 * 50


def test_block_that_has_ended_or_not_begun_is_left_alone() -> None:
    """A limit that comes too late, or too early, does nothing."""
    guard = ThreadInterruption()
    guard.send()
    with guard:
        pass

    guard.send()


async def test_coroutine_gets_the_error_where_it_waits() -> None:
    """It can catch it, and wait again; its task is not cancelled."""
    guard = CoroutineInterruption()

    async def wait() -> str:
        try:
            await asyncio.Event().wait()
        except SoftTimeLimitExceeded:
            await asyncio.sleep(0)
        return "cleaned"

    asyncio.get_running_loop().call_soon(guard.send)
    async with asyncio.timeout(LIMIT_SECONDS):
        assert await guard.run(wait()) == "cleaned"

    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_coroutine_that_does_not_catch_it_fails_with_it() -> None:
    """The error goes through, out of what it awaited, too."""
    guard = CoroutineInterruption()
    asyncio.get_running_loop().call_soon(guard.send)

    with pytest.raises(SoftTimeLimitExceeded):
        async with asyncio.timeout(LIMIT_SECONDS):
            await guard.run(asyncio.Event().wait())


async def test_cancellation_stays_one() -> None:
    """A task that is cancelled for another reason is."""
    guard = CoroutineInterruption()
    task = asyncio.create_task(guard.run(asyncio.Event().wait()))
    await asyncio.sleep(0)

    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task


async def test_limit_after_the_end_does_nothing() -> None:
    """Whoever ran the coroutine goes on."""
    guard = CoroutineInterruption()

    async def nothing() -> int:
        return 5

    assert await guard.run(nothing()) == 5
    guard.send()
    await asyncio.sleep(0)
