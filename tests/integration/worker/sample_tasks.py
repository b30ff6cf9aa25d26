"""The user's module that the workers of these tests run."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from pathlib import Path
from typing import Any

from gesso import App

app = App("sample")


@app.task
def add(x: int, y: int) -> int:
    """Add two numbers."""
    return x + y


@app.task
def process_id() -> int:
    """Tell where it runs."""
    return os.getpid()


@app.task
def collect(values: list[Any], *more: Any) -> list[Any]:
    """Return what it was given."""
    return [values, *more]


@app.task
def fail(text: str) -> None:
    """Fail."""
    raise ValueError(text)


@app.task
def leave(code: int) -> None:
    """End the process, past everything that could catch it."""
    os._exit(code)


@app.task
def fork_and_terminate() -> int:
    """Fork a process that would wait for ever, end it with SIGTERM, and return its exit code."""
    child = os.fork()
    if child == 0:
        signal.pause()
    os.kill(child, signal.SIGTERM)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@app.task
def wait_for(gate: str) -> str:
    """Wait until someone opens the named pipe `gate` for writing, and return what is written."""
    return Path(gate).read_text()


@app.task
async def wait_for_other(gate: str) -> str:
    """As `wait_for`, on the event loop."""
    return await asyncio.to_thread(Path(gate).read_text)


@app.task
async def add_soon(x: int, y: int) -> int:
    """Add two numbers, on the event loop."""
    await asyncio.sleep(0)
    return x + y


@app.task
def noop() -> None:
    """Do nothing."""


@app.task
async def noop_soon() -> None:
    """Do nothing, on the event loop."""


_runs: Counter[int] = Counter()


@app.task
def count_runs(number: int) -> int:
    """Return how often this process was called with this number."""
    _runs[number] += 1
    return _runs[number]
