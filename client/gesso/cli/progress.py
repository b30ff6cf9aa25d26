"""A bar that shows how much of a canvas is done, on the standard error if a person is looking."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

__all__ = ["Bar"]


class Bar:
    """The bar; it appears with the first move of a canvas of several nodes, and is gone at the end.

    Attributes:
        shown: Whether there is anybody to show it to.
    """

    def __init__(self) -> None:
        console = Console(stderr=True)
        self.shown = console.is_terminal
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self._progress = Progress(*columns, console=console, transient=True, disable=not self.shown)
        self._task = self._progress.add_task("nodes", total=None, visible=False)

    def move(self, ended_count: int, node_count: int) -> None:
        """Show that so many nodes of so many have ended."""
        self._progress.update(self._task, completed=ended_count, total=node_count, visible=node_count > 1)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._progress.stop()
