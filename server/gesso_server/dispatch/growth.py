"""One canvas whose groups grow while a client sends them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta

from gesso_server.dispatch.duties import DutyDesk
from gesso_server.dispatch.extension import CanvasGoneError, Extensions
from gesso_server.ids import CanvasId, NodeRef
from gesso_server.plan import Element, JoinNode, Plan
from gesso_server.store.calls import GrowthStep
from gesso_server.store.partition import Partition
from gesso_server.store.records import edges_text, runs_text

_TOUCH = timedelta(seconds=10)
"""How often the store is told that the stream is alive; the scripts give up after a minute."""


class Growing:
    """The joins of one canvas that still grow."""

    def __init__(
        self,
        extensions: Extensions,
        desk: DutyDesk,
        partition: Partition,
        canvas_id: CanvasId,
        namespace: str,
        plan: Plan,
    ) -> None:
        """Take over a canvas that was accepted.

        Args:
            extensions: Stages what comes.
            desk: Sees to what the calls leave.
            partition: Where the canvas is.
            canvas_id: Its id.
            namespace: Whose it is.
            plan: What it was compiled to.
        """
        self._extensions = extensions
        self._desk = desk
        self._partition = partition
        self._canvas_id = canvas_id
        self._namespace = namespace
        self._joins = {
            node.open_index: (index, node)
            for index, node in enumerate(plan.nodes)
            if isinstance(node, JoinNode) and node.open_index is not None
        }
        self._step = 0

    def __contains__(self, number: int) -> bool:
        """Whether the group of this number still grows."""
        return number in self._joins

    async def add(self, number: int, members: Sequence[Element], *, sealed: bool) -> None:
        """Give a group more members; with `sealed` they are its last ones.

        Raises:
            CanvasGoneError: If the canvas was cancelled.
            CanvasTooLargeError: If the members come to too many nodes.
            StoreError: If the store does not answer.
        """
        index, join = self._joins[number]
        growth = await self._extensions.growth(
            self._namespace, NodeRef(self._canvas_id, index), join, members
        )
        if growth.inputs:
            join.links = ()  # they hang behind the first member only
        self._step += 1
        step = GrowthStep(
            number=self._step, join=index, node_count=len(growth.nodes), inputs=runs_text(growth.inputs) or "-",
            start=edges_text(growth.start), sealed=sealed,
        )  # fmt: skip
        found, duties = await self._partition.grow(self._canvas_id, step)
        self._desk.see_to(self._partition, duties)
        if not found:
            raise CanvasGoneError
        if sealed:
            del self._joins[number]

    async def seal(self) -> None:
        """Take what has come for everything. Otherwise as `add`."""
        for number in list(self._joins):
            await self.add(number, (), sealed=True)

    async def touch(self) -> None:
        """Say that the stream is alive, until cancelled."""
        while True:
            await asyncio.sleep(_TOUCH.total_seconds())
            await self._partition.touch_growth(self._canvas_id)
