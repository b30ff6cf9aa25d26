"""`gesso worker`, as it is typed."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys

import pytest

from integration.worker.peer import LIMIT_SECONDS, Peer
from integration.worker.workers import HERE, Worker

SCRIPT = """
import typer
from gesso_worker.cli import app_command
app = typer.Typer()
app.command("worker")(app_command)
app(prog_name="gesso worker")
"""
ENVIRONMENT = os.environ | {
    "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
    "NO_COLOR": "1",
    "COLUMNS": "200",
}


async def test_options_reach_the_worker(peer: Peer) -> None:
    """Every option is obeyed; the process that was started is the worker's parent itself."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SCRIPT, "-A", "sample_tasks:app", "--queues", "mail, default",
        "--processes", "2", "--threads", "3", "--name", "kiln", "--drain-timeout", "5",
        cwd=HERE, env=ENVIRONMENT | {"GESSO_ADDRESS": peer.address},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    worker = Worker(process)

    await worker.line("worker kiln ready: 2 processes × 3 threads, queues mail,default, tasks")  # noqa: RUF001
    worker.signal(signal.SIGTERM)

    assert await worker.ended() == 0
    assert sorted(stream.hello.worker for stream in peer.streams[:2]) == ["kiln/1", "kiln/2"]
    await worker.close()


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ([], "Missing option"),
        (["-A", "proj", "--threads", "0"], "threads"),
        (["-A", "proj", "--queues", "a,,b"], "A queue's name is empty."),
        (["-A", "proj", "--address", ","], "The address is empty"),
    ],
)
def test_wrong_options_are_refused(arguments: list[str], text: str) -> None:
    """A mistake is named, and the exit code is 2."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *arguments],
        env=ENVIRONMENT, capture_output=True, text=True, timeout=LIMIT_SECONDS, check=False,
    )  # fmt: skip

    assert done.returncode == 2
    assert text in done.stderr
