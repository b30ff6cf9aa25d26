"""Canvases of all partitions, the newest first, page by page.

Each partition has a list of its own. A page takes from whichever goes on with the newest canvas; where a partition's
next one is not known it is asked, so many times for a page and no more. A page that is short for that goes on where
everything newer is known.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

from gesso_server.ids import CanvasId
from gesso_server.store.calls import LookedCanvas
from gesso_server.store.choice import CanvasChoice
from gesso_server.store.inspection import CanvasPlace
from gesso_server.store.partition import Partition

_MOST_CALLS = 30
"""To the store for one page, besides the first one to each partition. Each looks at 1,000 canvases at the most."""
_SPARE = 10
"""How many more canvases than its share of a page a partition is asked for."""


class FoundCanvas(NamedTuple):
    """A canvas of a list."""

    place: CanvasPlace
    id: CanvasId
    canvas: LookedCanvas


class CanvasPage(NamedTuple):
    """Part of a list of canvases."""

    canvases: list[FoundCanvas]
    behind: CanvasPlace | None
    """Where the list goes on; None at its end."""


class _Part:
    """What is known of one partition's list."""

    def __init__(self, partition: Partition, choice: CanvasChoice, behind: CanvasPlace | None) -> None:
        self._partition = partition
        self._choice = choice
        self._begun = ""
        self.place = behind
        """As far as it was looked."""
        self.more = True
        self.found: deque[FoundCanvas] = deque()

    @property
    def unknown(self) -> bool:
        """Whether its next canvas is not known."""
        return self.more and not self.found

    @property
    def next_place(self) -> CanvasPlace:
        """Where it goes on, at the newest; of one that is not at its end."""
        return self.found[0].place if self.found else self.place or _NEWEST

    async def ask(self, most: int) -> int:
        """Look on, up to the end of a canvas. Returns how many calls that took."""
        calls = 0
        while not calls or self._begun:
            calls += 1
            found = await self._partition.inspection.canvases(
                self._choice, self.place, begun=self._begun, most=most
            )
            self.found += (
                FoundCanvas(CanvasPlace(canvas.created_ms, canvas_id), canvas_id, canvas)
                for canvas_id, canvas in found.canvases
            )
            self.more, self.place, self._begun = found.more, found.place, found.begun
        return calls


_NEWEST = CanvasPlace(1 << 62, "")


async def find_canvases(
    partitions: Sequence[Partition], choice: CanvasChoice, behind: CanvasPlace | None, size: int
) -> CanvasPage:
    """Return a page of canvases, the newest first, and those of one instant by id, the greatest first.

    Args:
        partitions: Where they are.
        choice: Which ones.
        behind: Where the page before ended; None for the start.
        size: How many at the most. There may be fewer although more follow.

    Raises:
        StoreError: If the store does not answer.
    """
    parts = [_Part(partition, choice, behind) for partition in partitions]
    most = min(size, size // len(parts) + _SPARE)
    await asyncio.gather(*(part.ask(most) for part in parts))
    page: list[FoundCanvas] = []
    calls = 0
    while len(page) < size:
        going_on = [part for part in parts if part.more or part.found]
        if not going_on:
            return CanvasPage(page, None)
        newest = max(going_on, key=lambda part: part.next_place)
        if not newest.unknown:
            page.append(newest.found.popleft())
        elif calls < _MOST_CALLS:
            calls += await newest.ask(most)
        else:
            return CanvasPage(page, newest.place)
    over = any(part.more or part.found for part in parts)
    return CanvasPage(page, page[-1].place if over else None)
