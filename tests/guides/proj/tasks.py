"""The tasks that the guides' examples speak of, as far as a guide shows them, and as simple otherwise.

What a task does that no result shows goes into a journal: one line, `task arguments`, in the file that the
environment names.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from .celery import app


def note(task: str, *facts: Any) -> None:
    """Add a line to the journal, in one piece whoever else writes."""
    line = " ".join([task, *(str(fact) for fact in facts)]).replace("\n", " ")
    journal = os.open(os.environ["GUIDES_JOURNAL"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(journal, f"{line}\n".encode())
    finally:
        os.close(journal)


@app.task
def add(x: int, y: int, debug: bool = False) -> int:  # noqa: FBT001, FBT002 - the guides' own
    """Add two numbers."""
    note("add", x, y, debug)
    return x + y


@app.task
def mul(x: int, y: int) -> int:
    """Multiply two numbers."""
    return x * y


@app.task
def subtract(x: int, y: int) -> int:
    """Subtract one number from another."""
    return x - y


@app.task
def tsum(numbers: list[int]) -> int:
    """Add up numbers."""
    return sum(numbers)


@app.task
def xsum(numbers: list[int]) -> int:
    """Add up numbers, under the name that older guides use."""
    return sum(numbers)


@app.task
def reset_buffers() -> str:
    """Take no argument."""
    note("reset_buffers")
    return "reset"


@app.task
def other_task(value: int) -> int:
    """Take the value of the task that it is linked to."""
    note("other_task", value)
    return value


@app.task
def log_result(value: int) -> None:
    """Take the value of the task that it is linked to."""
    note("log_result", value)


@app.task
def log_error(request: Any, exc: BaseException, traceback: str) -> None:
    """Write a failure down, as the guides' error link does."""
    path = Path(os.environ["GUIDES_ERRORS"]) / request.id
    with path.open("a") as fh:
        print(f"--\n\n{request.id} {exc} {traceback}", file=fh)
    note("log_error", request.id, repr(exc))


@app.task
def log_error_id(task_id: str) -> None:
    """Write a failure down, as the oldest guide's error link does, which gets the failed task's id."""
    result = app.AsyncResult(task_id)
    path = Path(os.environ["GUIDES_ERRORS"]) / task_id
    with path.open("a") as fh:
        print(f"--\n\n{task_id} {result.result} {result.traceback}", file=fh)
    note("log_error_id", task_id, result.state)


@app.task
def on_chord_error(request: Any, exc: BaseException, traceback: str) -> None:  # noqa: ARG001 - the guides' own
    """Tell of a failed chord."""
    note("on_chord_error", f"Task {request.id!r} raised error: {exc!r}")


@app.task
def fail() -> None:
    """Fail."""
    raise ValueError("failed")


@app.task
def raising_task() -> None:
    """Fail as the guides' chord does."""
    raise ValueError("something something")


@app.task
def import_contact(contact: str) -> str:
    """Take one contact."""
    note("import_contact", contact)
    return contact


@app.task
def notify_complete(import_id: str) -> str:
    """Take an id, and no contacts."""
    note("notify_complete", import_id)
    return import_id


@app.task
def create_user(username: str, first: str, last: str, email: str) -> dict[str, str]:
    """Make a user."""
    return {"username": username, "name": f"{first} {last}", "email": email}


@app.task
def import_contacts(user: dict[str, str]) -> str:
    """Take the user that was made."""
    return f"contacts of {user['username']}"


@app.task
def send_welcome_email(user: dict[str, str]) -> str:
    """Take the user that was made."""
    return f"welcome {user['email']}"


@app.task(ignore_result=False)
def another_task(project: str) -> None:
    """Return nothing, and keep it."""
    note("another_task", project)
