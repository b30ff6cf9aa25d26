"""What one stream's worker holds, as far as it matters later: retry policies and stamps.

Both lie in a task's body, which no script reads. So the stream remembers them of what it has assigned, where there are
any, and looks them up for what its worker brought along from another stream. Tasks without either cost nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from gesso.v1 import signature_pb2
from gesso.v1 import worker_service_pb2 as pb
from gesso_server.dispatch.coordinator import Coordinator
from gesso_server.ids import CanvasId
from gesso_server.store.calls import Grant, TokenRef
from gesso_server.store.records import parse_record, parse_task_body


@dataclass(frozen=True, slots=True)
class Held:
    """What is remembered of an attempt."""

    policy: signature_pb2.RetryPolicy | None
    failures: int
    """How often the task has failed before it."""
    stamps: Mapping[str, list[str]]

    @classmethod
    def of(cls, assignment: pb.Assignment, failures: int) -> Held | None:
        """Return what is to be remembered; None for nothing."""
        options = assignment.signature.options
        if not assignment.stamps and not options.HasField("retry"):
            return None
        policy = None
        if options.HasField("retry"):
            policy = signature_pb2.RetryPolicy()
            policy.CopyFrom(options.retry)  # part of a message, it would keep the whole of it in memory
        return cls(policy, failures, {key: list(stamp.values) for key, stamp in assignment.stamps.items()})


class Holdings:
    """What one worker holds."""

    def __init__(self, coordinator: Coordinator, namespace: str, brought: Iterable[TokenRef]) -> None:
        """Begin with what the worker held before the stream."""
        self._coordinator = coordinator
        self._namespace = namespace
        self._held: dict[TokenRef, Held] = {}
        self._unsure = set(brought)

    def assigned(self, grant: Grant, assignment: pb.Assignment) -> None:
        """Take note of what was assigned."""
        held = Held.of(assignment, grant.failures)
        if held is not None:
            self._held[TokenRef(grant.canvas_id, grant.index, grant.attempt, grant.nonce)] = held

    def forget(self, token: TokenRef) -> None:
        """Take note that the worker does not hold an attempt any more."""
        self._held.pop(token, None)
        self._unsure.discard(token)

    async def of(self, token: TokenRef) -> Held | None:
        """Return what there is to remember of an attempt.

        Raises:
            StoreError: If it had to be looked up, and the store does not answer.
        """
        if token in self._unsure:
            found = await self._look(token)
            if found is not None and token in self._unsure:
                self._held[token] = found
            self._unsure.discard(token)
        return self._held.get(token)

    async def stamped(self) -> list[tuple[TokenRef, Mapping[str, list[str]]]]:
        """Return what is held that bears stamps, and these. Raises as `of`."""
        for token in list(self._unsure):
            await self.of(token)
        return [(token, held.stamps) for token, held in self._held.items() if held.stamps]

    async def _look(self, token: TokenRef) -> Held | None:
        canvas_id = CanvasId(token.canvas_id)
        partition = self._coordinator.store.partition_of(canvas_id)
        found = await partition.look(self._namespace, canvas_id, [token.index]) if partition else None
        looked = found[1][0] if found else None
        record = parse_record(looked.record) if looked else None
        if looked is None or record is None or record.join:
            return None
        call = parse_task_body(looked.body, record.base).call
        return Held.of(pb.Assignment.FromString(call), record.failures)
