"""The task that Gesso's workers run in the benchmark."""

from __future__ import annotations

from gesso import App

app = App("bench")


@app.task(name="bench.add")  # the worker imports this module under another name than the bench does
def add(x: int, y: int) -> int:
    """Add two numbers."""
    return x + y
