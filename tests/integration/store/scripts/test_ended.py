"""What the spans of nodes tell is read in calls of a bounded size, whatever the nodes belong to."""

from __future__ import annotations

import asyncio

import pytest

from gesso_server.dispatch import ends
from gesso_server.dispatch.ends import End, Ends
from gesso_server.ids import CanvasId, NodeRef
from integration.store.scripts.rig import Rig
from support.trees import call, calls, chain, chord


async def told(rig: Rig, *noted: tuple[CanvasId, list[int]]) -> list[NodeRef]:
    """Return the nodes that are told, in order, of those that are noted."""
    found: list[NodeRef] = []
    waiting = Ends(with_bodies=True)

    def tell(end: End) -> None:
        found.append(end.ref)

    waiting.tell = tell
    telling = asyncio.create_task(waiting.run())
    waiting.note(rig.partition, noted)
    await waiting.settled(10)
    telling.cancel()
    await asyncio.gather(telling, return_exceptions=True)
    return found


@pytest.mark.parametrize(("nodes", "size"), [(500, 1 << 20), (500, 1), (2, 1 << 20), (3, 1)])
async def test_each_node_is_told_once(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, nodes: int, size: int
) -> None:
    """However few nodes and bytes a call takes, every node of every canvas is told, and none twice."""
    monkeypatch.setattr(ends, "_NODES_PER_CALL", nodes)
    monkeypatch.setattr(ends, "_BYTES_PER_CALL", size)
    first = await rig.submit(chord(calls(5), call("body")))
    second = await rig.submit(chain(call("a"), call("b")))
    gone = CanvasId("000" + "f" * 29)

    found = await told(
        rig, (first.id, [0, 1, 2]), (gone, [0, 1]), (second.id, [0, 1]), (first.id, [3, 4, 5, 6])
    )

    assert sorted(found) == sorted(
        [
            *(NodeRef(first.id, index) for index in range(7)),
            *(NodeRef(second.id, index) for index in range(2)),
        ]
    )
