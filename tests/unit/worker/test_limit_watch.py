"""When a child is killed, when it is told to retire, and whom its end is blamed on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from gesso_worker import limit_watch
from gesso_worker.blame import BlamePage, page_file
from gesso_worker.lifeline import Retirement
from gesso_worker.limit_watch import LimitWatch
from gesso_worker.token import Token

GUILTY, OTHER = Token("guilty", 1, 1), Token("other", 1, 2)
LIMIT_SECONDS = 10.0


@pytest.fixture
def page() -> Iterator[BlamePage]:
    """A blame page for two slots."""
    with page_file(slot_count=2) as file:
        page = BlamePage(file.fileno(), slot_count=2)
    yield page
    page.close()


class Watched:
    """A watch, and what it did to its child."""

    def __init__(self, page: BlamePage) -> None:
        """Watch a child by its page."""
        self.retirements: list[Retirement] = []
        self.kill_count = 0
        self.changed = asyncio.Event()
        self.watch = LimitWatch(page, retire=self._retire, kill=self._kill)

    async def until(self, look: Callable[[], bool]) -> None:
        """Wait until something has happened."""
        async with asyncio.timeout(LIMIT_SECONDS):
            while not look():
                await self.changed.wait()
                self.changed.clear()

    def _retire(self, retirement: Retirement) -> None:
        self.retirements.append(retirement)
        self.changed.set()

    def _kill(self) -> None:
        self.kill_count += 1
        self.changed.set()


def after(seconds: float) -> float:
    """Return a deadline."""
    return asyncio.get_running_loop().time() + seconds


async def test_lonely_task_is_killed_at_its_deadline(page: BlamePage) -> None:
    """Its process is killed then, and it is named as what it was killed for."""
    it = Watched(page)
    deadline = after(0.05)
    page.begin(0, GUILTY, deadline)
    it.watch.look()
    assert (page.next_look, it.kill_count) == (deadline, 0)

    await it.until(lambda: it.kill_count == 1)

    blame = it.watch.blame("session")
    assert (blame.overran, blame.crashed) == ((GUILTY,), ())


async def test_process_with_others_retires(page: BlamePage) -> None:
    """The child is told which task is to end, and killed later, without blame for the others."""
    it = Watched(page)
    page.begin(0, GUILTY, after(0))
    page.begin(1, OTHER)
    it.watch.look()

    assert it.retirements == [Retirement(overran=(GUILTY,), doomed=())]
    assert it.kill_count == 0
    blame = it.watch.blame("session")
    assert (blame.overran, blame.crashed) == ((GUILTY,), (OTHER,))  # it died of itself
    it.watch.close()


async def test_child_that_does_not_retire_is_killed(page: BlamePage, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is too stuck to end is ended, and what ran beside the guilty task is not blamed."""
    monkeypatch.setattr(limit_watch, "RETIREMENT", timedelta(0))
    monkeypatch.setattr(limit_watch, "_ALLOWANCE", timedelta(0))
    it = Watched(page)
    page.begin(0, GUILTY, after(0))
    page.begin(1, OTHER)
    it.watch.look()

    await it.until(lambda: it.kill_count == 1)

    blame = it.watch.blame("session")
    assert (blame.overran, blame.crashed) == ((GUILTY,), ())


async def test_condemned_task_is_killed_without_blame(page: BlamePage) -> None:
    """A task that is cancelled did not run too long, and did not crash."""
    it = Watched(page)
    page.begin(0, GUILTY)

    it.watch.condemn(OTHER)
    assert it.kill_count == 0
    it.watch.condemn(GUILTY)

    assert it.kill_count == 1
    blame = it.watch.blame("session")
    assert (blame.overran, blame.crashed) == ((), ())


async def test_task_that_ended_in_time_kills_nobody(page: BlamePage) -> None:
    """A look that finds nothing late plans the next one, or none."""
    it = Watched(page)
    page.begin(0, GUILTY, after(3600))
    it.watch.look()
    page.end(0)

    it.watch.look()

    assert (page.next_look, it.kill_count) == (0.0, 0)
