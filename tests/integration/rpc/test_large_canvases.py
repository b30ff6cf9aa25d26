"""A canvas as large as a message may be keeps nobody waiting, and large ones do not add up."""

from __future__ import annotations

import asyncio

from gesso.v1 import coordinator_service_pb2 as cs
from gesso_server.main import Started
from gesso_server.rpc.canvases import Canvases
from gesso_server.rpc.elements import Elements
from support.client import Client
from support.messages import group, refusal, sig

MEMBERS = 20_000


def large(*last: str) -> cs.SubmitCanvasRequest:
    """Return a submission of many members, the last ones with these tasks."""
    members = [sig() for _ in range(MEMBERS)] + [sig(task) for task in last]
    return cs.SubmitCanvasRequest(canvas=group(*members), validate_only=True)


async def test_others_are_served_while_a_large_canvas_is_compiled(started: Started) -> None:
    """The loop goes on: what waits for a turn of it gets many."""
    coordinator = started.coordinator
    elements = Elements(coordinator.config.limits, coordinator.config.routes)
    planned = asyncio.create_task(Canvases(coordinator).planned(large(), elements, watch=False))
    turns = 0
    while not planned.done():
        await asyncio.sleep(0)
        turns += 1
    _, plan = planned.result()
    assert len(plan.nodes) == MEMBERS + 1
    assert turns > 10


async def test_large_canvases_are_compiled_one_at_a_time(started: Started, client: Client) -> None:
    """While one has its turn, another waits as a message, and small ones do not."""
    async with started.coordinator.submissions.large:
        waiting = asyncio.create_task(_node_count(client, large()))
        small = cs.SubmitCanvasRequest(canvas=sig(), validate_only=True)
        assert await _node_count(client, small) == 1
        assert not waiting.done()
    assert await waiting == MEMBERS + 1


async def test_what_is_wrong_in_a_large_canvas_is_told(client: Client) -> None:
    """With its path, as in a small one; and the next one has its turn."""
    refused = await refusal(client.SubmitCanvas(large("")))
    assert (refused.reason, refused.path) == ("BAD_TASK_NAME", f"canvas.members[{MEMBERS}].signature.task")
    assert await _node_count(client, large()) == MEMBERS + 1


async def _node_count(client: Client, request: cs.SubmitCanvasRequest) -> int:
    return (await client.SubmitCanvas(request)).node_count
