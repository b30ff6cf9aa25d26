"""When an acknowledgement is said on its own, and when it goes with something else."""

from __future__ import annotations

import asyncio

from gesso_server.dispatch.receipts import Receipts

LIMIT_S = 20.0


def idle() -> None:
    """Be due without anybody listening."""


async def test_one_frame_waits_for_something_to_go_with() -> None:
    """Nothing presses; whoever says something takes it along, once."""
    receipts = Receipts(idle)

    receipts.add(7, pressing=False)

    assert not receipts.pressing
    assert receipts.take() == 7
    assert receipts.take() == 0


async def test_second_frame_presses() -> None:
    """A worker may wait with its next one then; one number speaks for both."""
    receipts = Receipts(idle)

    receipts.add(1, pressing=False)
    receipts.add(2, pressing=False)

    assert receipts.pressing
    assert receipts.take() == 2
    assert not receipts.pressing


async def test_frame_that_its_worker_waits_for_presses() -> None:
    """As one that says that a task with a time limit is about to begin."""
    receipts = Receipts(idle)

    receipts.add(1, pressing=True)

    assert receipts.pressing


async def test_frame_does_not_wait_for_long() -> None:
    """It is due though nothing else is ever said."""
    due = asyncio.Event()
    receipts = Receipts(due.set)

    receipts.add(1, pressing=False)

    async with asyncio.timeout(LIMIT_S):
        await due.wait()
    assert receipts.pressing
    assert receipts.take() == 1
