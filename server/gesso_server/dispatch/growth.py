"""One canvas whose groups grow while a client sends them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import TypeVar

from gesso_server.dispatch.duties import DutyDesk
from gesso_server.dispatch.extension import CanvasGoneError, Extensions
from gesso_server.dispatch.pressure import Pressure
from gesso_server.ids import CanvasId, NodeRef
from gesso_server.plan import Element, Growth, JoinNode, Plan
from gesso_server.store.calls import GrowthStep
from gesso_server.store.errors import StoreFull
from gesso_server.store.partition import Partition
from gesso_server.store.records import edges_text, runs_text, waiting_text

T = TypeVar("T")

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
        pressure: Pressure,
    ) -> None:
        """Take over a canvas that was accepted.

        Args:
            extensions: Stages what comes.
            desk: Sees to what the calls leave.
            partition: Where the canvas is.
            canvas_id: Its id.
            namespace: Whose it is.
            plan: What it was compiled to.
            pressure: Holds back what comes while the store has no room.
        """
        self._pressure = pressure
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
        self._telling = extensions.telling(plan)
        self._step = 0

    def __contains__(self, number: int) -> bool:
        """Whether the group of this number still grows."""
        return number in self._joins

    async def add(
        self, number: int, members: Sequence[Element], *, sealed: bool, large: bool = False
    ) -> None:
        """Give a group more members; with `sealed` they are its last ones.

        `large` ones are compiled beside the event loop.

        Raises:
            CanvasGoneError: If the canvas was cancelled.
            CanvasTooLargeError: If the members come to too many nodes.
            BackpressureError: If the store has no room for too long.
            StoreError: If the store does not answer.
        """
        index, join = self._joins[number]
        growth = await self._staged(NodeRef(self._canvas_id, index), join, members, large=large)
        if growth.inputs:
            join.links = ()  # they hang behind the first member only
        self._step += 1
        step = GrowthStep(
            number=self._step, join=index, first=growth.base, node_count=len(growth.nodes),
            inputs=runs_text(growth.inputs) or "-", start=edges_text(growth.start), sealed=sealed,
            waiting=waiting_text(growth.waiting),
        )  # fmt: skip
        found, duties = await self._with_room(lambda: self._partition.grow(self._canvas_id, step))
        self._desk.see_to(self._partition, duties)
        if not found:
            raise CanvasGoneError
        if sealed:
            del self._joins[number]

    async def _staged(
        self, ref: NodeRef, join: JoinNode, members: Sequence[Element], *, large: bool
    ) -> Growth:
        return await self._with_room(
            lambda: self._extensions.growth(self._namespace, ref, join, members, self._telling, large=large)
        )

    async def _with_room(self, call: Callable[[], Awaitable[T]]) -> T:
        """Make a call when the store has room, and again if it turns out to have none."""
        while True:
            await self._pressure.room()
            try:
                return await call()
            except StoreFull:
                self._pressure.full()

    async def bear(self, stamps: Sequence[str]) -> None:
        """Let the canvas be found by more stamps. Errors are those of `add`."""
        if stamps:
            await self._with_room(lambda: self._extensions.bear(self._canvas_id, stamps))

    async def seal(self) -> None:
        """Take what has come for everything. Otherwise as `add`."""
        for number in list(self._joins):
            await self.add(number, (), sealed=True)

    async def touch(self) -> None:
        """Say that the stream is alive, until cancelled."""
        while True:
            await asyncio.sleep(_TOUCH.total_seconds())
            await self._partition.touch_growth(self._canvas_id)
