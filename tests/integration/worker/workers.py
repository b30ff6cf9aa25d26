"""Real worker processes for the tests: started, read, and gone when the test ends."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

from gesso_worker.config import WorkerConfig, parent_command
from integration.worker.peer import LIMIT_SECONDS, Noticeboard

HERE = Path(__file__).parent


class Gate:
    """A named pipe that tasks wait for.

    Attributes:
        path: The task's argument.
    """

    def __init__(self, folder: Path) -> None:
        """Make the pipe."""
        self.path = str(folder / "gate")
        os.mkfifo(self.path)

    async def open(self, text: str) -> None:
        """Wait until a task waits, and let it go on with `text`."""
        async with asyncio.timeout(LIMIT_SECONDS):
            await asyncio.to_thread(Path(self.path).write_text, text)


class Worker:
    """A worker's parent, as a process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        """Read what `process` says as it comes."""
        self.process = process
        self._board = Noticeboard()
        self._lines: list[str] = []
        self._readers = [
            asyncio.create_task(self._read(stream)) for stream in (process.stdout, process.stderr)
        ]

    def signal(self, number: int) -> None:
        """Send the parent a signal."""
        self.process.send_signal(number)

    async def ended(self) -> int:
        """Wait for the end and return the exit code."""
        async with asyncio.timeout(LIMIT_SECONDS):
            return await self.process.wait()

    async def line(self, part: str) -> str:
        """Wait for a line, on the standard output or errors, that has `part` in it."""
        found = await self._board.until(lambda: [line for line in self._lines if part in line])
        return found[0]

    async def said(self) -> str:
        """Wait for the end of parent and children, and return all that they said.

        That no pipe is open for writing any more is how their end is known.
        """
        await self.ended()
        async with asyncio.timeout(LIMIT_SECONDS):
            await asyncio.gather(*self._readers)
        return "".join(self._lines)

    async def close(self) -> None:
        """End what still runs."""
        with suppress(ProcessLookupError):
            self.process.kill()
        print(await self.said())  # noqa: T201 - pytest shows it when the test fails

    async def _read(self, stream: asyncio.StreamReader | None) -> None:
        assert stream is not None
        async for line in stream:
            self._lines.append(line.decode())
            self._board.notify()


@asynccontextmanager
async def running_worker(address: str, *, cwd: Path = HERE, **settings: Any) -> AsyncGenerator[Worker, None]:
    """Run a worker with `sample_tasks` and one process, unless the settings say otherwise."""
    usual: dict[str, Any] = {"app": "sample_tasks", "processes": 1, "drain_timeout": timedelta(seconds=10)}
    config = WorkerConfig(address=address, **(usual | settings))
    process = await asyncio.create_subprocess_exec(
        *parent_command(config),
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    worker = Worker(process)
    try:
        yield worker
    finally:
        await worker.close()
