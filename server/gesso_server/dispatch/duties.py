"""What a call to the store leaves to see to: wake sessions, tell waiters, carry permits, go on with the work list."""

from __future__ import annotations

from collections.abc import Callable

from gesso_server.dispatch.ends import Ends
from gesso_server.dispatch.limiter import Limiter
from gesso_server.dispatch.registry import Registry
from gesso_server.dispatch.sweeper import Sweepers
from gesso_server.dispatch.tally import Tally
from gesso_server.dispatch.waits import Waits
from gesso_server.ids import NodeRef
from gesso_server.store.calls import Accepted, Duties
from gesso_server.store.partition import Partition


class DutyDesk:
    """Passes duties on, whoever called."""

    def __init__(self, registry: Registry, waits: Waits, sweepers: Sweepers, limiter: Limiter) -> None:
        self._registry = registry
        self._waits = waits
        self._sweepers = sweepers
        self._limiter = limiter
        self.ends: Ends | None = None
        """Told of nodes whose spans are to be told; None where none are."""
        self.rolled_back: Callable[[Partition], None] = lambda _partition: None
        """Told of a partition that has forgotten what it had acknowledged."""
        self.tally: Tally | None = None
        """Counts what was done; None where nobody looks at it."""

    def see_to(self, partition: Partition, duties: Duties) -> None:
        """See to what a call on `partition` left."""
        if duties.rolled_back:
            self.rolled_back(partition)
        for wake in duties.wakes:
            self._registry.wake(partition.number, wake)
        for canvas_id, index, node in duties.ends:
            self._waits.tell(NodeRef(canvas_id, index), node)
        if duties.spans and self.ends is not None:
            self.ends.note(partition, duties.spans)
        if self.tally is not None:
            self.tally.note(duties.deeds)
        if duties.news or duties.deliveries:
            self._limiter.offer(partition, duties)
        if duties.work:
            self._sweepers.hurry(partition.number)
        elif duties.due_ms is not None:
            self._sweepers.expect(partition.number, duties.due_ms)

    def accepted(self, accepted: Accepted) -> None:
        """Count an accepted canvas, unless it was known."""
        if self.tally is not None and not accepted.known:
            self.tally.accepted += 1
