"""Threads and coroutines of one child: their number, their order, and who owns a job."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

import pytest

from gesso.v1.payload_pb2 import Payload
from gesso.v1.signature_pb2 import Signature
from gesso.v1.worker_service_pb2 import Assignment, Outcome
from gesso_worker.blame import BlamePage, page_file, record_count
from gesso_worker.job import Job
from gesso_worker.slots import Slots
from gesso_worker.token import Token

LIMIT_SECONDS = 10.0


class Gated:
    """A runner whose tasks end when the test says so. A task whose name is `soon` runs on the loop."""

    def __init__(self) -> None:
        """Nothing runs."""
        self.running: list[bytes] = []
        self.began: list[bytes] = []
        self.most = 0
        self._loop = asyncio.get_running_loop()
        self._lock = threading.Lock()
        self._gate = threading.Condition(self._lock)
        self._may_end: set[bytes] = set()
        self._changed = asyncio.Event()

    def open(self, *names: bytes) -> None:
        """Let tasks end."""
        with self._gate:
            self._may_end.update(names)
            self._gate.notify_all()
        self.notify()

    async def until(self, look: Callable[[], bool]) -> None:
        """Wait until `look` returns true."""
        async with asyncio.timeout(LIMIT_SECONDS):
            while True:
                changed = self._changed
                if look():
                    return
                await changed.wait()

    def notify(self) -> None:
        """Have everyone who waits look again."""
        self._changed.set()
        self._changed = asyncio.Event()

    def wants_loop(self, assignment: Assignment) -> bool:
        """Return whether it is a coroutine."""
        return assignment.signature.task == "soon"

    def run(self, job: Job) -> Outcome:
        """Wait for the gate."""
        assignment = job.assignment
        name = assignment.value.data
        with self._gate:
            self._begin(name)
            assert self._gate.wait_for(lambda: name in self._may_end, LIMIT_SECONDS)
            self._end(name)
        return Outcome(value=assignment.value)

    async def run_on_loop(self, job: Job) -> Outcome:
        """Wait for the gate."""
        assignment = job.assignment
        name = assignment.value.data
        self._begin(name)
        try:
            await self.until(lambda: name in self._may_end)
        except asyncio.CancelledError:
            return Outcome(ignored=Outcome.Ignored())
        finally:
            self._end(name)
        return Outcome(value=assignment.value)

    def _begin(self, name: bytes) -> None:
        self.running.append(name)
        self.began.append(name)
        self.most = max(self.most, len(self.running))
        self._loop.call_soon_threadsafe(self.notify)

    def _end(self, name: bytes) -> None:
        self.running.remove(name)
        self._loop.call_soon_threadsafe(self.notify)


class Bench:
    """Slots with a gated runner, and what ended in them."""

    def __init__(self, page: BlamePage, slot_count: int) -> None:
        """Nothing runs."""
        self.runner = Gated()
        self.page = page
        self.ended: list[bytes] = []
        self.outcomes: dict[bytes, Outcome] = {}
        self.slots = Slots(self.runner, page, slot_count=slot_count, wake=self.collect)

    def collect(self) -> None:
        """Take what has ended, and let others begin, as a session does."""
        for job, outcome in self.slots.take_finished():
            self.ended.append(job.assignment.value.data)
            self.outcomes[job.assignment.value.data] = outcome
        self.slots.release()
        self.runner.notify()

    def add(self, *names: str) -> dict[str, Job]:
        """Add jobs; one whose name begins with `s` is a coroutine."""
        jobs = {}
        for name in names:
            task = "soon" if name.startswith("s") else "plain"
            assignment = Assignment(signature=Signature(task=task), value=Payload(data=name.encode()))
            jobs[name] = Job(assignment, Token(name, 1, 1))
            self.slots.add(jobs[name])
        self.slots.release()
        return jobs

    async def until_running(self, *names: str) -> None:
        """Wait until exactly these run."""
        wanted = sorted(name.encode() for name in names)
        await self.runner.until(lambda: sorted(self.runner.running) == wanted)

    async def until_ended(self, count: int) -> None:
        """Wait until so many have ended."""
        await self.runner.until(lambda: len(self.ended) >= count)


@asynccontextmanager
async def bench(slot_count: int) -> AsyncGenerator[Bench, None]:
    """Slots on the running loop."""
    with page_file(slot_count=record_count(slot_count)) as file:
        page = BlamePage(file.fileno(), slot_count=record_count(slot_count))
    yield Bench(page, slot_count)
    page.close()


@pytest.mark.parametrize("kinds", ["pppppp", "ssssss", "pspsps", "spspsp", "ppspps"])
async def test_no_more_run_than_there_are_slots_and_in_order(kinds: str) -> None:
    """Whatever the mixture, tasks begin in the order they came and at most `slot_count` run at one time."""
    names = [f"{kind}{number}" for number, kind in enumerate(kinds)]
    async with bench(slot_count=2) as it:
        it.add(*names)

        for number, name in enumerate(names):
            await it.until_running(*names[number : number + 2])
            it.runner.open(name.encode())
        await it.until_ended(len(names))

    # Two threads that are let go at once may begin in either order.
    assert sorted(it.runner.began) == sorted(name.encode() for name in names)
    assert it.runner.most == 2


async def test_page_shows_what_runs() -> None:
    """Threads and coroutines write their own records, and clear them."""
    async with bench(slot_count=3) as it:
        it.add("p1", "s1", "p2", "s2")
        await it.until_running("p1", "s1", "p2")

        assert sorted(each.token.node_id for each in it.page.running()) == ["p1", "p2", "s1"]
        it.runner.open(b"p1", b"p2", b"s1", b"s2")
        await it.until_ended(4)

        assert it.page.running() == ()


async def test_job_taken_back_never_begins() -> None:
    """Only what has not begun can be taken back, and only once; the others go on."""
    async with bench(slot_count=1) as it:
        jobs = it.add("p1", "p2", "s3", "p4")
        await it.until_running("p1")

        taken = {name: it.slots.take_back(job.token) for name, job in jobs.items() if name != "p4"}
        again = it.slots.take_back(jobs["p2"].token)
        it.runner.open(b"p1", b"p4")
        await it.until_ended(2)

    assert taken == {"p1": False, "p2": True, "s3": True}
    assert not again
    assert it.ended == [b"p1", b"p4"]
    assert it.slots.unstarted_count == 0


async def test_coroutine_can_be_stopped() -> None:
    """A running coroutine is cancelled, one that has not had its first step too; a thread goes on."""
    async with bench(slot_count=3) as it:
        jobs = it.add("s1", "p1", "s2")

        it.slots.stop(jobs["s2"])
        await it.until_running("s1", "p1")
        it.slots.stop(jobs["s1"])
        it.slots.stop(jobs["p1"])
        await it.until_ended(2)
        await it.until_running("p1")
        it.runner.open(b"p1")
        await it.until_ended(3)

    assert {name for name, outcome in it.outcomes.items() if outcome.HasField("ignored")} == {b"s1", b"s2"}


async def test_threads_start_only_when_needed() -> None:
    """A hundred slots of coroutines need no thread."""
    before = threading.active_count()
    async with bench(slot_count=100) as it:
        names = [f"s{number}" for number in range(100)]
        it.add(*names)
        await it.until_running(*names)

        assert threading.active_count() == before
        it.runner.open(*(name.encode() for name in names))
        await it.until_ended(100)
