"""Processes that own an embedded store, and what a test does to them."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from gesso_server.store.embedded import Guard

_PROGRAM = Path(__file__).with_name("owner_process.py")
_LINE_LIMIT_SECONDS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """A process that owns an embedded store, leader of a process group of its own."""

    process: asyncio.subprocess.Process
    url: str
    """Where its store answers."""

    @classmethod
    async def start(cls, data_directory: Path, guard: Guard) -> Self:
        """Start one and wait until its store answers."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(_PROGRAM),
            str(data_directory),
            guard,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        return cls(process=process, url=await _read_line(process))

    async def read_line(self) -> str:
        """Return the next line it prints."""
        return await _read_line(self.process)

    async def kill(self) -> None:
        """Kill it with SIGKILL, and wait until it is dead."""
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()


StartOwner = Callable[[Guard], Awaitable[Owner]]


async def _read_line(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    async with asyncio.timeout(_LINE_LIMIT_SECONDS):
        return (await process.stdout.readline()).decode().strip()
