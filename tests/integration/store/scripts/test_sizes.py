"""What is stored for a canvas is linear in its nodes, however they are nested."""

from __future__ import annotations

from gesso_server.plan import Element
from integration.store.scripts.rig import Canvas, Rig
from support.trees import call, calls, chain, chord


def nested(depth: int, width: int) -> Element:
    """Return chords within chords' headers."""
    if depth == 0:
        return call("leaf")
    return chord([nested(depth - 1, width) for _ in range(width)], call("body"))


async def stored(rig: Rig, canvas: Canvas) -> float:
    """Return how many bytes of keys and values the store keeps for each node of a canvas."""
    size = 0
    async for key in rig.store.redis.scan_iter(match=f"*:c:{canvas.id}:*", count=1000):
        size += await rig.store.redis.memory_usage(key, samples=0) or 0
    return size / len(canvas.plan.nodes)


async def test_nested_chords_take_as_much_for_each_node_at_any_depth(rig: Rig) -> None:
    """A chord of depth 5 and width 4 takes no more for a node than one of depth 2."""
    flat = await stored(rig, await rig.submit(nested(2, 4)))

    deep = await stored(rig, await rig.submit(nested(5, 4)))

    assert deep < 1.2 * flat


async def test_a_chain_of_chords_takes_as_much_for_each_node_as_one(rig: Rig) -> None:
    """Twenty chords of ten in a row take no more for a node than one does."""
    one = await stored(rig, await rig.submit(chord(calls(10), call("body"))))

    row = chain(*(chord(calls(10, prefix=f"m{number}."), call("body")) for number in range(20)))
    many = await stored(rig, await rig.submit(row))

    assert many < 1.2 * one
