"""What workers report, as the store takes it.

What cannot be taken as it is (an outcome that is too large, a replacement that is no canvas) is a failure of the task,
with an error that says so: the attempt is over either way.
"""

from __future__ import annotations

import re

from gesso.v1 import task_error_pb2
from gesso.v1 import worker_service_pb2 as pb
from gesso_server.config import Limits
from gesso_server.dispatch.coordinator import Coordinator
from gesso_server.dispatch.extension import CanvasGoneError, EmptyReplacementError, Replaced
from gesso_server.dispatch.large import beside, is_large
from gesso_server.ids import CanvasId, NodeRef
from gesso_server.plan import PlanError
from gesso_server.rpc.elements import Elements, is_span
from gesso_server.rpc.holdings import Holdings
from gesso_server.rpc.nodes import NodeView
from gesso_server.rpc.refusal import Refusal, invalid
from gesso_server.rpc.retries import Again, after_error, as_asked
from gesso_server.store.calls import Reported, TokenRef

_MOST_BYTES = 1_200_000
"""An outcome: a payload of 1 MiB and what goes with it."""
_META_BYTES = 64 << 10
"""What a running task may say about the state that it set."""
_STATE = re.compile(r"[A-Z][A-Z0-9_. -]{0,63}", re.ASCII)
_UNKNOWN_DELAY_MS = 1000
"""How long a task waits that a worker did not know although it said it did."""


class Reports:
    """Converts what one worker reports."""

    def __init__(self, coordinator: Coordinator, namespace: str, worker: str, holdings: Holdings) -> None:
        self._coordinator = coordinator
        self._holdings = holdings
        self._namespace = namespace
        self._worker = worker
        self._limits: Limits = coordinator.config.limits

    async def reported(self, token: TokenRef, outcome: pb.Outcome) -> Reported:
        """Return an outcome as the store takes it.

        Raises:
            StoreError: If what comes with it cannot be staged.
        """
        outcome.worker = self._worker
        if not outcome.HasField("ignored"):
            outcome.ClearField("progress")  # of an end only that of an ignored task is kept
        if not is_span(outcome.run_duration):
            outcome.ClearField("run_duration")  # a clock that went wrong is no reason to lose a result
        try:
            report = await self._reported(token, outcome)
        finally:
            self._holdings.forget(token)
        return report if self._coordinator.tally is None else _measured(report, outcome)

    def returned(self, token: TokenRef) -> None:
        """Take note that an attempt was given back unstarted."""
        self._holdings.forget(token)

    async def _reported(self, token: TokenRef, outcome: pb.Outcome) -> Reported:
        if outcome.HasField("retry"):
            again = as_asked(await self._holdings.of(token), outcome.retry)
            return self._again(token, outcome, outcome.retry.error, again)
        if outcome.HasField("error"):
            asked = after_error(await self._holdings.of(token), outcome.error)
            if asked is not None:
                return self._again(token, outcome, outcome.error, asked)
        if outcome.added_members or outcome.HasField("replacement"):
            return await self._extended(token, outcome)
        return self._plain(token, outcome)

    def progress(self, token: TokenRef, progress: pb.WorkRequest.Progress) -> Reported:
        """Return a state that a running task set for itself as the store takes it.

        Raises:
            Refusal: If it is none, or says too much.
        """
        if not _STATE.fullmatch(progress.state):
            text = (
                "a state begins with an upper-case letter and has at most 64 of A-Z, 0-9, _, -, . and space"
            )
            raise invalid("OUT_OF_RANGE", text, "progress.state")
        if len(progress.meta.data) > _META_BYTES:
            text = f"what a task says about its state has at most {_META_BYTES} bytes"
            raise invalid("PAYLOAD_TOO_LARGE", text, "progress.meta", limit=str(_META_BYTES))
        progress.ClearField("token")
        return Reported(token, "s", pb.Outcome(progress=progress, worker=self._worker).SerializeToString())

    def _again(
        self, token: TokenRef, outcome: pb.Outcome, error: task_error_pb2.TaskError, again: Again
    ) -> Reported:
        failed = pb.Outcome(error=error, worker=outcome.worker, run_duration=outcome.run_duration)
        blob = failed.SerializeToString()
        if len(blob) > _MOST_BYTES:
            return self._too_large(token, outcome, len(blob))
        return Reported(token, "y", blob, again.delay_ms, str(again.most))

    def _plain(self, token: TokenRef, outcome: pb.Outcome, extra: str = "") -> Reported:
        kind, delay_ms = "v", 0
        match outcome.WhichOneof("kind"):
            case "value":
                pass
            case "error":
                kind = "e"
            case "ignored":
                if not _shows_a_state(outcome):
                    text = "the state that an ignored task set is none, or says too much"
                    return self._failed(token, outcome, "gesso.BadOutcome", text)
                kind = "i"
            case "rejected" if outcome.rejected.unknown_task:
                kind, delay_ms = "q", _UNKNOWN_DELAY_MS
            case "rejected":
                kind = "q" if outcome.rejected.requeue else "r"
            case _:
                return self._failed(token, outcome, "gesso.BadOutcome", "the worker reported no outcome")
        blob = outcome.SerializeToString()
        if len(blob) > _MOST_BYTES:
            return self._too_large(token, outcome, len(blob))
        return Reported(token, kind, blob, delay_ms, extra)

    def _too_large(self, token: TokenRef, outcome: pb.Outcome, size: int) -> Reported:
        text = f"the outcome has {size} bytes, more than {_MOST_BYTES}"
        return self._failed(token, outcome, "gesso.ResultTooLarge", text)

    def _failed(self, token: TokenRef, outcome: pb.Outcome, name: str, text: str) -> Reported:
        failed = pb.Outcome(worker=outcome.worker, run_duration=outcome.run_duration)
        failed.error.type = name
        failed.error.message = text
        return Reported(token, "e", failed.SerializeToString(), error=name)

    async def _extended(self, token: TokenRef, outcome: pb.Outcome) -> Reported:
        try:
            extra = await self._staged(NodeRef(CanvasId(token.canvas_id), token.index), outcome)
        except Refusal as refusal:
            return self._failed(token, outcome, "gesso.InvalidCanvas", refusal.text)
        except PlanError as error:
            return self._failed(token, outcome, "gesso.InvalidCanvas", str(error))
        except EmptyReplacementError:
            return self._failed(
                token, outcome, "builtins.ValueError", "a task cannot be replaced with an empty canvas"
            )
        except CanvasGoneError:
            extra = ""  # the token is not current any more, and the report changes nothing
        del outcome.added_members[:]
        if outcome.HasField("replacement"):
            return Reported(token, "p" if extra else "i", b"", 0, extra)
        return self._plain(token, outcome, extra)

    async def _staged(self, ref: NodeRef, outcome: pb.Outcome) -> str:
        partition = self._coordinator.store.partition_of(ref.canvas_id)
        found = await partition.look(self._namespace, ref.canvas_id, [ref.index]) if partition else None
        if found is None or found[1][0] is None:
            raise CanvasGoneError
        view = NodeView.of(ref, found[1][0])
        body = view.task_body()
        stamps = pb.Assignment.FromString(body.call).stamps
        config = self._coordinator.config
        elements = Elements(config.limits, config.routes)
        extensions = self._coordinator.extensions
        lines, large = [], is_large(outcome)
        if outcome.HasField("replacement"):
            element = await beside(lambda: elements.convert(outcome.replacement.canvas, stamps), large=large)
            source = view.record.silent_source
            replaced = Replaced(
                ref=ref, task_id=view.task_id, place=body.place, source=source, told_by=view.record.told_by
            )
            lines.append(await extensions.replacement(self._namespace, replaced, element, large=large))
        if outcome.added_members and body.place.ends:
            members = await beside(lambda: elements.members(outcome.added_members, stamps), large=large)
            lines.append(
                await extensions.additions(
                    self._namespace, ref, (body.place.groups, view.record.told_by), members, large=large
                )
            )
        await extensions.bear(ref.canvas_id, elements.take_stamps())
        return "\n".join(line for line in lines if line)


def _measured(report: Reported, outcome: pb.Outcome) -> Reported:
    """Return a report with what metrics tell of it."""
    error = report.error
    if not error and report.kind in {"e", "y"}:
        error = outcome.retry.error.type if outcome.HasField("retry") else outcome.error.type
    ran = outcome.run_duration
    seconds = ran.seconds + ran.nanos / 1e9 if outcome.HasField("run_duration") else None
    return report._replace(error=error, run_seconds=seconds)


def _shows_a_state(outcome: pb.Outcome) -> bool:
    """Whether the states that an ignored task left, if any, are ones."""
    states = (outcome.ignored.custom_state, outcome.progress.state)
    return all(not state or _STATE.fullmatch(state) for state in states) and (
        len(outcome.progress.meta.data) <= _META_BYTES
    )
