"""Promise: a canvas is sent as its generators are read; its members run meanwhile, and memory stays flat.

One whose generator raises, or whose client dies, is cancelled, and nothing of it is left in the store.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest
import redis

from acceptance.tasks import Ledger, call
from gesso import App, Canvas, aio, chain, chord, group, growing
from gesso.v1 import coordinator_service_pb2 as pb
from support.system import LIMIT_SECONDS, Coordinator, System, until

MIB = 1 << 20
CLIENT_BYTES, COORDINATOR_BYTES = 50 * MIB, 80 * MIB
"""What streaming may add to what a process takes when idle."""
SHORT, LONG = 20_000, 1_000_000
COUNTS = [SHORT, pytest.param(LONG, marks=[pytest.mark.long, pytest.mark.timeout(900)])]
LONG_SECONDS = 600


class Memory:
    """How much memory two processes take at the most while the block runs, beyond what they took before."""

    def __init__(self, coordinator: Coordinator) -> None:
        """Look at this process and at a coordinator's."""
        self._ids = os.getpid(), coordinator.program.process.pid
        self._over = threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        gc.collect()
        self.idle = [resident_bytes(each) for each in self._ids]
        self.peak = list(self.idle)
        self._watcher.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._watcher.join()

    def check(self, what: str) -> None:
        """Print how much was added, and check it."""
        client, coordinator = (peak - idle for peak, idle in zip(self.peak, self.idle, strict=True))
        said = " and ".join(
            f"{name} +{added / MIB:.1f} MiB to {idle / MIB:.0f}"
            for name, added, idle in zip(
                ("client", "coordinator"), (client, coordinator), self.idle, strict=True
            )
        )
        print(f"{what}: {said}")  # noqa: T201 - the figure is what the test is for
        assert client < CLIENT_BYTES
        assert coordinator < COORDINATOR_BYTES

    def _watch(self) -> None:
        while not self._over.wait(0.05):
            self.peak = [
                max(peak, resident_bytes(each)) for peak, each in zip(self.peak, self._ids, strict=True)
            ]


def resident_bytes(process_id: int) -> int:
    """Return how much memory a process takes."""
    status = Path(f"/proc/{process_id}/status").read_text()
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmRSS"))


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
@pytest.mark.parametrize("count", COUNTS)
def test_members_that_wait_take_no_memory_outside_the_store(system: System, count: int) -> None:
    """A group of so many members is sent with nobody there to run them; client and coordinator stay flat."""
    coordinator = system.coordinator()
    system.client(coordinator)
    group(call("add", key, key) for key in range(2 * growing.AHEAD_COUNT)).delay()

    with Memory(coordinator) as memory:
        result = group(call("add", key, key) for key in range(count)).delay()

    memory.check(f"{count:,} members waiting")
    assert len(result) == count


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
@pytest.mark.parametrize("count", COUNTS)
def test_members_run_while_the_generator_yields(system: System, ledger: Ledger, count: int) -> None:
    """Half-way the generator waits until a member has run, which it does; then everything comes to its value.

    Reading that is not kept in memory either.
    """
    coordinator = system.coordinator()
    app = system.client(coordinator)
    system.worker(coordinator, processes=2)
    group(call("add", key, key) for key in range(2 * growing.AHEAD_COUNT)).delay().get(timeout=LIMIT_SECONDS)

    def members() -> Iterator[Canvas]:
        yield call("mark", ledger.path, 0)
        for key in range(1, count):
            if key == count // 2:
                until(lambda: len(ledger) == 1, "the first member")
            yield call("add", key, 0)

    with Memory(coordinator) as memory:
        result = group(members()).delay()
        early = result.completed_count()
        until(result.ready, "the end of all", limit=LONG_SECONDS)
        request = pb.ReadValueRequest(node_id=result.id)
        steps = app.coordinator.read_value(request, lambda parts: sum(len(part.items) for part in parts))

    memory.check(f"{count:,} members, {early:,} of them done when the last was sent")
    assert result.completed_count() == count
    assert steps == count + 2  # the list's begin and end


def test_group_is_whole_when_its_generator_ends(
    system: System, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What stands behind it goes on, in order, while the generator of a later group still yields."""
    monkeypatch.setattr(growing, "AHEAD_COUNT", 0)
    coordinator = system.coordinator()
    system.client(coordinator)
    system.worker(coordinator)

    def second() -> Iterator[Canvas]:
        for key in range(10):
            until(lambda key=key: len(ledger) == key, "the member before")  # type: ignore[misc]
            yield call("close_books", ledger.path)

    first = group(call("add", key, key) for key in range(10))
    result = chain(first, group(second()), call("total")).delay()

    assert result.get(timeout=LIMIT_SECONDS) == 10 * sum(range(0, 20, 2))


@pytest.mark.parametrize("lazy", [list, iter])
def test_group_of_any_size_among_the_members_is_sent(
    system: System, lazy: Callable[[list[Canvas]], Any]
) -> None:
    """A group that is larger than any message may be is cut, also where a generator yields it."""
    coordinator = system.coordinator()
    system.client(coordinator)
    system.worker(coordinator)
    large = group([call("total", [number] * 100_000) for number in range(30)])

    result = group(lazy([call("add", 1, 1), large])).delay()

    assert result.get(timeout=LIMIT_SECONDS) == [2, *(number * 100_000 for number in range(30))]


# --- streams that break ------------------------------------------------------------------------------


class OutOfMembers(Exception):
    """What a generator raises."""


@pytest.fixture
def gate(tmp_path: Path) -> Path:
    """Return a named pipe that tasks wait at."""
    path = tmp_path / "gate"
    os.mkfifo(path)
    return path


@pytest.fixture
def broken(system: System) -> Iterator[Coordinator]:
    """Return a coordinator with a worker; when the test is over nothing of its canvases is left."""
    coordinator = system.coordinator()
    system.client(coordinator)
    system.worker(coordinator)
    before = keys(coordinator)
    yield coordinator
    until(lambda: keys(coordinator) <= before, "an empty store")


def keys(coordinator: Coordinator) -> set[str]:
    """Return the names of all keys of the store, but for the marks that workers set and take away when idle."""
    with redis.Redis.from_url(coordinator.store, decode_responses=True) as store:
        return {key for key in store.scan_iter(count=1000) if ":i:" not in key}


def raising(gate: Path, ledger: Ledger) -> Iterator[Canvas]:
    """Yield members of which the first runs, and when it does raise."""
    for key in range(SHORT):
        if key == SHORT // 2:
            until(lambda: len(ledger) == 1, "a member that runs")
            raise OutOfMembers
        yield call("hold", str(gate), ledger.path, key) if key == 0 else call("add", key, key)


SHAPES = [
    pytest.param(group, id="group"),
    pytest.param(lambda members: chord(members, call("total")), id="chord"),
    pytest.param(
        lambda members: chord([call("add", 1, 1), group(members)], call("total")) | call("add", 1), id="chain"
    ),
]


@pytest.mark.parametrize("shape", SHAPES)
def test_generator_that_raises_cancels_the_canvas(
    broken: Coordinator, gate: Path, ledger: Ledger, shape: Callable[[Any], Canvas]
) -> None:
    """Its error is raised where the canvas was sent; members that run are told, and all of it is removed."""
    with pytest.raises(OutOfMembers):
        shape(raising(gate, ledger)).delay()

    gate.write_text("open")
    assert ledger.counts() == {"0": 1}
    assert broken.program.process.poll() is None


async def test_generator_that_raises_cancels_a_canvas_sent_by_a_coroutine(
    broken: Coordinator, gate: Path, ledger: Ledger
) -> None:
    """The same with `await`."""
    with pytest.raises(OutOfMembers):
        await aio.delay(group(raising(gate, ledger)))

    await asyncio.to_thread(gate.write_text, "open")
    assert ledger.counts() == {"0": 1}
    await aio.close()
    assert broken.program.process.poll() is None


async def test_coroutine_that_is_cancelled_cancels_what_it_sends(broken: Coordinator, ledger: Ledger) -> None:
    """What was sent so far is removed."""

    def endless() -> Iterator[Canvas]:
        while True:
            yield call("mark", ledger.path, 0)

    sending = asyncio.create_task(aio.delay(group(endless())))
    while not len(ledger):  # noqa: ASYNC110 - the ledger is a file
        await asyncio.sleep(0)
    sending.cancel()

    with pytest.raises(asyncio.CancelledError):
        await sending
    await aio.close()
    assert broken.program.process.poll() is None


def test_client_that_is_killed_while_it_sends_leaves_nothing(
    system: System, broken: Coordinator, gate: Path, ledger: Ledger
) -> None:
    """The coordinator cancels what the dead client had sent, members that run among it."""
    client = system.python("client", __file__, str(gate), ledger.path, address=broken.address)

    assert client.ended() == -signal.SIGKILL
    gate.write_text("open")
    assert ledger.counts() == {"0": 1}


def _die(gate: Path, ledger: Ledger) -> None:
    """Send a canvas and be killed half-way: what this file does as a program."""
    app = App("dying")

    def members() -> Iterator[Canvas]:
        try:
            yield from raising(gate, ledger)
        except OutOfMembers:
            os.kill(os.getpid(), signal.SIGKILL)

    app.signature(group(members())).delay()


if __name__ == "__main__":
    import sys

    _die(Path(sys.argv[1]), Ledger(Path(sys.argv[2]).parent))
