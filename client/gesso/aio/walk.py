"""From a result to everything that follows from it."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Sequence
from typing import Protocol, Self, TypeVar

from gesso.errors import IncompleteStream

__all__ = ["walk"]


class _Followed(Protocol):
    """What stands in front of others."""

    async def ready(self) -> bool:
        """Return whether it has ended."""
        ...

    async def children(self) -> Sequence[Self]:
        """Return what stands directly behind it."""
        ...


T = TypeVar("T", bound=_Followed)


async def walk(root: T, *, intermediate: bool) -> AsyncIterator[tuple[T | None, T]]:
    """Yield a result and what stands behind it; as `gesso.graph.walk`, with `await`."""
    todo: deque[tuple[T | None, T]] = deque([(None, root)])
    while todo:
        above, node = todo.popleft()
        yield above, node
        if await node.ready():
            todo.extend((node, child) for child in await node.children())
        elif not intermediate:
            raise IncompleteStream(f"{node} has not ended.")
