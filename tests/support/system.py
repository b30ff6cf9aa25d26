"""The real system for a test: coordinators, stores and workers as processes, gone when the test ends."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self, TypeVar

from gesso import App
from gesso_server.store.embedded.binary import find_binary

R = TypeVar("R")

LIMIT_SECONDS = 30.0
"""How long anything that a test waits for may take."""
TESTS = Path(__file__).parent.parent
# Below the ports that systems give to outgoing connections, so that none takes one between two starts.
_PORTS = range(15_000, 30_000)
_POLL_SECONDS = 0.005


def until(condition: Callable[[], bool], what: str, *, limit: float = LIMIT_SECONDS) -> None:
    """Wait until `condition` holds; for what nobody can be told of, such as the growth of a file."""
    deadline = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not within {limit} s"
        time.sleep(_POLL_SECONDS)


def free_port() -> int:
    """Return a port of this machine that nobody listens on."""
    while True:
        port = random.choice(_PORTS)  # noqa: S311 - no secret
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


class Program:
    """A process and everything that it and its children say."""

    def __init__(self, name: str, command: Sequence[str], environment: dict[str, str], cwd: Path) -> None:
        """Start it, in a process group of its own."""
        self.name = name
        self._lines: list[str] = []
        self._changed = threading.Condition()
        self._silent = False
        self.process = subprocess.Popen(
            command, env=os.environ | environment, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, errors="replace", start_new_session=True,
        )  # fmt: skip
        self._reader = threading.Thread(target=self._read, name=f"reads {name}", daemon=True)
        self._reader.start()

    @property
    def said(self) -> str:
        """Everything that it has said."""
        with self._changed:
            return "".join(self._lines)

    def line(self, *parts: str) -> str:
        """Wait for a line that has all the parts in it, and return the first one."""
        found: list[str] = []

        def look() -> bool:
            found[:] = [line for line in self._lines if all(part in line for part in parts)]
            return bool(found) or self._silent

        with self._changed:
            assert self._changed.wait_for(look, LIMIT_SECONDS), f"{self.name} did not say {parts}"
        assert found, f"{self.name} ended without saying {parts}: {self.said}"
        return found[0]

    def kill(self) -> None:
        """Kill it, as `kill -9` does, and wait for its end."""
        self.process.kill()
        self.process.wait(LIMIT_SECONDS)

    def terminate(self) -> None:
        """Ask it to end."""
        self.process.send_signal(signal.SIGTERM)

    def ended(self) -> int:
        """Wait for its end and return its exit code."""
        return self.process.wait(LIMIT_SECONDS)

    def ended_with_children(self) -> None:
        """Wait until nobody is left that could say something: neither it nor a child of it."""
        self._reader.join(LIMIT_SECONDS)
        assert not self._reader.is_alive(), f"{self.name} left children behind"

    def close(self) -> None:
        """End it and its children, whatever they do, and print what was said, for a test that failed."""
        with suppress(ProcessLookupError, PermissionError):  # the second says macOS of one not buried yet
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(LIMIT_SECONDS)
        self.ended_with_children()
        assert self.process.stdout is not None
        self.process.stdout.close()
        print(f"--- {self.name} said:\n{self.said}")  # noqa: T201 - pytest shows it when the test fails

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._changed:
                self._lines.append(line)
                self._changed.notify_all()
        with self._changed:
            self._silent = True
            self._changed.notify_all()


class HasStore(Protocol):
    """What knows a store's address."""

    @property
    def store(self) -> str:
        """The address."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Coordinator:
    """A coordinator that serves."""

    address: str
    store: str
    program: Program
    http: str = ""
    """Where its pages are, if it has any."""

    def resident_bytes(self) -> int:
        """Return how much memory it takes, its store not counted."""
        listed = subprocess.run(
            ["ps", "-o", "rss=", "-p", str(self.program.process.pid)],  # noqa: S607 - where a system has it
            capture_output=True, text=True, check=True, timeout=LIMIT_SECONDS,
        )  # fmt: skip
        return int(listed.stdout) * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreServer:
    """A store on its own."""

    store: str
    """Its address."""
    program: Program


@dataclass(slots=True)
class System:
    """The processes of one test. Everything lies in `folder`."""

    folder: Path
    lease_seconds: float = 3.0
    """So soon a silent worker loses its tasks. The product's own 30 s would be a long test."""
    grace_seconds: float = 1.0
    """So soon a worker whose connection broke loses its tasks. The product's own is 10 s."""
    settings: Sequence[str] = ()
    """What every coordinator is told besides, as `--set` takes it."""
    _stack: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def client(self, *coordinators: Coordinator) -> App:
        """Return a client of the coordinators, which is the current app."""
        return self._stack.enter_context(App("client", addresses(coordinators)))

    def background(self, function: Callable[[], R]) -> Future[R]:
        """Call a function in another thread, which has ended when the test has."""
        return self._stack.enter_context(ThreadPoolExecutor(1)).submit(function)

    def run(self, name: str, command: Sequence[str], **environment: str) -> Program:
        """Start a program that finds the tests' modules."""
        paths = [str(TESTS), *(path for path in sys.path if path)]
        known = {"PYTHONPATH": os.pathsep.join(paths), "PYTHONUNBUFFERED": "1", **environment}
        program = Program(name, command, known, self.folder)
        self._stack.callback(program.close)
        return program

    def python(self, name: str, *words: str, address: str) -> Program:
        """Start a Python program of a user, who knows the coordinators at `address`."""
        return self.run(name, [sys.executable, "-P", *words], GESSO_ADDRESS=address)

    def gesso(self, name: str, *words: str) -> Program:
        """Start the command `gesso`."""
        return self.run(name, [sys.executable, "-P", "-m", "gesso", *words])

    def coordinator(
        self,
        *options: str,
        port: int | None = None,
        store: HasStore | None = None,
        data: str = "data",
        settings: Sequence[str] = (),
        partitions: int | None = None,
    ) -> Coordinator:
        """Start a coordinator, and wait until it serves.

        Args:
            options: Further words of the command.
            port: Where it is to listen; by default at any free one.
            store: Another's, or one on its own. By default one embedded, with its data in the folder `data`.
            data: A folder of the system's.
            settings: Texts `NAME=VALUE`, as `--set` takes them.
            partitions: How many the store has; None for what it has, or one.
        """
        where = ["--store", store.store] if store else ["--data", str(self.folder / data)]
        times = [f"--lease-seconds={self.lease_seconds}", f"--grace-seconds={self.grace_seconds}"]
        if partitions is not None:
            where += ["--partitions", str(partitions)]
        program = self.gesso(
            "coordinator", "server", "--address", f"127.0.0.1:{port or free_port()}", *where, *times, *options,
            "--output", "json", *(word for text in (*self.settings, *settings) for word in ("--set", text)),
        )  # fmt: skip
        told = json.loads(program.line('"coordinator.ready"'))
        return Coordinator(
            address=told["address"], store=told["store"], program=program, http=told["http"] or ""
        )

    def worker(
        self,
        *coordinators: Coordinator,
        processes: int = 1,
        threads: int = 1,
        module: str = "acceptance.tasks",
        options: Sequence[str] = (),
    ) -> Program:
        """Start a worker, and wait until it is ready."""
        program = self.gesso(
            "worker", "worker", "-A", module, "--address", addresses(coordinators), "--processes", str(processes),
            "--threads", str(threads), *options,
        )  # fmt: skip
        program.line("worker ", " ready: ")
        return program

    def store(self, *, port: int | None = None) -> StoreServer:
        """Start a store on its own, and wait until it answers. On a port used before it has its data again."""
        port = port or free_port()
        data = self.folder / f"store-{port}"
        data.mkdir(exist_ok=True)
        options = {
            "port": str(port), "bind": "127.0.0.1", "dir": str(data), "save": "", "appendonly": "yes",
            "maxmemory-policy": "noeviction",
        }  # fmt: skip
        words = [word for name, value in options.items() for word in (f"--{name}", value)]
        program = self.run("store", [str(find_binary().path), *words])
        program.line("Ready to accept connections")
        return StoreServer(store=f"redis://127.0.0.1:{port}", program=program)


def addresses(coordinators: Iterable[Coordinator]) -> str:
    """Return the coordinators' addresses as clients and workers take them."""
    return ",".join(coordinator.address for coordinator in coordinators)


def port_of(address: str) -> int:
    """Return the port in an address."""
    return int(address.rpartition(":")[2])
