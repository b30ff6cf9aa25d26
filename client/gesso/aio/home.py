"""What results and watches of asyncio ask of their app."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

__all__ = ["Home"]


class Home(Protocol):
    """What results ask of their app."""

    @property
    def address(self) -> str:
        """Where its coordinator is."""
        ...

    @property
    def error_classes(self) -> Mapping[str, type[BaseException]]:
        """What besides builtins and Gesso's own is raised as itself, by name."""
        ...
