"""The tasks that Gesso's workers run."""

from __future__ import annotations

import time

from gesso import App

app = App("bench")


@app.task(name="bench.add")
def add(x: int, y: int) -> int:
    """Add two numbers."""
    return x + y


@app.task(name="bench.count")
def count(values: list[int]) -> int:
    """Return how many values there are."""
    return len(values)


@app.task(name="bench.noop")
def noop(_padding: str) -> int:
    """Do nothing."""
    return 1


@app.task(name="bench.echo")
def echo(data: str) -> str:
    """Return what it was given."""
    return data


@app.task(name="bench.called")
def called(values: list[int]) -> list[float]:
    """Return how many values there are, and when it was called."""
    now = time.time()
    return [len(values), now]
