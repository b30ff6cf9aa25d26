"""Grants to assignments: what was kept of the task, stamped, with its input in front."""

from __future__ import annotations

import asyncio
import logging
from functools import lru_cache

from gesso.v1 import worker_service_pb2 as pb
from gesso_server.dispatch.pauses import pauses
from gesso_server.dispatch.values import Room, Values
from gesso_server.ids import CanvasId, NodeRef, span_id
from gesso_server.rpc.nodes import NodeView
from gesso_server.store.calls import CanvasContext, Grant, Looked
from gesso_server.store.errors import StoreError, level_of
from gesso_server.store.records import base_of, parse_join_body, parse_task_body, told_by

_log = logging.getLogger(__name__)

_INLINE = Room(size=256 << 10, count=10_000)
_FRAME_BYTES = 1 << 20
"""A frame has about so much at the most, unless one assignment alone has more."""


class Assignments:
    """Makes assignments."""

    def __init__(self, values: Values) -> None:
        self._values = values

    async def add(
        self, response: pb.WorkResponse, grant: Grant, contexts: dict[str, CanvasContext]
    ) -> pb.Assignment:
        """Add the assignment of a grant to a frame, and return it."""
        body = parse_task_body(grant.body, base_of(grant.timing))
        assignment = response.assignments.add()
        assignment.MergeFromString(body.call)
        context = contexts[grant.canvas_id]
        canvas_id, index = grant.canvas_id, grant.index
        node_id = f"{canvas_id}-{index}"
        token = assignment.token
        token.node_id, token.attempt, token.nonce = node_id, grant.attempt, int(grant.nonce, 16)
        assignment.task_id = body.task_id
        assignment.trace_id = context.trace.trace_id
        if context.trace.sampled is not None:
            assignment.sampled = context.trace.sampled and told_by(grant.timing) is None
        assignment.span_id = span_id(canvas_id, index)
        assignment.root_id = _root_id(context.root, canvas_id) or body.task_id or node_id
        assignment.tracestate = context.carried.tracestate
        if context.carried.baggage:
            assignment.baggage = context.carried.baggage
        assignment.failure_count = grant.failures
        place, names = body.place, grant.names
        if grant.parent is not None:
            assignment.parent_id = names.get(grant.parent) or f"{canvas_id}-{grant.parent}"
        if place.groups:
            groups = _group_ids(canvas_id, place.groups)
            if names:
                groups = [names.get(index, own) for index, own in zip(place.groups, groups, strict=True)]
            for group in groups:  # one by one is faster for the few there are
                assignment.group_ids.append(group)
            if place.ends:
                assignment.group_id = groups[-1]
        await self._add_input(assignment, grant)
        return assignment

    async def _add_input(self, assignment: pb.Assignment, grant: Grant) -> None:
        value = grant.source_value
        match grant.source_kind:
            case "F" if isinstance(value, Looked) and grant.source is not None:
                _add_failure(assignment, NodeView.of(NodeRef(grant.canvas_id, grant.source), value))
            case "T" if isinstance(value, bytes):
                assignment.value.CopyFrom(pb.Outcome.FromString(value).value)
            case "J" if isinstance(value, bytes) and grant.source is not None:
                await self._add_join(
                    assignment, grant.canvas_id, grant.source, value, base_of(grant.source_timing)
                )
            case _:
                pass  # nothing is put in front

    async def _add_join(
        self, assignment: pb.Assignment, canvas_id: CanvasId, index: int, body: bytes, base: int
    ) -> None:
        outcomes = await self._outcomes(canvas_id, index, body, base)
        if outcomes is None:
            assignment.elsewhere.node_id = NodeRef(canvas_id, index).node_id
            return
        assignment.values.SetInParent()
        for outcome in outcomes:
            assignment.values.values.add().CopyFrom(pb.Outcome.FromString(outcome).value)

    async def _outcomes(self, canvas_id: CanvasId, index: int, body: bytes, base: int) -> list[bytes] | None:
        """Read what the join's members came to, None for too much; until the store answers, or the stream ends.

        The task is granted already: a connection to the store that breaks now must not cost the worker its stream.
        """
        waits = pauses()
        while True:
            try:
                return await self._values.small(
                    canvas_id, index, parse_join_body(body, base), _INLINE, for_client=False
                )
            except StoreError as error:
                _log.log(level_of(error), "input.delayed canvas=%s reason=%s", canvas_id, error)
            await asyncio.sleep(next(waits))


def batches(grants: list[Grant]) -> list[list[Grant]]:
    """Return grants as frames carry them, in order: as many as fit, one at the least. Of none, one that is empty."""
    parts: list[list[Grant]] = [[]]
    room = _FRAME_BYTES
    for grant in grants:
        size = _weight(grant)
        if size > room and parts[-1]:
            parts.append([])
            room = _FRAME_BYTES
        parts[-1].append(grant)
        room -= size
    return parts


def _weight(grant: Grant) -> int:
    """Return how many bytes a grant's assignment has, roughly, and rather more."""
    value = grant.source_value
    size = len(grant.body)
    if isinstance(value, bytes):
        # What a join came to is not read yet.
        return size + (_INLINE.size if grant.source_kind == "J" else len(value))
    return size + len(value.body) + len(value.outcome) + len(value.cause_outcome)


def _root_id(root: str, canvas_id: str) -> str:
    """Return the id that the single first task of a canvas goes by; empty if there is none."""
    index, _, chosen = root.partition(" ")
    return chosen or (f"{canvas_id}-{index}" if index else "")


@lru_cache(maxsize=1024)
def _group_ids(canvas_id: str, groups: tuple[int, ...]) -> list[str]:
    """Return the joins' own ids; the members of a group share them."""
    return [f"{canvas_id}-{group}" for group in groups]


def _add_failure(assignment: pb.Assignment, failed: NodeView) -> None:
    assignment.failed.task_id = failed.task_id
    error = failed.error()
    if error is not None:
        assignment.failed.error.CopyFrom(error)
    if not failed.record.join:
        assignment.failed.signature.CopyFrom(failed.assignment.signature)
