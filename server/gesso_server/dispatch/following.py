"""Following one canvas through its log, from a snapshot or from a place on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import assert_never

from gesso_server.dispatch.folding import Folding, GroupCounts
from gesso_server.dispatch.watches import Watch
from gesso_server.ids import CanvasId
from gesso_server.store.calls import Looked, LookedCanvas
from gesso_server.store.logs import NoLog, OpenedLog, Place, ReadLog
from gesso_server.store.partition import Partition
from gesso_server.store.records import State

_NODES_PER_READ = 500
_BYTES_PER_READ = 1 << 20
_MOST_RANGES = 500
"""Runs of folded nodes that the store is told of; others are read whole, and folded here."""


class CanvasGoneError(Exception):
    """There is no such canvas, or no more."""


class LogGapError(Exception):
    """What has changed behind a place is not known any more: one must begin anew."""


@dataclass(frozen=True, slots=True)
class Progress:
    """What one reading has shown."""

    canvas: LookedCanvas
    nodes: list[tuple[int, Looked]]
    """Nodes that are new or have changed, and are shown."""
    groups: list[GroupCounts]
    """Folded groups that have changed."""
    place: Place
    """Behind all this."""
    more: bool
    """Whether there is more to read now."""


class Following:
    """One reader of one canvas."""

    def __init__(
        self, partition: Partition, namespace: str, canvas_id: CanvasId, folding: Folding, place: Place
    ) -> None:
        """Go on from a place; `begun` and `resumed` say where that is."""
        self._partition = partition
        self._namespace = namespace
        self._canvas_id = canvas_id
        self._folding = folding
        self._place = place

    @classmethod
    async def begun(
        cls, partition: Partition, namespace: str, canvas_id: CanvasId, folding: Folding
    ) -> Following:
        """Return one that begins with everything.

        Raises:
            CanvasGoneError: If there is no such canvas.
        """
        opened = await _opened(partition, namespace, canvas_id)
        place = Place(opened.log, opened.change, opened.everything)
        return cls(partition, namespace, canvas_id, folding, place)

    @classmethod
    async def resumed(
        cls, partition: Partition, namespace: str, canvas_id: CanvasId, folding: Folding, place: Place
    ) -> Following:
        """Return one that goes on behind a place: what is in which group, and its counts there, are read anew.

        Raises:
            CanvasGoneError: If there is no such canvas.
            LogGapError: If what is behind the place is not known any more.
        """
        opened = await _opened(partition, namespace, canvas_id)
        if not opened.covers(place):
            raise LogGapError
        following = cls(partition, namespace, canvas_id, folding, place._replace(cursor=opened.everything))
        while not following._place.cursor.at_end:
            await following._read()
        following._place = place
        return following

    async def follow(self, watch: Watch) -> AsyncIterator[Progress]:
        """Read what there is, and then whatever comes, until the canvas is final and has been read.

        Raises:
            CanvasGoneError: If the canvas was removed.
            LogGapError: If something was lost.
            WatchMovedError: If the watch is to end here.
        """
        watch.void = False
        watch.wake(self._partition.number)
        while True:
            await watch.woken()
            if watch.void:
                raise LogGapError
            progress = await self._read()
            while progress.more:
                yield progress
                progress = await self._read()
            yield progress
            if progress.canvas.finished_ms is not None:
                return

    async def _read(self) -> Progress:
        found = await self._partition.logs.read(
            self._namespace, self._canvas_id, self._place, self._folding.ranges.pairs(_MOST_RANGES),
            most=_NODES_PER_READ, most_bytes=_BYTES_PER_READ,
        )  # fmt: skip
        match found:
            case NoLog.NO_CANVAS:
                raise CanvasGoneError
            case NoLog.GAP:
                raise LogGapError
            case ReadLog():
                self._place = found.place
                return self._progress(found)
            case _:
                assert_never(found)

    def _progress(self, found: ReadLog) -> Progress:
        for index, letter in found.letters:
            self._folding.count(index, State(letter))
        shown = [
            (index, node) for index, due, node in found.nodes if self._folding.take(index, node, due=due)
        ]
        return Progress(found.canvas, shown, self._folding.changed(), found.place, found.more)


async def _opened(partition: Partition, namespace: str, canvas_id: CanvasId) -> OpenedLog:
    opened = await partition.logs.open(namespace, canvas_id)
    if opened is None:
        raise CanvasGoneError
    return opened
