"""The tasks of the guides that import them with `from tasks import add`."""

from __future__ import annotations

from gesso import App

app = App("tasks")


@app.task
def add(x: int, y: int, debug: bool = False) -> int:  # noqa: ARG001, FBT001, FBT002 - the guides' own
    """Add two numbers."""
    return x + y


@app.task
def tsum(numbers: list[int]) -> int:
    """Add up numbers."""
    return sum(numbers)


@app.task
def raising_task() -> None:
    """Fail as the guides' chord does."""
    raise ValueError("something something")
