"""What nodes wait for, as a message and as a sentence."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import assert_never

from gesso.v1 import coordinator_service_pb2, node_pb2, waiting_pb2
from gesso_server.dispatch.explanation import Explainer, Reason, Survey, Waiting
from gesso_server.ids import CanvasId, NodeRef
from gesso_server.rpc.nodes import NodeView, node_state
from gesso_server.store.calls import LookedCanvas
from gesso_server.store.records import State


async def explain(
    explainer: Explainer, namespace: str, canvas: LookedCanvas, view: NodeView, node: node_pb2.Node
) -> None:
    """Put into a node's message why it has not ended, and how its members stand."""
    waiting = await explainer.node(namespace, view.ref, view.looked, canvas.created_ms)
    if waiting is not None:
        node.waiting.CopyFrom(message(waiting, view.ref.canvas_id))
        node.waits_for = node.waiting.text
    if view.record.join:
        states = await explainer.states(view.ref.canvas_id, view.join_body().inputs)
        node.state_counts.extend(state_counts(states))


def add_survey(
    survey: Survey, handles: list[node_pb2.Handle], out: coordinator_service_pb2.GetCanvasResponse
) -> None:
    """Put how a canvas's nodes stand into an answer; `handles` are of the first nodes of its crowds."""
    out.state_counts.extend(state_counts(survey.states))
    for crowd, handle in zip(survey.crowds, handles, strict=True):
        told = message(crowd.waiting, crowd.first.canvas_id)
        out.waiting.add(first=handle, node_count=crowd.count, waiting=told)


def state_counts(states: dict[State, int]) -> list[node_pb2.StateCount]:
    """Return how many nodes are in each state that clients see."""
    shown: dict[node_pb2.Node.State, int] = {}
    for state, count in states.items():
        shown[node_state(state)] = shown.get(node_state(state), 0) + count
    return [node_pb2.StateCount(state=state, count=count) for state, count in sorted(shown.items())]


def message(waiting: Waiting, canvas_id: CanvasId) -> waiting_pb2.Waiting:
    """Return what a node waits for."""
    found = waiting_pb2.Waiting(
        reason=f"REASON_{waiting.reason.name}",
        text=sentence(waiting),
        task=waiting.task,
        queue=waiting.queue,
        limit_key=waiting.limit_key,
        worker=waiting.worker,
        node_ids=[NodeRef(canvas_id, index).node_id for index in waiting.indexes],
        done_count=waiting.done,
        total_count=waiting.total,
        other_count=waiting.others,
        worker_count=waiting.workers,
    )
    if waiting.since_ms is not None:
        found.since_time.FromMilliseconds(waiting.since_ms)
    if waiting.until_ms is not None:
        found.until_time.FromMilliseconds(waiting.until_ms)
    return found


def sentence(waiting: Waiting) -> str:  # noqa: C901, PLR0911, PLR0912  one line for each reason
    """Return what a node waits for as a sentence without a full stop, to be put behind the node's name."""
    queue, task, worker = waiting.queue, waiting.task, waiting.worker or "a worker"
    match waiting.reason:
        case Reason.INPUTS if waiting.total == 1:
            return "waits for the node before it"
        case Reason.INPUTS:
            return f"waits for its inputs: {waiting.done:,} of {waiting.total:,} have ended"
        case Reason.MAX_IN_FLIGHT:
            return f"waits for its turn: {waiting.done:,} members of its group are under way, {waiting.total:,} may be"
        case Reason.DELAY:
            return f"waits for its time{_until(waiting)}"
        case Reason.RETRY_DELAY:
            return f"failed {_times(waiting.done)} and is tried again{_until(waiting)}"
        case Reason.QUEUE_PAUSED:
            return f"waits for queue {queue}, which is paused"
        case Reason.NO_WORKER:
            return f"waits for a worker that takes tasks of queue {queue}: none is connected"
        case Reason.UNKNOWN_TASK:
            one = waiting.workers == 1
            others = (
                "the only one connected there does not"
                if one
                else f"none of the {waiting.workers:,} there does"
            )
            return f"waits for a worker that knows {task} on queue {queue}: {others}"
        case Reason.RATE_LIMIT:
            rate = f"{waiting.total:,} in {waiting.period_ms / 1000:g} s"
            return f"waits for the rate limit of {waiting.limit_key}, {rate}: the next may start{_until(waiting, 'at')}"
        case Reason.CONCURRENCY_LIMIT:
            limit = f"the concurrency limit of {waiting.limit_key}"
            return f"waits for {limit}: workers hold {waiting.done:,} of at most {waiting.total:,}"
        case Reason.ISOLATION:
            died = f"{_workers(waiting.done)} died while it ran"
            return f"waits for a worker that holds nothing: {died}, so it runs alone"
        case Reason.BUSY:
            slots = f"all {waiting.total:,} slots of {_workers(waiting.workers)} are taken"
            return f"waits for a free slot: {slots}, and {waiting.others:,} other tasks wait in queue {queue}"
        case Reason.MOMENT:
            return f"is about to be handed to a worker of queue {queue}"
        case Reason.GRANTED:
            return f"was handed to {worker}, which has not begun it{_since(waiting)}"
        case Reason.RUNNING:
            return f"runs on {worker}{_since(waiting)}"
        case Reason.CANCELLING:
            return f"was cancelled; {worker} was told to stop it"
        case Reason.REPLACED:
            return f"waits for the canvas that took its place: {waiting.done:,} of {waiting.total:,} nodes have ended"
        case _:
            assert_never(waiting.reason)


def _workers(count: int) -> str:
    return f"{count:,} worker{'' if count == 1 else 's'}"


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count:,} times"


def _since(waiting: Waiting) -> str:
    return "" if waiting.since_ms is None else f", since {_instant(waiting.since_ms)}"


def _until(waiting: Waiting, word: str = "at") -> str:
    return "" if waiting.until_ms is None else f" {word} {_instant(waiting.until_ms)}"


def _instant(ms: int) -> str:
    return f"{datetime.fromtimestamp(ms / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"
