"""Canvases that are run again, in the tests of the scripts."""

from __future__ import annotations

from gesso_server.ids import NodeRef
from gesso_server.store.calls import Accepted, Frame, Reported
from integration.store.scripts.rig import NAMESPACE, Canvas, Rig, Worker, name, token


async def run(worker: Worker, *failing: str, most: int = 64) -> list[str]:
    """Run everything there is, some of it to fail; return the names in the order in which they were handed over."""
    done: list[str] = []
    frame = Frame()
    while True:
        reply = await worker.exchange(frame, want=most)
        frame = Frame()
        if not reply.grants:
            return done
        for grant in reply.grants:
            done.append(name(grant))
            kind = "e" if name(grant) in failing else "v"
            frame.reported.append(Reported(token(grant), kind, name(grant).encode()))


async def again(rig: Rig, canvas: Canvas, request_id: str = "") -> Canvas:
    """Run a canvas again; return the new one."""
    accepted = await rig.coordinator.reruns.run(NAMESPACE, canvas.id, request_id)
    assert isinstance(accepted, Accepted)
    return Canvas(canvas.element, canvas.plan, accepted)


async def value(rig: Rig, canvas: Canvas, index: int) -> list[bytes]:
    """Return the outcomes that the value of a node consists of."""
    return [
        step
        async for steps in rig.coordinator.values.walk(canvas.id, index, for_client=True)
        for step in steps
        if isinstance(step, bytes)
    ]


def ref_of(canvas: Canvas, index: int) -> NodeRef:
    """Return a node of a canvas."""
    return NodeRef(canvas.id, index)
