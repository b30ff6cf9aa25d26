"""Processes that a benchmark starts are ended, and say why they failed."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from bench.processes import Client, Program, ProgramError, processor_seconds, resident_bytes, tree
from support.system import until

_ECHO = "import sys\nfor line in sys.stdin: print(line.strip(), flush=True)"
_PARENT = (
    "import subprocess, sys; print(subprocess.Popen(['sleep', '60']).pid, flush=True); sys.stdin.read(); "
)


def _gone(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    status = Path(f"/proc/{process}/stat")  # nobody buries it where the test runs as the first process
    return status.exists() and status.read_text().rpartition(")")[2].split()[0] == "Z"


def test_a_program_that_ends_early_says_what_it_said(tmp_path: Path) -> None:
    """The end of its log is the reason in the column."""
    with (
        Program("it", [sys.executable, "-c", "print('no such broker')"], tmp_path) as program,
        pytest.raises(ProgramError, match="it ended: no such broker"),
    ):
        program.line("ready")


def test_a_program_takes_its_children_along(tmp_path: Path) -> None:
    """Even one that stands still and would outlive it."""
    text = f"{_PARENT}import time; time.sleep(60)"
    with Program("it", [sys.executable, "-c", text], tmp_path) as program:
        child = int(program.line(""))
        assert tree(program.process.pid) == [program.process.pid, child]
        assert resident_bytes([program.process.pid]) > 1_000_000
        program.pause()
    assert program.process.returncode is not None
    until(lambda: _gone(child), "the child has ended")


def test_a_client_answers_line_for_line(tmp_path: Path) -> None:
    """An order is a line of JSON, and so is the answer."""
    with Client("it", [sys.executable, "-c", _ECHO], tmp_path) as client:
        assert client.ask({"workload": "call"}, 10) == {"workload": "call"}
    assert client.process.returncode is not None


def test_a_client_that_does_not_answer_is_given_up(tmp_path: Path) -> None:
    """No benchmark waits for ever."""
    with (
        Client("it", [sys.executable, "-c", "import sys; sys.stdin.read()"], tmp_path) as client,
        pytest.raises(ProgramError, match="no answer within 0 s"),
    ):
        client.ask({}, 0.05)


def test_a_client_that_died_says_why(tmp_path: Path) -> None:
    """Its last words are in its log."""
    with Client("it", [sys.executable, "-c", "raise SystemExit('no module')"], tmp_path) as client:
        client.process.wait()
        with pytest.raises(ProgramError, match="the client ended: no module"):
            client.ask({}, 10)


def test_the_time_of_a_processor_is_counted() -> None:
    """This process has had some since it began, and has more after work."""
    before = processor_seconds([os.getpid()])
    until(lambda: sum(range(100_000)) > 0 and processor_seconds([os.getpid()]) > before, "a tick was counted")
    assert processor_seconds([]) == 0
