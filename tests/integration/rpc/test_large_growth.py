"""What comes to a canvas that lives is compiled beside the event loop where it is large, as submissions are."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import grpc
import pytest

from gesso.v1 import coordinator_service_pb2 as cs
from gesso.v1 import worker_service_pb2 as pb
from gesso_server.dispatch import extension
from gesso_server.rpc import elements
from support.client import Client
from support.grpc_worker import working
from support.messages import group, sig

LARGE = group(*[sig(args=b'["' + b"x" * 10_000 + b'"]')] * 20)
SMALL = group(sig(), sig())


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> set[tuple[str, bool]]:
    """What is converted and compiled of more than one node, and whether beside the event loop."""
    found: set[tuple[str, bool]] = set()

    def beside() -> bool:
        return threading.current_thread() is not threading.main_thread()

    def watched(what: str, work: Callable[..., Any]) -> Callable[..., Any]:
        def noted(*args: Any, **options: Any) -> Any:
            made = work(*args, **options)
            if len(made if isinstance(made, tuple) else made.nodes) > 1:
                found.add((what, beside()))
            return made

        return noted

    monkeypatch.setattr(elements.Elements, "_elements", watched("converted", elements.Elements._elements))  # noqa: SLF001  watched, and called
    for name in ("compile_canvas", "compile_growth"):
        monkeypatch.setattr(extension, name, watched("compiled", getattr(extension, name)))
    return found


async def wait(client: Client, made: cs.SubmitCanvasResponse) -> cs.WaitNodeResponse:
    """Wait for the end of a canvas."""
    return await client.WaitNode(cs.WaitNodeRequest(node_id=made.last.node_id, timeout={"seconds": 20}))


async def streamed(client: Client, channel: grpc.aio.Channel, *, large: bool) -> None:
    """Submit a group whose members come in a frame of the stream."""
    call = client.StreamCanvas()
    await call.write(
        cs.StreamCanvasRequest(start=cs.SubmitCanvasRequest(canvas=group()), open_paths=["canvas"])
    )
    growth = cs.StreamCanvasRequest.Growth(members=(LARGE if large else SMALL).members, sealed=True)
    await call.write(cs.StreamCanvasRequest(growths=[growth]))
    await call.done_writing()
    answer: Any = await call
    async with working(channel):
        await wait(client, answer.submitted)


async def replaced(client: Client, channel: grpc.aio.Channel, *, large: bool) -> None:
    """Submit a task that is replaced with a canvas."""

    def answer(assignment: pb.Assignment) -> pb.Outcome:
        outcome = pb.Outcome()
        if assignment.signature.task == "replace":
            outcome.replacement.canvas.CopyFrom(LARGE if large else SMALL)
        else:
            outcome.value.data = b"1"
        return outcome

    made = await client.SubmitCanvas(cs.SubmitCanvasRequest(canvas=sig("replace")))
    async with working(channel, answer=answer, tasks=("add", "replace")):
        await wait(client, made)


@pytest.mark.parametrize("large", [True, False])
@pytest.mark.parametrize("come", [streamed, replaced])
async def test_what_is_large_leaves_the_loop_to_others(
    client: Client, channel: grpc.aio.Channel, seen: set[tuple[str, bool]], come: Any, *, large: bool
) -> None:
    """Small ones cost no thread."""
    await come(client, channel, large=large)

    assert seen == {("converted", large), ("compiled", large)}
