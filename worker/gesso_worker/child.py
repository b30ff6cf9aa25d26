"""A child of a worker: it imports the user's module, holds a stream and runs tasks.

    python -P -m gesso_worker.child FD

where FD is its end of the lifeline. SIGTERM drains it. SIGINT and SIGQUIT it ignores, because keys reach every
process of the terminal's group, and what it means is the parent's to say. It does not outlive its
parent: a thread of its own waits for the end of the lifeline, so that not even a task that blocks the
event loop keeps it alive. That thread also hears when the parent wants it to retire.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn

from gesso import signals
from gesso.app import App
from gesso.log import task_fields
from gesso_telemetry.current import span_fields
from gesso_telemetry.logs import LogLevel, log_to_stderr
from gesso_telemetry.setup import flush, set_up, set_up_metrics
from gesso_telemetry.stamped import StampedTracer
from gesso_worker import forks
from gesso_worker.blame import BlamePage, record_count
from gesso_worker.connection import Connection, CoordinatorRefused
from gesso_worker.inputs import InputReader
from gesso_worker.lifeline import Farewell, Note, Orders, Ready, Refused, Retirement, Unloadable, note_line
from gesso_worker.loading import LoadError, load_app
from gesso_worker.metrics import RunMetrics
from gesso_worker.runner import Runner
from gesso_worker.session import Session

_LOG = logging.getLogger("gesso.worker")
# How long the last reports may take to be acknowledged, after the running tasks' own limit.
_DELIVERY_SECONDS = 10.0
# How long an orphan lives, and how much of it its running tasks have.
_ORPHAN_SECONDS = 1.0
_ORPHAN_DRAIN_SECONDS = 0.3


class Lifeline:
    """The child's end of what joins it to its parent.

    Attributes:
        orphaned: Called, from a thread, when the parent has ended.
        retired: Called, from that thread, when the parent wants the child to end.
    """

    def __init__(self, descriptor: int) -> None:
        """Take over the socket `descriptor`; programs that tasks start do not get it."""
        self.orphaned: Callable[[], object] = lambda: None
        self.retired: Callable[[Retirement], object] = lambda _retirement: None
        self._telling = threading.Lock()
        self._socket = socket.socket(fileno=descriptor)
        self._socket.set_inheritable(False)

    def read_orders(self) -> Orders:
        """Wait for the parent's orders.

        Raises:
            ValueError: If the parent ended before it gave any.
        """
        with self._socket.makefile("rb") as lines:
            return Orders.from_line(lines.readline())

    def tell(self, note: Note) -> None:
        """Send a note, from any thread; a parent that is gone needs none."""
        with suppress(OSError), self._telling:
            self._socket.sendall(note_line(note))

    def watch(self) -> None:
        """From now on, end the process soon after its parent has ended."""
        threading.Thread(target=self._wait_for_end, name="lifeline", daemon=True).start()

    def _wait_for_end(self) -> None:
        with suppress(OSError), self._socket.makefile("rb") as lines:
            for line in lines:
                self.retired(Retirement.from_line(line))
        with suppress(RuntimeError):  # the event loop has ended before
            self.orphaned()
        time.sleep(_ORPHAN_SECONDS)
        os._exit(1)


class ChildProcess:
    """What runs on a child's event loop."""

    def __init__(self, orders: Orders, app: App, lifeline: Lifeline) -> None:
        """Open nothing yet."""
        self._config = orders.config
        self._lifeline = lifeline
        self._loop = asyncio.get_running_loop()
        self._connection = Connection(orders.config.addresses(), welcomed=self._on_welcome)
        page = BlamePage(orders.page, slot_count=record_count(orders.config.threads))
        os.close(orders.page)
        inputs = InputReader(self._connection.channel, orders.session_id, app.error_classes)
        runner = Runner(app, orders.worker, inputs, StampedTracer.found("gesso.worker"))
        self._worker = orders.worker
        self._session = Session(
            orders, runner.task_names(), runner, page, wake=self._connection.wake, tell=lifeline.tell
        )
        self._session.limits = runner.limits()
        self._session.metrics = RunMetrics.found(frozenset(runner.task_names()), orders.config.threads)
        self._serving = self._loop.create_task(self._connection.run(self._session), name="connection")
        self._ready_told = False

    async def run(self) -> int:
        """Serve until asked to stop, or until the parent ends.

        Returns:
            The exit code: 0 when everything held was reported or returned.
        """
        drain_seconds = self._config.drain_timeout.total_seconds()
        self._loop.add_signal_handler(signal.SIGTERM, self._on_terminate, drain_seconds)
        self._lifeline.orphaned = self._on_orphaned
        self._lifeline.retired = lambda retirement: self._loop.call_soon_threadsafe(
            self._session.retire, retirement
        )
        signals.worker_init.send(self._worker)
        signals.worker_process_init.send(None)
        code = await self._serve()
        signals.worker_process_shutdown.send(None, pid=os.getpid(), exitcode=code)
        signals.worker_shutdown.send(self._worker)
        if code == 0:
            self._lifeline.tell(Farewell())
        if self._session.abandoned:  # and are now cut short, as was reported
            _end_now(code)
        return code

    async def _serve(self) -> int:
        try:
            await self._serving
        except CoordinatorRefused as refusal:
            self._lifeline.tell(Refused(reason=str(refusal)))
            return 1
        except asyncio.CancelledError:
            if not self._session.over:
                _LOG.error(
                    "worker.stopped_early reason=%s", "not all that it held is reported and acknowledged"
                )
                return 1
        return 0

    def _on_terminate(self, limit_seconds: float) -> None:
        signals.worker_shutting_down.send(self._worker, sig="SIGTERM", how="Warm", exitcode=0)
        self._leave(limit_seconds)

    def _leave(self, limit_seconds: float) -> None:
        """Finish what runs, if it takes no longer than the limit, and end."""
        self._session.leave()
        self._loop.call_later(limit_seconds, self._session.abandon)
        self._loop.call_later(limit_seconds + _DELIVERY_SECONDS, self._serving.cancel)
        if self._session.over and not self._connection.is_open:
            self._serving.cancel()

    def _on_orphaned(self) -> None:
        self._loop.call_soon_threadsafe(self._leave, _ORPHAN_DRAIN_SECONDS)

    def _on_welcome(self) -> None:
        if not self._ready_told:
            self._ready_told = True
            self._lifeline.tell(Ready(task_count=self._session.task_count))
            signals.worker_ready.send(self._worker)


def main() -> int:
    """Be a child and return its exit code."""
    for number in (signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})  # its parent held it back until here
    lifeline = Lifeline(int(sys.argv[1]))
    orders = lifeline.read_orders()
    lifeline.watch()
    try:
        app = load_app(orders.config.app)
    except LoadError as error:
        lifeline.tell(Unloadable(reason=str(error)))
        return 1
    set_up("gesso-worker")
    set_up_metrics("gesso-worker")
    forks.register()
    # After the user's module, so that a set-up of its own stands.
    log_to_stderr(LogLevel.INFO, orders.config.log_format, _known)
    return asyncio.run(_serve(orders, app, lifeline))


def _known() -> dict[str, object]:
    """Return what is known where something is logged: the task that runs, and its span."""
    return {**task_fields(), **span_fields()}


async def _serve(orders: Orders, app: App, lifeline: Lifeline) -> int:
    return await ChildProcess(orders, app, lifeline).run()


def _end_now(code: int) -> NoReturn:
    """End the process with whatever still runs in it."""
    flush()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    sys.exit(main())
