"""One child process, as its parent sees it: started, listened to, and blamed after its death."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import uuid
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from typing import Self

from gesso_worker.blame import BlamePage, DeadSession, page_file, record_count
from gesso_worker.config import WorkerConfig
from gesso_worker.lifeline import (
    Condemned,
    Farewell,
    Limited,
    Note,
    Orders,
    Ready,
    Refused,
    Retirement,
    Unloadable,
    parse_note,
)
from gesso_worker.limit_watch import LimitWatch

_CHUNK_BYTES = 65_536
# gRPC else writes a line of its own to the standard errors whenever a coordinator goes away.
_DEFAULTS = {"GRPC_VERBOSITY": "ERROR"}
# With gRPC's handlers for forks, which the SDK asks for, one in ten of the processes that a task forks
# ends with a segmentation fault, because the child uses grpc.aio (grpcio 1.85); without them, none.
_OVERRIDES = {"GRPC_ENABLE_FORK_SUPPORT": "0"}


class Child:
    """A child process.

    Attributes:
        session_id: The session that it registers as.
        ready: Its note that it is ready; None before.
        obstacle: Why it cannot work, in its own words; None if it did not say so.
        ended_well: Whether it took its leave: everything that it held is reported or returned.
    """

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        lifeline: socket.socket,
        page: BlamePage,
        session_id: str,
        heard: Callable[[], None],
    ) -> None:
        """Listen to `process`; `heard` is called after each of its notes."""
        self.session_id = session_id
        self.ready: Ready | None = None
        self.obstacle: str | None = None
        self.ended_well = False
        self._process = process
        self._lifeline = lifeline
        self._page = page
        self._watch = LimitWatch(page, retire=self._retire, kill=self.kill)
        self._heard = heard
        self._unread = b""
        asyncio.get_running_loop().add_reader(lifeline, self._listen)

    @classmethod
    async def start(
        cls,
        config: WorkerConfig,
        worker: str,
        dead_sessions: tuple[DeadSession, ...],
        heard: Callable[[], None],
    ) -> Self:
        """Start a process and give it its orders, one at a time."""
        session_id = uuid.uuid4().hex
        slot_count = record_count(config.threads)
        ours, theirs = socket.socketpair()
        ours.settimeout(0)
        with theirs, page_file(slot_count=slot_count) as file, _interrupts_held():
            page = BlamePage(file.fileno(), slot_count=slot_count)
            orders = Orders(
                config=config,
                worker=worker,
                session_id=session_id,
                page=file.fileno(),
                dead_sessions=dead_sessions,
            )
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-P", "-m", "gesso_worker.child", str(theirs.fileno()),
                stdin=asyncio.subprocess.DEVNULL, pass_fds=(theirs.fileno(), file.fileno()),
                env=_DEFAULTS | os.environ | _OVERRIDES,
            )  # fmt: skip
        with suppress(ConnectionError):  # it died at once: `wait` will tell
            await asyncio.get_running_loop().sock_sendall(ours, orders.to_line())
        return cls(process, ours, page, session_id, heard)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    async def wait(self) -> int:
        """Wait for its end and read the last of its notes.

        Returns:
            Its exit code; negative for the signal that ended it.
        """
        code = await self._process.wait()
        self._watch.close()
        self._listen()
        asyncio.get_running_loop().remove_reader(self._lifeline)
        self._lifeline.close()
        return code

    def blame(self) -> DeadSession:
        """Return what is to be said of its session. Only after `wait`, and only once."""
        dead = self._watch.blame(self.session_id)
        self._page.close()
        return dead

    def drain(self) -> None:
        """Ask it to finish what it runs and end."""
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        """End it now."""
        self._send(signal.SIGKILL)

    def _retire(self, retirement: Retirement) -> None:
        with suppress(OSError):  # it is ending, or too stuck to read: it is killed in time
            self._lifeline.sendall(retirement.to_line())

    def _send(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            self._process.send_signal(number)

    def _listen(self) -> None:
        """Read the notes that have come. At the end of the stream, stop listening."""
        with suppress(BlockingIOError, ConnectionError):
            while chunk := self._lifeline.recv(_CHUNK_BYTES):
                self._unread += chunk
            asyncio.get_running_loop().remove_reader(self._lifeline)
        *lines, self._unread = self._unread.split(b"\n")
        for line in lines:
            self._take(parse_note(line))
            self._heard()

    def _take(self, note: Note) -> None:
        match note:
            case Ready():
                self.ready = note
            case Unloadable(reason=reason) | Refused(reason=reason):
                self.obstacle = reason
            case Limited():
                self._watch.look()
            case Condemned(token=token):
                self._watch.condemn(token)
            case Farewell():
                self.ended_well = True


@contextmanager
def _interrupts_held() -> Generator[None, None, None]:
    """Have a process that starts meanwhile begin with SIGINT held back, until it ignores it itself.

    Ctrl-C reaches every process of the terminal's group, and what it means is the parent's to decide. The
    mask is this process's meanwhile, so no two of these may overlap.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
