"""Puts a canvas together from its log, as one who watches does."""

from __future__ import annotations

from dataclasses import dataclass, field

from gesso_server.ids import CanvasId
from gesso_server.store.logs import NoLog, Place, ReadLog
from gesso_server.store.partition import Partition
from integration.store.scripts.rig import NAMESPACE

MOST_BYTES = 1 << 20


@dataclass
class Follower:
    """One reader of one canvas's log."""

    canvas_id: CanvasId
    place: Place | None = None
    """None before it begins, and after a gap."""
    records: dict[int, str] = field(default_factory=dict)
    """The records that it was given last, by index."""
    letters: dict[int, str] = field(default_factory=dict)
    """The same of nodes that are folded."""
    folded: tuple[tuple[int, int], ...] = ()
    gaps: int = 0

    async def step(self, partition: Partition, most: int = 100) -> bool:
        """Read once; return whether there is more to read."""
        if self.place is None:
            await self._begin(partition)
        assert self.place is not None
        found = await partition.logs.read(
            NAMESPACE, self.canvas_id, self.place, self.folded, most=most, most_bytes=MOST_BYTES
        )
        assert found is not NoLog.NO_CANVAS
        if found is NoLog.GAP:
            self.place = None
            self.gaps += 1
            return True
        assert isinstance(found, ReadLog)
        self._take(found)
        return found.more

    async def catch_up(self, partition: Partition, most: int = 100) -> None:
        """Read until there is nothing more to read."""
        while await self.step(partition, most):
            pass

    async def _begin(self, partition: Partition) -> None:
        opened = await partition.logs.open(NAMESPACE, self.canvas_id)
        assert opened is not None
        self.records.clear()
        self.letters.clear()
        self.place = Place(opened.log, opened.change, opened.everything)

    def _take(self, found: ReadLog) -> None:
        for index, due, node in found.nodes:
            if due:
                # A task that was handed out and given back unbegun, between two readings, stands as it did before.
                again = self.records.get(index) == node.record and not node.record.startswith("W")
                assert not again, "a state is seen twice"
                self.records[index] = node.record
        for index, letter in found.letters:
            self.letters[index] = letter
        self.place = found.place
