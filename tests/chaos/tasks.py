"""Tasks whose every run is written into a ledger outside of the system: key, node, attempt, process."""

from __future__ import annotations

import os
from typing import Any

from gesso import App
from gesso.request import Request

app = App("chaos")


def write(ledger: str, key: str, request: Request) -> None:
    """Add a line, in one piece whoever else writes."""
    file = os.open(ledger, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(file, f"{key} {request.node_id} {request.attempt} {os.getpid()}\n".encode())
    finally:
        os.close(file)


@app.task(bind=True)
def first(self: Any, value: int, ledger: str, key: str) -> int:
    """Return the value: the beginning of something."""
    write(ledger, key, self.request)
    return value


@app.task(bind=True)
def step(self: Any, value: int, ledger: str, key: str) -> int:
    """Return one more."""
    write(ledger, key, self.request)
    return value + 1


@app.task(bind=True)
def fold(self: Any, values: list[int], ledger: str, key: str) -> int:
    """Add up: the body of a chord."""
    write(ledger, key, self.request)
    return sum(values)
