"""Grants to assignments: what was kept of the task, stamped, with its input in front."""

from __future__ import annotations

from gesso.v1 import worker_service_pb2 as pb
from gesso_server.dispatch.values import Values
from gesso_server.ids import NodeRef, span_id
from gesso_server.store.partition import CanvasContext, Grant
from gesso_server.store.records import parse_join_body, parse_task_body

_INLINE_BYTES = 256 << 10
_INLINE_COUNT = 10_000


class Assignments:
    """Makes assignments."""

    def __init__(self, values: Values) -> None:
        self._values = values

    async def add(self, response: pb.WorkResponse, grant: Grant, contexts: dict[str, CanvasContext]) -> None:
        """Add the assignment of a grant to a frame."""
        group, body = parse_task_body(grant.body)
        assignment = response.assignments.add()
        assignment.MergeFromString(body)
        context = contexts[grant.canvas_id]
        canvas_id, index = grant.canvas_id, grant.index
        node_id = f"{canvas_id}-{index}"
        assignment.token.node_id = node_id
        assignment.token.attempt = grant.attempt
        assignment.token.nonce = int(grant.nonce, 16)
        assignment.trace_id = context.trace_id
        assignment.span_id = span_id(canvas_id, index)
        assignment.root_id = node_id if context.root is None else f"{canvas_id}-{context.root}"
        assignment.tracestate = context.tracestate
        assignment.failure_count = grant.failures
        if grant.parent is not None:
            assignment.parent_id = f"{canvas_id}-{grant.parent}"
        if group is not None:
            assignment.group_id = f"{canvas_id}-{group}"
        await self._add_input(assignment, grant)

    async def _add_input(self, assignment: pb.Assignment, grant: Grant) -> None:
        if grant.source_kind == "T":
            assignment.value.CopyFrom(pb.Outcome.FromString(grant.source_value).value)
        elif grant.source_kind == "J" and grant.source is not None:
            join = parse_join_body(grant.source_value)
            outcomes = await self._values.small(
                grant.canvas_id, join, most_bytes=_INLINE_BYTES, most_count=_INLINE_COUNT
            )
            if outcomes is None:
                assignment.elsewhere.node_id = NodeRef(grant.canvas_id, grant.source).node_id
                return
            assignment.values.SetInParent()
            for outcome in outcomes:
                assignment.values.values.add().CopyFrom(pb.Outcome.FromString(outcome).value)
