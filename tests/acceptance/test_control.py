"""Retries, deadlines, cancelling and running again, with real processes, from the SDK and from the command line."""

from __future__ import annotations

import subprocess
import sys

import pytest

from gesso import App, chain, chord, group
from gesso.canvas import Canvas
from gesso.errors import DeadlineExceeded, FailedPrecondition, TaskRevokedError
from support.system import LIMIT_SECONDS, Coordinator, System, until

TASKS = """
import time
from pathlib import Path

from gesso import App

app = App("control")
FOLDER = Path(__file__).parent


@app.task(autoretry_for=(OSError,), retry_backoff=True, retry_backoff_max=0, max_retries=5)
def flaky(good):
    with (FOLDER / "flaky").open("a") as ledger:
        ledger.write("x")
    if len((FOLDER / "flaky").read_text()) < good:
        raise ConnectionError("gone")
    return good


@app.task
def add(x, y):
    with (FOLDER / "adds").open("a") as ledger:
        ledger.write("x")
    return x + y


@app.task
def total(values):
    if not (FOLDER / "mended").exists():
        raise ValueError("broken")
    return sum(values)


@app.task
def sleep(seconds):
    time.sleep(seconds)
"""


@pytest.fixture
def running(system: System) -> tuple[Coordinator, App]:
    """A coordinator and a worker, and a client of theirs."""
    (system.folder / "control_tasks.py").write_text(TASKS)
    coordinator = system.coordinator()
    system.worker(coordinator, module="control_tasks", threads=2)
    return coordinator, system.client(coordinator)


def sig(app: App, name: str, *args: object) -> Canvas:
    """Return a signature of one of the tasks."""
    return app.signature(f"control_tasks.{name}", args=args)


def gesso(coordinator: Coordinator, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [sys.executable, "-P", "-m", "gesso", *words, "--address", coordinator.address],
        capture_output=True, text=True, timeout=LIMIT_SECONDS, check=False,
    )  # fmt: skip


def test_task_is_retried_as_it_declares(running: tuple[Coordinator, App]) -> None:
    """A client that knows only its name gets the value of the attempt that worked."""
    _, app = running

    result = sig(app, "flaky", 3).delay()

    assert result.get(timeout=LIMIT_SECONDS) == 3
    assert result.retries == 2


def test_failed_canvas_runs_again_from_what_failed(running: tuple[Coordinator, App], system: System) -> None:
    """From the SDK and from the command line; what succeeded does not run again."""
    coordinator, app = running
    result = chord([sig(app, "add", number, number) for number in range(5)], sig(app, "total"))()
    with pytest.raises(ValueError, match="broken"):
        result.get(timeout=LIMIT_SECONDS)

    failed = gesso(coordinator, "retry", result.id)
    (system.folder / "mended").touch()
    again = app.control.retry(result)

    assert failed.returncode == 1
    assert again is not None
    assert again.get(timeout=LIMIT_SECONDS) == 20
    assert gesso(coordinator, "retry", result.id).stdout.strip() == "20"
    assert (system.folder / "adds").read_text() == "x" * 5
    assert gesso(coordinator, "retry", again.id).returncode == 2
    with pytest.raises(FailedPrecondition):
        app.control.retry(again)


def test_deadline_ends_the_whole_canvas(running: tuple[Coordinator, App]) -> None:
    """`get` says which deadline it was; what waited has ended."""
    _, app = running
    canvas = chain(sig(app, "sleep", 0).set(countdown=600), sig(app, "add", 1).set(immutable=True))

    result = canvas.apply_async(deadline=0.2)

    with pytest.raises(DeadlineExceeded, match=r"deadline of 0\.2 s"):
        result.get(timeout=LIMIT_SECONDS)
    assert result.state == "REVOKED"
    with pytest.raises(ValueError, match="more than 0"):
        canvas.apply_async(deadline=0)


def test_canvas_and_group_are_cancelled(running: tuple[Coordinator, App]) -> None:
    """A whole canvas from the command line, a group from its result."""
    coordinator, app = running
    waiting = group(
        chain(sig(app, "sleep", 0).set(countdown=600), sig(app, "total")),
        sig(app, "sleep", 0).set(countdown=600),
    )
    one, other = waiting.delay(), waiting.delay()

    done, again = (gesso(coordinator, "cancel", one.canvas_id or "") for _ in range(2))
    other.revoke()

    assert (done.stdout, again.stdout) == ("cancelled\n", "it has ended already\n")
    for result in (one, other):
        with pytest.raises(TaskRevokedError):
            result.get(timeout=LIMIT_SECONDS)
    until(other.ready, "the members' end")
    assert [member.state for member in other] == ["FAILURE", "REVOKED"]


def test_dead_letters_from_the_command_line(running: tuple[Coordinator, App]) -> None:
    """Without any, the list is empty and nothing can be shown."""
    coordinator, app = running
    result = sig(app, "add", 1, 2).delay()
    result.get(timeout=LIMIT_SECONDS)

    assert gesso(coordinator, "dead").stdout == ""
    assert gesso(coordinator, "dead", "show", result.id).returncode == 2
    assert gesso(coordinator, "dead", "replay", result.id).returncode == 2
    assert gesso(coordinator, "dead", "purge", "--all").stdout == "0 taken off the list\n"
    assert gesso(coordinator, "dead", "purge").returncode == 2
