"""The parent of a worker: it starts children, replaces dead ones, and passes on what a person asks.

It imports nothing of the user's and no gRPC: a process that has used gRPC cannot safely start others by
forking, and one that runs foreign code cannot be relied on to watch. What a child was running when it
died is read from its blame page and told to the coordinator by the child that takes its place.

SIGTERM or SIGINT drains: the children finish what they run. A second one kills them, as SIGQUIT does at once.
"""

from __future__ import annotations

import asyncio
import logging
import os
import platform
import signal
from contextlib import suppress
from datetime import timedelta

from gesso_worker.backoff import Backoff
from gesso_worker.blame import DeadSession
from gesso_worker.children import Child
from gesso_worker.config import WorkerConfig

_LOG = logging.getLogger("gesso.worker")
# A child may take this much longer than the tasks it waits for, to deliver their results.
_LEAVE_ALLOWANCE = timedelta(seconds=15)
# How long a place stays empty after a child that died before it was ready.
_FIRST_PAUSE, _LONGEST_PAUSE = timedelta(milliseconds=200), timedelta(seconds=10)

# After so many in a row a worker that never was ready gives up.
_MAX_EARLY_DEATHS = 3


class Obstacle(Exception):
    """No child can work, and none ever could. Its text is for the person who started the worker."""


class Parent:
    """One worker, from its start to its end."""

    def __init__(self, config: WorkerConfig) -> None:
        """Start nothing yet."""
        self._config = config
        self._name = config.name or f"{platform.node()[:80]}:{os.getpid()}"
        self._children: dict[int, Child] = {}
        self._announced = False
        self._obstacle: str | None = None
        self._killed = False
        self._starting = asyncio.Lock()
        self._stopping = asyncio.Event()

    async def run(self) -> bool:
        """Hold the children until asked to stop.

        Returns:
            Whether every child ended by itself; False if one had to be killed.

        Raises:
            Obstacle: If the children cannot work, and never could.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._on_signal, number)
        loop.add_signal_handler(signal.SIGQUIT, self._on_quit)
        async with asyncio.TaskGroup() as places:
            for place in range(1, self._config.process_count() + 1):
                places.create_task(self._hold(place), name=f"child {place}")
        if self._obstacle is not None:
            raise Obstacle(self._obstacle)
        return not self._killed

    async def _hold(self, place: int) -> None:
        """Keep one child running, replacing each that dies."""
        pause = Backoff(first=_FIRST_PAUSE, longest=_LONGEST_PAUSE)
        early_deaths = 0
        dead: tuple[DeadSession, ...] = ()
        while not self._stopping.is_set():
            worker = f"{self._name}/{place}"
            async with self._starting:
                child = await Child.start(self._config, worker, dead, heard=self._announce)
            self._children[place] = child
            if self._stopping.is_set():
                child.kill()  # it holds nothing yet
            code = await child.wait()
            del self._children[place]
            dead = _still_to_tell(child, dead)
            early_deaths = early_deaths + 1 if child.ready is None else 0
            if not self._stopping.is_set():
                self._judge(place, child, code, early_deaths)
                await self._pause(pause, child)

    def _judge(self, place: int, child: Child, code: int, early_deaths: int) -> None:
        """Say why a child ended, and end everything if none can work and none ever could."""
        how = f"by signal {-code}" if code < 0 else f"with code {code}"
        obstacle = child.obstacle
        if obstacle is None and early_deaths >= _MAX_EARLY_DEATHS:
            obstacle = f"its processes die {how} before they are ready"
        if obstacle is not None and not self._announced:
            self._obstacle = obstacle
            self._stopping.set()
            self._kill()
        elif child.obstacle is not None:
            _LOG.error("child.cannot_work child=%d reason=%s", place, child.obstacle)
        elif child.ended_well:
            _LOG.info("child.left child=%d pid=%d", place, child.pid)
        else:
            _LOG.warning("child.died child=%d pid=%d how=%s", place, child.pid, how)

    async def _pause(self, pause: Backoff, child: Child) -> None:
        """Wait before the next child, if `child` died before it was ready."""
        if child.ready is not None:
            pause.reset()
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(pause.wait_seconds()):
                await self._stopping.wait()

    def _announce(self) -> None:
        """Print one line, once, when every child is ready."""
        ready = [child.ready for child in self._children.values() if child.ready is not None]
        count = self._config.process_count()
        if self._announced or len(ready) < count:
            return
        self._announced = True
        print(  # noqa: T201 - the one line that a person and a script wait for
            f"worker {self._name} ready: {count} processes × {self._config.threads} threads, "  # noqa: RUF001 - "by"
            f"queues {','.join(self._config.queues)}, tasks {ready[0].task_count}, "
            f"coordinator {self._config.address}",
            flush=True,
        )

    def _on_signal(self, number: int) -> None:
        if self._stopping.is_set():
            self._kill()
            return
        self._stopping.set()
        _LOG.info("worker.draining signal=%s", signal.Signals(number).name)
        for child in self._children.values():
            child.drain()
        limit = self._config.drain_timeout + _LEAVE_ALLOWANCE
        asyncio.get_running_loop().call_later(limit.total_seconds(), self._kill)

    def _on_quit(self) -> None:
        self._stopping.set()
        _LOG.info("worker.ending signal=%s", "SIGQUIT")
        self._kill()

    def _kill(self) -> None:
        for child in self._children.values():
            self._killed = True
            child.kill()


def _still_to_tell(child: Child, dead: tuple[DeadSession, ...]) -> tuple[DeadSession, ...]:
    """Return the sessions that the next child must name, after the end of `child`, which named `dead`.

    A child that was not ready has perhaps not named them, and itself never held a task.
    """
    last = child.blame()
    if child.ready is None:
        return dead
    return () if child.ended_well else (last,)


def run(config: WorkerConfig) -> bool:
    """Run a worker until it is asked to stop. As `Parent.run`."""
    return asyncio.run(_run(config))


async def _run(config: WorkerConfig) -> bool:
    return await Parent(config).run()
