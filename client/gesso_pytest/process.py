"""A process of Gesso: started, listened to, and stopped. It does not outlive the run of pytest."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta

from gesso.cli import tether

__all__ = ["Process", "ProcessError", "running"]

_READY_LIMIT, _STOP_LIMIT = timedelta(seconds=30), timedelta(seconds=20)
"""Far more than either takes; what takes longer hangs."""
_CHUNK_BYTES = 65_536
_OURS = ("GESSO_ADDRESS", "GESSO_DATA", "GESSO_STORE")
"""They may name what a developer works with, and tests are to stay away from that."""


class ProcessError(Exception):
    """A process did not become ready."""


@contextmanager
def running(name: str, arguments: Sequence[str], **environment: str) -> Generator[Process]:
    """Run the command `gesso` with `arguments` for as long as the context lasts."""
    pipe, ours = os.pipe()
    try:
        popen = subprocess.Popen(
            [
                sys.executable, "-I", "-S", tether.__file__, str(pipe),
                sys.executable, "-P", "-m", "gesso", *arguments,
            ],
            env=_environment() | environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, pass_fds=(pipe,), start_new_session=True,
        )  # fmt: skip
        with popen:
            process = Process(name, popen)
            try:
                yield process
            finally:
                process.stop()
    finally:
        os.close(pipe)
        os.close(ours)


def _environment() -> dict[str, str]:
    """Return an environment in which the same modules are found as here."""
    kept = {name: value for name, value in os.environ.items() if name not in _OURS}
    return kept | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "PYTHONUNBUFFERED": "1"}


class Process:
    """A process that runs, and everything that it and its children have said."""

    def __init__(self, name: str, process: subprocess.Popen[bytes]) -> None:
        self._name = name
        self._process = process
        if process.stdout is None:
            raise ValueError("Its output is not ours.")
        self._pipe = process.stdout.fileno()
        self._output = bytearray()
        self._silent = False
        self._changed = threading.Condition()
        os.set_blocking(self._pipe, False)
        self._reader = threading.Thread(target=self._read, name=f"reads the {name}", daemon=True)
        self._reader.start()

    @property
    def said(self) -> str:
        """Everything that was said until now."""
        with self._changed:
            self._take()  # what a task has printed is here when its result is
            return self._output.decode(errors="replace")

    def line(self, *parts: str) -> str:
        """Wait for a line that has all the parts in it, and return the first one.

        Raises:
            ProcessError: If it ended before, or took too long.
        """

        def found() -> str | None:
            lines = self._output.decode(errors="replace").splitlines(keepends=True)
            return next(
                (line for line in lines if line[-1] == "\n" and all(part in line for part in parts)), None
            )

        with self._changed:
            self._changed.wait_for(lambda: self._silent or found(), _READY_LIMIT.total_seconds())
            if (line := found()) is not None:
                return line
            how = "ended" if self._silent else f"was not ready within {_READY_LIMIT.total_seconds():.0f} s"
        raise ProcessError(f"The {self._name} {how}. It said:\n{self.said}")

    def stop(self) -> None:
        """Ask it to end and wait for that and its children's end; kill them if it takes too long."""
        limit = _STOP_LIMIT.total_seconds()
        self._process.terminate()
        self._reader.join(limit)
        if self._reader.is_alive():
            with suppress(ProcessLookupError, PermissionError):  # the second says macOS of one not buried yet
                os.killpg(self._process.pid, signal.SIGKILL)
            self._reader.join(limit)
        self._process.wait(limit)

    def _read(self) -> None:
        something = select.poll()
        something.register(self._pipe, select.POLLIN)
        while not self._silent:
            something.poll()
            with self._changed:
                self._take()

    def _take(self) -> None:
        """Take what has been said and not been taken yet. The lock is held."""
        while not self._silent:
            try:
                chunk = os.read(self._pipe, _CHUNK_BYTES)
            except BlockingIOError:
                return
            self._output += chunk
            self._silent = not chunk
            self._changed.notify_all()
