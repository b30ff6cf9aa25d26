"""Values of nodes: a task's outcome, or a join's inputs read in place, in order, however large."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from gesso_server.ids import CanvasId
from gesso_server.store.partition import Partition
from gesso_server.store.records import JoinBody, State, parse_join_body
from gesso_server.store.store import Store

_PAGE_BYTES = 512 << 10
"""How much is read in one call; one outcome may be larger."""


class Mark(Enum):
    """Where a list begins and ends in the walk through a value."""

    BEGIN = "begin"
    END = "end"


Step: TypeAlias = bytes | Mark
"""One step of the walk: an outcome as the worker reported it, or a list's begin or end."""


class NoValueError(Exception):
    """A node has no value: it has not ended, or not well."""


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads the values of one canvas."""

    partition: Partition
    canvas_id: CanvasId

    async def walk(self, body: JoinBody) -> AsyncIterator[Step]:
        """Walk through a join's value, depth first, in order."""
        yield Mark.BEGIN
        for run in body.inputs:
            first, left = run.first, run.count
            while left:
                page = await self.partition.outcomes(self.canvas_id, (first, left, run.stride), _PAGE_BYTES)
                for record, outcome, inner in page:
                    if outcome:
                        yield outcome
                    elif record[:1] == State.SUCCEEDED and "/J" in record:
                        async for step in self.walk(parse_join_body(inner)):
                            yield step
                    else:
                        raise NoValueError
                first += len(page) * run.stride
                left -= len(page)
        yield Mark.END


class Values:
    """Reads values from the store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def walk(self, canvas_id: CanvasId, body: JoinBody) -> AsyncIterator[Step]:
        """Walk through the value of a join that has succeeded.

        Raises:
            NoValueError: If an input has no value (any more).
            StoreError: If the store does not answer.
        """
        partition = self._store.partition_of(canvas_id)
        if partition is None:
            raise NoValueError
        return _Reader(partition, canvas_id).walk(body)

    async def small(self, canvas_id: CanvasId, body: JoinBody, *, most_bytes: int, most_count: int) -> list[bytes] | None:
        """Return a join's outcomes if each is a task's and they are few and small; else None."""
        if sum(run.count for run in body.inputs) > most_count:
            return None
        found: list[bytes] = []
        size = 0
        depth = 0
        async for step in self.walk(canvas_id, body):
            if step is Mark.BEGIN:
                depth += 1
                if depth > 1:
                    return None
            elif isinstance(step, bytes):
                size += len(step)
                if size > most_bytes:
                    return None
                found.append(step)
        return found
