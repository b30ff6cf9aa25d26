"""The slots of a child: threads for plain functions, coroutines on the event loop for `async def`.

Tasks begin in the order they came. A plain function costs neither a hop between threads nor a wake-up:
its thread takes it from a queue, runs it, leaves the outcome in a list and takes the next. The loop is
woken once for everything that ended until it looks. So that both kinds share one number of slots and
keep their order, the loop *releases* tasks from the front of the line:

- a plain function at once while no coroutine runs: the threads are as many as the slots;
- anything else as soon as fewer tasks are released and unfinished than there are slots.

A task whose start the coordinator must know of is *announced* when a slot is free for it, and begins when the
coordinator has acknowledged that. Meanwhile it holds the slot, and can still be taken back.

A task belongs to whoever takes it out of `_unstarted`: the slot that is about to run it or the loop
that takes it back. So what is returned as unstarted is never run.
"""

from __future__ import annotations

import asyncio
import contextvars
import time
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread
from typing import Protocol

from gesso.v1.worker_service_pb2 import Assignment, Outcome
from gesso_worker.blame import BlamePage
from gesso_worker.interruption import CoroutineInterruption, ThreadInterruption
from gesso_worker.job import Job
from gesso_worker.token import Token


class Runs(Protocol):
    """What a slot needs to run an assignment. Neither `run` ever raises."""

    def wants_loop(self, assignment: Assignment) -> bool:
        """Return whether it is run by `run_on_loop`."""
        ...

    def run(self, job: Job) -> Outcome:
        """Run a plain function and return what it ended with."""
        ...

    async def run_on_loop(self, job: Job) -> Outcome:
        """Run a coroutine function and return what it ended with."""
        ...


class Slots:
    """Runs jobs, at most `slot_count` at one time. Its methods are for the event loop's thread."""

    def __init__(
        self,
        runner: Runs,
        page: BlamePage,
        *,
        slot_count: int,
        wake: Callable[[], None],
        limited: Callable[[], None] = lambda: None,
    ) -> None:
        """Run nothing yet.

        Args:
            wake: Called on the loop after tasks have ended.
            limited: Called from any thread when a task begins that must have ended before the parent looks.
        """
        self._limited = limited
        self._runner = runner
        self._page = page
        self._slot_count = slot_count
        self._wake = wake
        self._loop = asyncio.get_running_loop()
        # What a task sees of context variables: what the user's module left when it was imported.
        self._context = contextvars.copy_context()
        self._line: deque[Job] = deque()
        self._unstarted: dict[Token, Job] = {}
        self._announced: dict[Token, Job] = {}  # those of the unstarted that hold a slot
        self._alarms: dict[Job, asyncio.TimerHandle] = {}
        self._released_count = 0
        self._queue: SimpleQueue[Job] = SimpleQueue()
        self._thread_count = 0
        self._coroutines: dict[Job, asyncio.Task[None]] = {}
        # The page's records that coroutines use; those before them are the threads'.
        self._free_records = list(range(2 * slot_count - 1, slot_count - 1, -1))
        self._finished: deque[tuple[Job, Outcome | None]] = deque()
        self._woken = False

    def add(self, job: Job) -> None:
        """Put a job at the end of the line."""
        job.on_loop = self._runner.wants_loop(job.assignment)
        self._unstarted[job.token] = job
        self._line.append(job)

    def release(self) -> None:
        """Let begin what may begin. Call it after `add` and after `take_finished`."""
        while self._line:
            job = self._line[0]
            full = self._released_count >= self._slot_count
            binding = job.limits is not None and job.limits.binding
            if full and (job.on_loop or binding or self._coroutines or self._announced):
                return
            self._line.popleft()
            if job.token not in self._unstarted:
                continue
            self._released_count += 1
            if binding:
                job.announced = True
                self._announced[job.token] = job
            else:
                self._begin(job)

    def begin_announced(self, token: Token) -> None:
        """Let a task begin whose announcement was acknowledged. One that was taken back does not."""
        job = self._announced.pop(token, None)
        if job is not None:
            self._begin(job)

    def take_finished(self) -> list[tuple[Job, Outcome]]:
        """Return the jobs that ended since the last call, in that order, with their outcomes."""
        taken: list[tuple[Job, Outcome]] = []
        while self._finished:
            job, outcome = self._finished.popleft()
            self._released_count -= not job.on_loop
            if job.interruption is not None and (alarm := self._alarms.pop(job, None)):
                alarm.cancel()
            if outcome is not None:
                taken.append((job, outcome))
        return taken

    def take_back(self, token: Token) -> bool:
        """Return whether the job had not begun; it then never will."""
        if self._announced.pop(token, None) is not None:
            self._released_count -= 1
        return self._unstarted.pop(token, None) is not None

    def stop(self, job: Job) -> None:
        """Ask a running job to end early. Only a coroutine can be asked."""
        if coroutine := self._coroutines.get(job):
            if job.started_at is None:  # cancelled before its first step, it would never say that it ended
                self._loop.call_soon(self.stop, job)
            else:
                coroutine.cancel()

    @property
    def unstarted_count(self) -> int:
        """How many jobs have not begun."""
        return len(self._unstarted)

    def _begin(self, job: Job) -> None:
        self._begin_coroutine(job) if job.on_loop else self._enqueue(job)

    def _enqueue(self, job: Job) -> None:
        self._queue.put(job)
        if self._thread_count < min(self._slot_count, self._released_count - len(self._coroutines)):
            # Daemons: a task that never ends must not keep a drained process alive.
            Thread(
                target=self._serve, args=(self._thread_count,), name=f"slot-{self._thread_count}", daemon=True
            ).start()
            self._thread_count += 1

    def _serve(self, record: int) -> None:
        """Run plain functions, one after the other, for as long as the process lives."""
        while True:
            job = self._queue.get()
            if self._unstarted.pop(job.token, None) is None:
                self._finish(job, None)
                continue
            if job.limits is not None and job.limits.soft_seconds is not None:
                job.interruption = ThreadInterruption()
                self._loop.call_soon_threadsafe(self._set_alarm, job, job.limits.soft_seconds)
            began = self._enter(record, job)
            outcome = self._context.copy().run(self._runner.run, job)
            job.run_seconds = time.monotonic() - began
            self._page.end(record)
            self._finish(job, outcome)

    def _begin_coroutine(self, job: Job) -> None:
        del self._unstarted[job.token]
        self._coroutines[job] = self._loop.create_task(
            self._run_coroutine(job), name=f"task {job.token.node_id}", context=self._context.copy()
        )

    async def _run_coroutine(self, job: Job) -> None:
        record = self._free_records.pop()
        if job.limits is not None and job.limits.soft_seconds is not None:
            job.interruption = CoroutineInterruption()
            self._set_alarm(job, job.limits.soft_seconds)
        began = self._enter(record, job)
        outcome = await self._runner.run_on_loop(job)
        job.run_seconds = time.monotonic() - began
        self._page.end(record)
        self._free_records.append(record)
        del self._coroutines[job]
        self._released_count -= 1
        self._finish(job, outcome)
        self.release()  # the next one begins while the frame is written

    def _enter(self, record: int, job: Job) -> float:
        """Write down what is about to run, and return when it began. From any thread."""
        job.started_at = began = time.monotonic()
        if job.limits is None or job.limits.hard_seconds is None:
            self._page.begin(record, job.token)
            return began
        deadline = began + job.limits.hard_seconds
        self._page.begin(record, job.token, deadline)
        look = self._page.next_look  # after the record was written, see `limit_watch`
        if not look or look > deadline:
            self._limited()
        return began

    def _set_alarm(self, job: Job, seconds: float) -> None:
        if job.interruption is not None and not job.run_seconds:
            self._alarms[job] = self._loop.call_later(seconds, job.interruption.send)

    def _finish(self, job: Job, outcome: Outcome | None) -> None:
        """Leave an outcome for the loop, and wake it unless it will look anyway. From any thread.

        The loop clears `_woken` before it looks, so whoever still reads it as set has left its
        outcome where that look finds it.
        """
        self._finished.append((job, outcome))
        if not self._woken:
            self._woken = True
            self._loop.call_soon_threadsafe(self._look)

    def _look(self) -> None:
        self._woken = False
        self._wake()
