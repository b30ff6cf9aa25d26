"""Stopping what has not ended: what waits ends at once, what runs is told."""

from __future__ import annotations

from collections.abc import Iterable

from gesso_server.dispatch.duties import DutyDesk
from gesso_server.ids import CanvasId, NodeRef
from gesso_server.store.store import Store


class Cancellations:
    """Cancels canvases and revokes nodes."""

    def __init__(self, store: Store, desk: DutyDesk) -> None:
        self._store = store
        self._desk = desk

    async def canvas(
        self, namespace: str, canvas_id: CanvasId, *, terminate: bool, forget: bool = False
    ) -> bool | None:
        """Cancel a canvas; with `forget`, remove it once it has ended.

        Returns:
            Whether anything of it had not ended; None when there is no such canvas.
        """
        partition = self._store.partition_of(canvas_id)
        if partition is None:
            return None
        found, duties = await partition.cancel_canvas(
            namespace, canvas_id, terminate=terminate, forget=forget
        )
        self._desk.see_to(partition, duties)
        return found

    async def nodes(self, namespace: str, refs: Iterable[NodeRef], *, terminate: bool) -> int:
        """Revoke nodes, each a failure of its own. Returns how many had not ended."""
        count = 0
        for ref in refs:
            partition = self._store.partition_of(ref.canvas_id)
            if partition is None:
                continue
            found, duties = await partition.cancel_node(
                namespace, ref.canvas_id, ref.index, terminate=terminate
            )
            self._desk.see_to(partition, duties)
            count += bool(found)
        return count
