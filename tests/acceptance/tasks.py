"""The project whose canvases the acceptance tests run, and the ledger that counts what its tasks did."""

from __future__ import annotations

import os
import time
from collections import Counter
from pathlib import Path
from typing import Any

from gesso import App, Ignore, Reject, Signature, Task, signature

app = App("acceptance")


@app.task
def add(x: int, y: int) -> int:
    """Add two numbers."""
    return x + y


@app.task
def total(values: list[int]) -> int:
    """Add up."""
    return sum(values)


@app.task
def mark(ledger: str, key: int) -> int:
    """Work for a millisecond, write into the ledger that `key` was done, and return it."""
    time.sleep(0.001)
    write(ledger, str(key))
    return key


@app.task
def mark_for(ledger: str, name: str, key: int) -> int:
    """Write into the ledger that `key` of `name` was done, and return it."""
    write(ledger, f"{name}-{key}")
    return key


@app.task
def mark_next(value: int, ledger: str) -> int:
    """Write `value + 1` into the ledger, and return it."""
    return mark(ledger, value + 1)


@app.task
def close_books(values: list[int], ledger: str) -> int:
    """Write into the ledger that a body ran, and add up what it was given."""
    write(ledger, "body")
    return sum(values)


@app.task
def close_book(values: list[int], ledger: str, book: str) -> int:
    """Write into the ledger that the body of `book` ran, and add up what it was given."""
    write(ledger, f"body-{book}")
    return sum(values)


@app.task
def hold(gate: str, ledger: str, key: int) -> int:
    """Write into the ledger, and wait until the named pipe `gate` is opened for writing."""
    write(ledger, str(key))
    Path(gate).read_text()
    return key


@app.task
def work(ledger: str, seconds: float) -> tuple[float, float]:
    """Sleep, and return from when to when, by the clock that all processes share."""
    begin = time.monotonic()
    write(ledger, "work")
    time.sleep(seconds)
    return begin, time.monotonic()


@app.task(rate_limit="20/s")
def tick() -> float:
    """Return when it ran, by the clock that all processes share."""
    return time.monotonic()


@app.task
def boom(text: str) -> None:
    """Fail."""
    raise ValueError(text)


class KilnError(Exception):
    """An error that no client knows."""


@app.task
def boom_strangely(text: str) -> None:
    """Fail with an error that no client knows."""
    raise KilnError(text)


@app.task
def leave(ledger: str) -> None:
    """End the process, past everything that could catch it."""
    write(ledger, "left")
    os._exit(7)


@app.task(bind=True)
def tell(self: Task[..., Any], *_: Any) -> dict[str, Any]:
    """Return what the task knows of its place, before it does anything."""
    names = (
        "id",
        "root_id",
        "parent_id",
        "group",
        "groups",
        "level",
        "canvas_id",
        "trace_id",
        "span_id",
        "stamps",
    )
    return {name: getattr(self.request, name) for name in names}


@app.task(bind=True)
def swap(self: Task[..., Any], canvas: dict[str, Any]) -> None:
    """Be replaced."""
    self.replace(canvas)


@app.task(bind=True)
def again(self: Task[..., Any], times: int, most: int) -> int:
    """Ask to be run again so many times, of which some are allowed; return how often that was."""
    if self.request.retries < times:
        raise self.retry(exc=ValueError("once more"), countdown=0, max_retries=most)
    return self.request.retries


@app.task(bind=True)
def skip(self: Task[..., Any], state: str | None = None) -> None:
    """Ask to be ignored."""
    self.update_state(state=state)
    raise Ignore


@app.task(bind=True)
def refuse(self: Task[..., Any], times: int, *, requeue: bool) -> int:
    """Reject itself so many times; return the number of the delivery."""
    if self.request.attempt <= times:
        raise Reject(requeue=requeue)
    return self.request.attempt


def call(name: str, *args: Any, **kwargs: Any) -> Signature[Any]:
    """Return a signature of a task of this project, to be sent by the current app."""
    made: Signature[Any] = signature(f"{__name__}.{name}", args=args, kwargs=kwargs)
    return made


def write(ledger: str, key: str) -> None:
    """Add a line, in one piece whoever else writes: `key`, and who did it."""
    file = os.open(ledger, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(file, f"{key} {os.getpid()}\n".encode())
    finally:
        os.close(file)


class Ledger:
    """What tasks did, counted outside of the system.

    Attributes:
        path: The tasks' argument.
    """

    def __init__(self, folder: Path) -> None:
        """Nothing is done."""
        self.path = str(folder / "ledger")

    def counts(self) -> Counter[str]:
        """Return how often each key was done."""
        return Counter(key for key, _ in self._entries())

    def __len__(self) -> int:
        return len(self._entries())

    def keys(self) -> list[str]:
        """Return what was written, in order."""
        return [key for key, _ in self._entries()]

    def process_ids(self) -> list[int]:
        """Return who did something, without repeats, in the order they began."""
        return list(dict.fromkeys(int(process_id) for _, process_id in self._entries()))

    def _entries(self) -> list[tuple[str, str]]:
        try:
            text = Path(self.path).read_text()
        except FileNotFoundError:
            return []
        whole, _, _ = text.rpartition("\n")
        return [(key, process_id) for key, process_id in (line.split() for line in whole.splitlines())]


@app.task
def track(ledger: str, key: int) -> int:
    """Write into the ledger that `key` begins, work for a millisecond, and write that it ends."""
    write(ledger, f"begin-{key}")
    time.sleep(0.001)
    write(ledger, f"end-{key}")
    return key


@app.task(bind=True)
def track_and_grow(self: Any, ledger: str, key: int, more: int) -> int:
    """Do as `track`, and add so many more of it to the group."""
    for number in range(more):
        self.add_to_chord(track.s(ledger, 1000 * (key + 1) + number))
    return track(ledger, key)


@app.task(bind=True)
def track_instead(self: Any, ledger: str, key: int) -> None:
    """Have a chain of two take its place, each of which does as `track`."""
    self.replace(track.si(ledger, key) | track.si(ledger, key))
