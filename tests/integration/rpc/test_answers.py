"""Answers that `promises.md` names beside refusals: to what is taken all the same, and to what is no client's fault."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import grpc
import pytest

from gesso.v1 import canvas_pb2
from gesso.v1 import coordinator_service_pb2 as cs
from gesso_server.dispatch.session import Incoming, Session
from gesso_server.dispatch.standstill import Standstill
from gesso_server.main import Started
from gesso_server.store.calls import Reported, SessionId, TokenRef
from support.client import Client
from support.grpc_worker import working
from support.messages import PYTHON, chain, chord, group, refusal, sig

LIMIT = {"seconds": 20}
PRECONDITION = grpc.StatusCode.FAILED_PRECONDITION


async def submit(client: Client, canvas: canvas_pb2.Canvas, request_id: str = "") -> cs.SubmitCanvasResponse:
    """Submit a canvas."""
    return await client.SubmitCanvas(cs.SubmitCanvasRequest(canvas=canvas, request_id=request_id))


async def wait(client: Client, answer: cs.SubmitCanvasResponse) -> cs.WaitNodeResponse:
    """Wait for the end of a canvas."""
    return await client.WaitNode(cs.WaitNodeRequest(node_id=answer.last.node_id, timeout=LIMIT))


def due_long_ago() -> canvas_pb2.Canvas:
    """Return a task whose eta is past."""
    canvas = sig()
    canvas.signature.options.eta.seconds = -1
    return canvas


@pytest.mark.parametrize(
    ("canvas", "kind", "data"),
    [
        (due_long_ago(), "value", '["add", null]'),
        (chord([], sig("tsum")), "value", '["tsum", []]'),
        (group(), "values", ""),
        (chain(sig(), chain(), sig()), "value", '["add", ["add", null]]'),
    ],
    ids=[
        "an eta that is past",
        "a chord without a header",
        "a group of nothing",
        "a chain of nothing inside",
    ],
)
async def test_canvas_with_a_meaning_of_its_own_runs(
    client: Client, channel: grpc.aio.Channel, canvas: canvas_pb2.Canvas, kind: str, data: str
) -> None:
    """What looks like a mistake and has a meaning is taken, and runs."""
    async with working(channel):
        ended = await wait(client, await submit(client, canvas))

    assert ended.WhichOneof("outcome") == kind
    assert ended.value.data.decode() == data
    assert not ended.values.values


async def test_fields_that_are_not_known_are_left_out(client: Client, channel: grpc.aio.Channel) -> None:
    """A newer client's fields are no reason to refuse its canvas."""
    unknown = b"\xf2\x3e\x01x"  # field 1006, text
    call: Any = channel.unary_unary("/gesso.v1.CoordinatorService/SubmitCanvas")

    data = await call(cs.SubmitCanvasRequest(canvas=sig()).SerializeToString() + unknown)

    answer = cs.SubmitCanvasResponse.FromString(data)
    assert (await client.GetCanvas(cs.GetCanvasRequest(canvas_id=answer.canvas_id))).canvas.node_count == 1


async def test_repeated_request_is_recognized(client: Client) -> None:
    """The same content under the same id is the same canvas; another content is refused."""
    first, second = await submit(client, sig(), "r"), await submit(client, sig(), "r")
    found = await refusal(client.SubmitCanvas(cs.SubmitCanvasRequest(canvas=sig("tsum"), request_id="r")))

    assert (first.deduplicated, second.deduplicated) == (False, True)
    assert first.canvas_id == second.canvas_id
    assert (found.code, found.reason) == (grpc.StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED")


async def test_canvas_is_run_again_only_after_a_failure(client: Client, channel: grpc.aio.Channel) -> None:
    """One that runs is CANVAS_ACTIVE, one of which nothing failed NOTHING_FAILED; cancelling that says it is final."""
    waiting = await submit(client, sig())
    active = await refusal(client.RetryCanvas(cs.RetryCanvasRequest(canvas_id=waiting.canvas_id)))
    no_value = await refusal(client.ReadValue(cs.ReadValueRequest(node_id=waiting.last.node_id)).read())
    async with working(channel):
        await wait(client, waiting)
    whole = await refusal(client.RetryCanvas(cs.RetryCanvasRequest(canvas_id=waiting.canvas_id)))
    cancelled = await client.CancelCanvas(cs.CancelCanvasRequest(canvas_id=waiting.canvas_id))

    assert (active.code, active.reason) == (PRECONDITION, "CANVAS_ACTIVE")
    assert (no_value.code, no_value.reason) == (PRECONDITION, "NO_VALUE")
    assert (whole.code, whole.reason) == (PRECONDITION, "NOTHING_FAILED")
    assert cancelled.already_terminal


async def test_wait_that_ends_with_the_callers_deadline_leaves_the_canvas(
    client: Client, channel: grpc.aio.Channel
) -> None:
    """The caller hears why in time, and the canvas goes on."""
    waiting = await submit(client, sig())

    found = await refusal(client.WaitNode(cs.WaitNodeRequest(node_id=waiting.last.node_id), timeout=0.3))

    assert (found.code, found.reason) == (grpc.StatusCode.DEADLINE_EXCEEDED, "WAIT_TIMEOUT")
    async with working(channel):
        assert (await wait(client, waiting)).HasField("value")


async def test_coordinator_that_stops_takes_nothing(started: Started, client: Client) -> None:
    """Submissions and runs again are DRAINING, with a word on when to repeat them."""
    canvas = await submit(client, sig())
    started.coordinator.drain()

    found = await refusal(client.SubmitCanvas(cs.SubmitCanvasRequest(canvas=sig())))
    again = await refusal(client.RetryCanvas(cs.RetryCanvasRequest(canvas_id=canvas.canvas_id)))

    assert found == again
    assert (found.code, found.reason, found.retries) == (grpc.StatusCode.UNAVAILABLE, "DRAINING", True)


async def test_fault_of_the_coordinators_own_says_nothing(
    started: Started, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bug is INTERNAL with an id; what it says stands in the log alone."""

    def fail(*_: object) -> None:
        raise ValueError("secret detail")

    monkeypatch.setattr(started.coordinator.submissions, "keep", fail)

    found = await refusal(client.SubmitCanvas(cs.SubmitCanvasRequest(canvas=sig())))

    assert (found.code, found.reason) == (grpc.StatusCode.INTERNAL, "INTERNAL")
    assert "secret" not in found.message
    assert not PYTHON.search(found.message)


# --- bounds ----------------------------------------------------------------------------------


async def test_stamps_are_revoked_up_to_a_number(client: Client) -> None:
    """One more than there may be is QUOTA and revokes nothing; one that is revoked may be revoked again."""

    def revoking(part: int, first: int = 0) -> cs.RevokeNodesRequest:
        request = cs.RevokeNodesRequest()
        for key in range(20):
            request.stamps[f"k{key}"].values.extend(str(part * 50 + each) for each in range(first, 50))
        return request

    for part in range(10):
        await client.RevokeNodes(revoking(part))

    found = await refusal(client.RevokeNodes(revoking(10, first=49)))
    await client.RevokeNodes(revoking(9))

    assert (found.code, found.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "QUOTA")


@pytest.mark.parametrize(("count", "outcome"), [(64, b""), (4, b"x" * (1 << 20))])
async def test_frames_wait_while_the_store_is_away(count: int, outcome: bytes) -> None:
    """So many of a worker's frames are kept, or so much; the next one is read when these were settled."""
    standstill = Standstill(slots=1, limit=timedelta(minutes=1))
    session = Session(SessionId(session="s", epoch=1), "default", (), [], lambda *_: None, standstill)
    token = TokenRef("0" * 32, 0, 1, "0" * 12)
    for number in range(1, count):
        session.offer(Incoming(number, 0, reported=[Reported(token, "v", outcome)]))
    await session.room()
    session.offer(Incoming(count, 0, reported=[Reported(token, "v", outcome)]))
    reader = asyncio.create_task(session.room())
    await asyncio.sleep(0)

    assert not reader.done()
    out = await session.exchange()
    await reader

    assert out is not None
    assert out.acknowledged == count
