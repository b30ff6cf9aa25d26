"""Nodes that were reserved for a canvas and never became part of it."""

from __future__ import annotations

import pytest

from gesso_server.store.calls import Frame, Reported
from integration.store.scripts.rig import NAMESPACE, Canvas, Rig, token
from support.trees import call, calls, chain, group


async def staged(rig: Rig, canvas: Canvas, index: int, *, members: int = 3) -> str:
    """Stage what replaces a task, as the coordinator does before it reports that; return what makes it take effect."""
    element = chain(group(*calls(members, "r")), call("end"))
    return await rig.stage_replacement(canvas.id, index, element)


@pytest.mark.parametrize("times", [1, 3])
async def test_cancelled_canvas_ends_though_a_replacement_was_staged_in_vain(rig: Rig, times: int) -> None:
    """Nodes that were staged by attempts that died are no part of the canvas: cancelling does not count them."""
    canvas = await rig.submit(chain(call("a"), call("b")))
    worker = rig.worker()
    await worker.hello()
    (grant,) = await worker.take()
    for _ in range(times):
        await staged(rig, canvas, 0)

    await rig.partition.cancel_canvas(NAMESPACE, canvas.id, terminate=False, forget=False)
    assert (await rig.look(canvas))[0].left == 1
    await worker.report(grant)
    await rig.settle()

    found, records = await rig.look(canvas)
    assert (found.state, found.left) == ("C", 0)
    assert "".join(record.state for record in records) == "CC"


async def test_cancelled_canvas_ends_with_what_replaces_a_task(rig: Rig) -> None:
    """Nodes that took effect are cancelled as all others are; those of the attempt before are not counted."""
    canvas = await rig.submit(chain(call("a"), call("b")))
    worker = rig.worker()
    await worker.hello()
    (grant,) = await worker.take()
    await staged(rig, canvas, 0)
    extra = await staged(rig, canvas, 0, members=4)
    await worker.exchange(Frame(reported=[Reported(token(grant), "p", b"", 0, extra)]))
    worker.held.clear()
    (first,) = await worker.take()

    await rig.partition.cancel_canvas(NAMESPACE, canvas.id, terminate=False, forget=False)
    await worker.report(first)
    await rig.settle()

    found, _ = await rig.look(canvas)
    assert (found.state, found.left, found.node_count) == ("C", 0, 2 + 4 + 2)
