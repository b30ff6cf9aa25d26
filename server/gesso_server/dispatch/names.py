"""Ids that clients chose for nodes, and where those nodes are.

A chosen id says nothing about its canvas's partition, so the index of ids has homes of its own, by the id.
"""

from __future__ import annotations

from collections.abc import Iterable

from gesso_server.ids import CanvasId, NodeRef, parse_node_id
from gesso_server.plan import Growth, Plan
from gesso_server.store.store import Store

_NAMES_PER_CALL = 500


class Names:
    """The index of chosen ids."""

    def __init__(self, store: Store, ttl_ms: int) -> None:
        self._store = store
        self._ttl_ms = ttl_ms

    async def keep(self, namespace: str, canvas_id: CanvasId, plan: Plan | Growth) -> None:
        """Remember the chosen ids of a plan. An id that is known already names the new node."""
        nodes = enumerate(plan.nodes, plan.base)
        chosen = ((node.task_id, NodeRef(canvas_id, index).node_id) for index, node in nodes if node.task_id)
        await self.keep_all(namespace, chosen)

    async def keep_all(self, namespace: str, chosen: Iterable[tuple[str, str]]) -> None:
        """Remember chosen ids, each with that of its node."""
        homes: dict[int, list[tuple[str, str]]] = {}
        for task_id, node_id in chosen:
            home = self._store.partition_for(namespace, task_id).number
            homes.setdefault(home, []).append((task_id, node_id))
        for home, names in homes.items():
            for at in range(0, len(names), _NAMES_PER_CALL):
                part = names[at : at + _NAMES_PER_CALL]
                await self._store.partitions[home].name(namespace, part, ttl_ms=self._ttl_ms)

    async def find(self, namespace: str, task_id: str) -> NodeRef | None:
        """Return the node that an id names: a node's own id, or one that a client chose."""
        own = parse_node_id(task_id)
        if own is not None:
            return own
        found = await self._store.partition_for(namespace, task_id).named(namespace, task_id)
        return None if found is None else parse_node_id(found)
