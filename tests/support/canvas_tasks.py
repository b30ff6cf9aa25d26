"""Tasks for canvases at random: each writes down that it ran and what it got, and all say what they were told.

In a worker they write into the file that `GESSO_TEST_LEDGER` names; where they are run eagerly, into `eager_ledger`.
"""

from __future__ import annotations

import json
import os
import re
import zlib
from typing import Any

from gesso import App, Outcome, Request, Task, maybe_signature
from gesso.errors import Ignore, Reject

LEDGER = "GESSO_TEST_LEDGER"
ON_HEADER = "GESSO_TEST_ON_HEADER"
"""Set in a worker that is to send canvases with `allow_error_cb_on_chord_header`."""

app = App("canvases", allow_error_cb_on_chord_header=ON_HEADER in os.environ)
eager_ledger: list[str] = []
_NODE = re.compile(r"[0-9a-f]{32}-\d+")


def note(task: Task[..., Any], run: str, label: int, *got: Any) -> None:
    """Write down that a task ran, in one piece whoever else writes."""
    line = json.dumps([run, label, [_plain(each) for each in got]])
    if task.request.is_eager:
        eager_ledger.append(line)
        return
    file = os.open(os.environ[LEDGER], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(file, f"{line}\n".encode())
    finally:
        os.close(file)


def told(error: BaseException) -> str:
    """Return what is noted of an error."""
    return f"error: {type(error).__name__}: {error}"


def _plain(value: Any) -> Any:
    """Return a value as it is noted; ids that nobody chose are all the same."""
    match value:
        case Outcome():
            return [value.state, _plain(value.value), told(value.error) if value.error else None]
        case list() | tuple():
            return [_plain(each) for each in value]
        case str():
            return _NODE.sub("NODE", value)
        case _:
            return value


def digest(label: int, *got: Any) -> int:
    """Return a number that tells what a task got, but for the texts of errors."""

    def known(value: Any) -> Any:
        if isinstance(value, Outcome):
            return [value.state, known(value.value)]
        return [known(each) for each in value] if isinstance(value, (list, tuple)) else value

    return zlib.crc32(json.dumps([label, known(got)]).encode())


@app.task(bind=True)
def work(self: Task[..., Any], *got: Any, run: str, label: int) -> int:
    """End well."""
    note(self, run, label, *got)
    return digest(label, *got)


@app.task(bind=True)
def fail(self: Task[..., Any], *got: Any, run: str, label: int) -> None:
    """Fail."""
    note(self, run, label, *got)
    raise ValueError(f"boom {label}")


@app.task(bind=True)
def ignore(self: Task[..., Any], *got: Any, run: str, label: int, state: str | None = None) -> None:
    """Ask to be ignored."""
    note(self, run, label, *got)
    self.update_state(state=state)
    raise Ignore


@app.task(bind=True)
def reject(self: Task[..., Any], *got: Any, run: str, label: int) -> None:
    """Reject itself: the first time to be delivered again, and then for good."""
    note(self, run, label, *got)
    raise Reject(requeue=self.request.attempt == 1)


@app.task(bind=True)
def again(self: Task[..., Any], *got: Any, run: str, label: int, times: int) -> int:
    """Ask to be run again so many times; two are allowed."""
    note(self, run, label, self.request.retries, *got)
    if self.request.retries < times:
        raise self.retry(exc=ValueError(f"boom {label}"), countdown=0, max_retries=2)
    return digest(label, *got)


@app.task(bind=True)
def swap(self: Task[..., Any], *got: Any, run: str, label: int, canvas: dict[str, Any]) -> None:
    """Be replaced."""
    note(self, run, label, *got)
    self.replace(canvas)


@app.task(bind=True)
def grow(self: Task[..., Any], *got: Any, run: str, label: int, canvas: dict[str, Any]) -> int:
    """Add a member to the join that it is a member of, if it is."""
    note(self, run, label, *got)
    if self.request.group is not None:
        self.add_to_chord(maybe_signature(canvas))
    return digest(label, *got)


@app.task(bind=True)
def told_id(self: Task[..., Any], failed_id: str, /, *, run: str, label: int) -> int:
    """Take note of a failure by its id."""
    note(self, run, label, failed_id)
    return label


@app.task(bind=True)
def told_all(
    self: Task[..., Any], request: Request, exc: BaseException, traceback: str, /, *, run: str, label: int
) -> int:
    """Take note of a failure, and of where it happened."""
    note(self, run, label, request.id, request.task, list(request.args), told(exc), type(traceback).__name__)
    return label
