"""One process of the store, from its start until it is known to be dead."""

from __future__ import annotations

import asyncio
import subprocess
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from gesso_server.store.embedded.guard import Guard, signalled_command, watched_command
from gesso_server.store.embedded.lifeline import Lifeline


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """What a store's process is started with."""

    command: Sequence[str]
    guard: Guard
    lock_fd: int
    """Inherited, so that the lock is held as long as owner or store lives."""
    directory: Path
    """Where it runs."""
    log: Path
    """Gets what the process writes to its standard output and error."""


class StoreProcess:
    """One process of the store, guarded. Bound to no event loop."""

    def __init__(self, process: subprocess.Popen[bytes], lifeline: Lifeline | None) -> None:
        self._process = process
        self._lifeline = lifeline
        self._end: Future[int] = Future()
        self._end.set_running_or_notify_cancel()  # a waiter that is cancelled must not cancel the end
        threading.Thread(target=self._await_end, name="gesso-store-end", daemon=True).start()

    @classmethod
    def start(cls, launch: Launch) -> Self:
        """Start a store's process.

        Raises:
            RuntimeError: If called from another than the main thread. The kernel sends the
                parent-death signal when the *thread* that started the process ends.
            OSError: If the program cannot be started.
        """
        if threading.current_thread() is not threading.main_thread():
            raise RuntimeError("The store must be started from the main thread, or it dies with another one.")
        match launch.guard:
            case Guard.PARENT_DEATH_SIGNAL:
                return cls(_spawn(launch, signalled_command(launch.command), (launch.lock_fd,)), None)
            case Guard.WATCHER:
                return cls._start_watched(launch)

    @classmethod
    def _start_watched(cls, launch: Launch) -> Self:
        lifeline = Lifeline.open()
        fds = (lifeline.their_fd, launch.lock_fd)
        command = watched_command(launch.command, lifeline_fd=lifeline.their_fd, lock_fd=launch.lock_fd)
        try:
            return cls(_spawn(launch, command, fds), lifeline)
        finally:
            lifeline.hand_over()

    @property
    def exit_code(self) -> int | None:
        """The exit code once it is dead, negative for a signal; `None` while it lives."""
        return self._end.result() if self._end.done() else None

    async def wait(self) -> int:
        """Return the exit code, once it is dead and nothing of it can write any more."""
        return await asyncio.wrap_future(self._end)

    def kill(self) -> None:
        """Kill it, without waiting. Repeating it is harmless."""
        if self._lifeline is not None:
            self._lifeline.hang_up()
        elif not self._end.done():
            self._process.kill()

    def _await_end(self) -> None:
        code = self._process.wait()
        if self._lifeline is not None:
            self._lifeline.bury()
        self._end.set_result(code)


def _spawn(launch: Launch, command: Sequence[str], fds: Sequence[int]) -> subprocess.Popen[bytes]:
    with launch.log.open("ab") as log:
        return subprocess.Popen(
            command,
            cwd=launch.directory,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=fds,
            start_new_session=True,  # Ctrl-C goes to the terminal's group: it must not stop the store
        )
