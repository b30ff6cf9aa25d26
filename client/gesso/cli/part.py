"""One of the processes that make up `gesso dev`."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO, Self

__all__ = ["Part", "PartEndedError"]

_TETHER = Path(__file__).with_name("tether.py")
_CHUNK_BYTES = 65_536
_LINE_BYTES = 1 << 20


class PartEndedError(Exception):
    """A process ended by itself.

    Attributes:
        name: What it is called.
        code: Its exit code; negative for the signal that ended it.
    """

    def __init__(self, name: str, code: int) -> None:
        how = f"by signal {-code}" if code < 0 else f"with code {code}"
        super().__init__(f"The {name} ended {how}.")
        self.name = name
        self.code = code


class Part:
    """A process: started, listened to until it is ready, and stopped. It does not outlive this one.

    What it prints is passed on. It is in a session of its own, so that Ctrl-C is for us alone.
    """

    def __init__(self, name: str, process: asyncio.subprocess.Process, pipe: int, sink: BinaryIO) -> None:
        self.name = name
        self._process = process
        self._pipe = pipe
        self._sink = sink
        self._copying: asyncio.Task[None] | None = None

    @classmethod
    async def start(cls, name: str, arguments: list[str], sink: BinaryIO) -> Self:
        """Start `gesso` with `arguments`; what it prints goes to `sink`."""
        theirs, ours = os.pipe()
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-I", "-S", str(_TETHER), str(theirs), sys.executable, "-P", "-m", "gesso", *arguments,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, limit=_LINE_BYTES,
            pass_fds=(theirs,), start_new_session=True,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},  # what tasks print is to be seen at once
        )  # fmt: skip
        os.close(theirs)
        return cls(name, process, ours, sink)

    async def line(self, begin: str, mark: str) -> str:
        """Return the first line that begins with `begin` and has `mark` in it; those before it are passed on.

        Raises:
            PartEndedError: If it ended first.
        """
        while line := await self._stdout.readline():
            text = line.decode(errors="replace").rstrip("\n")
            if text.startswith(begin) and mark in text:
                self._copying = asyncio.create_task(self._copy())
                return text
            self._pass_on(line)
        raise PartEndedError(self.name, await self._process.wait())

    async def wait(self) -> int:
        """Wait for its end and return its exit code."""
        code = await self._process.wait()
        if self._copying is not None:
            await self._copying
        return code

    async def stop(self, limit: timedelta) -> None:
        """Ask it to stop and wait for that; kill it if it takes longer than `limit`."""
        with suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGTERM)
        if self._copying is None:
            self._copying = asyncio.create_task(self._copy())
        try:
            async with asyncio.timeout(limit.total_seconds()):
                await self._process.wait()
        except TimeoutError:
            self.kill()
        await self.wait()
        os.close(self._pipe)

    def kill(self) -> None:
        """End it now, and everything that it started in its session."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)

    @property
    def _stdout(self) -> asyncio.StreamReader:
        if self._process.stdout is None:
            raise RuntimeError("Its output is not ours.")
        return self._process.stdout

    async def _copy(self) -> None:
        while chunk := await self._stdout.read(_CHUNK_BYTES):
            self._pass_on(chunk)

    def _pass_on(self, data: bytes) -> None:
        with suppress(BrokenPipeError):  # nobody reads us any more
            self._sink.write(data)
            self._sink.flush()
