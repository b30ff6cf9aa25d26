"""What results ask of their app, so that neither imports the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from gesso.connection import Coordinator
from gesso.v1 import node_pb2
from gesso.watching import WatchEvent

if TYPE_CHECKING:
    from gesso.result import Result

__all__ = ["Home"]


class Home(Protocol):
    """What results ask of their app."""

    @property
    def coordinator(self) -> Coordinator:
        """This process's coordinator."""
        ...

    @property
    def error_classes(self) -> Mapping[str, type[BaseException]]:
        """What besides builtins and Gesso's own is raised as itself, by name."""
        ...

    def result_of(self, handle: node_pb2.Handle) -> Result[Any]:
        """Return the result of a node."""
        ...

    def watch(self, id: str) -> Iterator[WatchEvent]:  # noqa: A002 - as the app's
        """Yield how a canvas stands and what changes."""
        ...
