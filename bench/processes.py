"""Processes that a benchmark starts, each of which has ended when it ends, and what they take."""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

ROOT = Path(__file__).resolve().parents[1]
"""The repository: `bench` is a package from here."""
START_LIMIT_S = 60.0
_STOP_LIMIT_S = 20.0
_POLL_S = 0.02
_LINES_OF_A_LOG = 15
_USER_TICKS = 11
"""Where a process's time in user mode stands in its `stat`, behind its name; that in the kernel follows."""


class ProgramError(Exception):
    """A process did not do what it was started for. The text is for the column of the table."""


class Program:
    """A process in a session of its own: Ctrl-C reaches the benchmark, which ends it."""

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        folder: Path,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Start it.

        Args:
            name: Name of its log.
            command: Program and arguments.
            folder: Where it runs and its log is kept.
            environment: What it is told besides.
        """
        self.name = name
        self._log = folder / f"{name}.log"
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                list(map(str, command)), cwd=folder, env=_environment(environment or {}), stdin=subprocess.DEVNULL,
                stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def line(self, text: str, limit: float = START_LIMIT_S) -> str:
        """Wait for a line with `text` in it, and return it.

        Raises:
            ProgramError: If there is none in time, or it ended.
        """
        deadline = time.monotonic() + limit
        while True:
            ended = self.process.poll() is not None  # looked at first, so that its last lines are read
            for line in self._log.read_text(errors="replace").splitlines():
                if text in line:
                    return line
            if ended or time.monotonic() > deadline:
                raise ProgramError(
                    f"{self.name} {'ended' if ended else 'did not start in time'}: {self.last_lines()}"
                )
            time.sleep(_POLL_S)

    def last_lines(self) -> str:
        """Return the end of its log."""
        return last_lines(self._log)

    def pause(self) -> None:
        """Have it and its children stand still, so that they take no time from whatever is measured."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it and its children go on."""
        self._signal(signal.SIGCONT)

    def stop(self) -> None:
        """Ask it to end, and kill it with its children if it does not."""
        end(self.process)

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):  # its end shows when it is asked for something
            os.killpg(self.process.pid, number)


class Client:
    """A driver: a process that answers one order, a line of JSON, with one line of JSON."""

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        folder: Path,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Start it. Nothing is said before it is asked."""
        self.name = name
        self._log = folder / f"{name}-client.log"
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                list(map(str, command)), cwd=folder, env=_environment(environment or {}), stdin=subprocess.PIPE,
                stdout=subprocess.PIPE, stderr=log, start_new_session=True,
            )  # fmt: skip

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self.process.stdin is not None  # noqa: S101 - asked for above
        assert self.process.stdout is not None  # noqa: S101
        with suppress(OSError):
            self.process.stdin.close()
        end(self.process)
        self.process.stdout.close()

    def ask(self, order: Mapping[str, object], limit: float) -> dict[str, Any]:
        """Have an order done and return the answer.

        Raises:
            ProgramError: If it was not answered in time, or the process ended: then there is no point in asking on.
        """
        self.tell(order)
        return self.answer(limit)

    def tell(self, order: Mapping[str, object]) -> None:
        """Give an order, whose answer is taken later."""
        assert self.process.stdin is not None  # noqa: S101
        try:
            self.process.stdin.write(json.dumps(order).encode() + b"\n")
            self.process.stdin.flush()
        except OSError as error:
            raise ProgramError(f"the client ended: {last_lines(self._log)}") from error

    def ready(self, seconds: float) -> bool:
        """Return whether there is an answer, or an end, within some seconds."""
        assert self.process.stdout is not None  # noqa: S101
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            return bool(selector.select(seconds))

    def answer(self, limit: float) -> dict[str, Any]:
        """Return the answer to the order that was given."""
        assert self.process.stdout is not None  # noqa: S101
        if not self.ready(limit):
            raise ProgramError(f"no answer within {limit:.0f} s")
        line = self.process.stdout.readline()
        if not line:
            raise ProgramError(f"the client ended: {last_lines(self._log)}")
        answer: dict[str, Any] = json.loads(line)
        return answer


def end(process: subprocess.Popen[bytes]) -> None:
    """End a process of a session of its own, and whatever is left of its children."""
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGCONT)  # it may stand still
        process.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_STOP_LIMIT_S)
    with suppress(ProcessLookupError, PermissionError):  # the second says macOS of one not buried yet
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def last_lines(log: Path) -> str:
    """Return the end of a log, on one line."""
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    return " / ".join(line.strip() for line in lines[-_LINES_OF_A_LOG:]) or "it said nothing"


def tree(parent: int) -> list[int]:
    """Return a process and its descendants."""
    listed = subprocess.run(
        ["ps", "-axo", "pid=,ppid="],  # noqa: S607 - where a system has it
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    pairs = [tuple(map(int, line.split())) for line in listed.splitlines()]
    found = [parent]
    for each in found:  # grows meanwhile
        found += [child for child, of in pairs if of == each]
    return found


def resident_bytes(processes: Iterable[int]) -> int:
    """Return how much memory processes take, together; one that has ended takes none."""
    numbers = list(processes)
    if not Path("/proc/self/statm").exists():
        return _resident_by_ps(numbers)
    pages = 0
    for number in numbers:
        with suppress(OSError):
            pages += int(Path(f"/proc/{number}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def processor_seconds(processes: Iterable[int]) -> float:
    """Return how long processes have had a processor, together, those that have ended left out."""
    numbers = list(processes)
    if not Path("/proc/self/stat").exists():
        return _processor_by_ps(numbers)
    ticks = 0
    for number in numbers:
        with suppress(OSError):
            fields = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[_USER_TICKS]) + int(fields[_USER_TICKS + 1])
    return ticks / os.sysconf("SC_CLK_TCK")


def _processor_by_ps(numbers: list[int]) -> float:
    listed = subprocess.run(
        ["ps", "-o", "time=", "-p", ",".join(map(str, numbers))],  # noqa: S607
        capture_output=True, text=True, check=False,
    ).stdout  # fmt: skip
    seconds = 0.0
    for line in listed.splitlines():  # [hours:]minutes:seconds
        total = 0.0
        for part in line.strip().replace("-", ":").split(":"):
            total = 60 * total + float(part)
        seconds += total
    return seconds


def _resident_by_ps(numbers: list[int]) -> int:
    listed = subprocess.run(
        ["ps", "-o", "rss=", "-p", ",".join(map(str, numbers))],  # noqa: S607
        capture_output=True, text=True, check=False,
    ).stdout  # fmt: skip
    return 1024 * sum(map(int, listed.split()))


def _environment(told: Mapping[str, str]) -> dict[str, str]:
    """Return a process's environment: nothing of a person's own settings for any of the systems reaches it."""
    foreign = ("GESSO_", "CELERY_", "DRAMATIQ_", "dramatiq_", "OTEL_", "PYTHON")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    return kept | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", **told}


def python() -> str:
    """Return this process's Python, which has Gesso."""
    return sys.executable
