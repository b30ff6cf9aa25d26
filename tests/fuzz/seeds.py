"""Messages that are right, to be damaged: what is random from the start seldom comes past the first check."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from random import Random

from google.protobuf import duration_pb2
from google.protobuf.message import Message

from gesso.v1 import canvas_pb2, signature_pb2
from gesso.v1 import coordinator_service_pb2 as cs
from gesso.v1 import operations_service_pb2 as ops
from gesso.v1 import worker_service_pb2 as ws
from support.messages import chain, chord, group, sig

Ids = Sequence[str]
Maker = Callable[[Random, Ids], Message]


def canvas(random: Random, depth: int = 3) -> canvas_pb2.Canvas:
    """Return a small canvas."""
    kind = random.randrange(6) if depth else 0
    parts = [canvas(random, depth - 1) for _ in range(random.randrange(4))] if kind in {1, 2, 3} else []
    match kind:
        case 1:
            made = chain(*parts)
        case 2:
            made = group(*parts)
        case 3:
            made = chord(parts, canvas(random, depth - 1))
        case _:
            made = sig(random.choice(("add", "tsum", "other")), b"[1, 2]")
            if random.random() < 0.3:
                made.signature.options.CopyFrom(_options(random))
    if kind in {2, 3} and random.random() < 0.2:
        getattr(made, made.WhichOneof("kind") or "").max_in_flight = random.randrange(4)
    if random.random() < 0.2:
        made.links.append(sig())
        made.error_links.append(sig())
        made.stamps["k"].values.append("1")
    return made


def _submission(random: Random, _ids: Ids) -> cs.SubmitCanvasRequest:
    request_id = random.choice(("", "", "same", f"{random.getrandbits(64):x}"))
    request = cs.SubmitCanvasRequest(
        canvas=canvas(random), request_id=request_id, validate_only=random.random() < 0.1
    )
    if random.random() < 0.2:
        request.deadline.nanos = random.choice((1, 50_000_000))
    return request


def _stream(random: Random, _ids: Ids) -> cs.StreamCanvasRequest:
    return cs.StreamCanvasRequest(
        start=cs.SubmitCanvasRequest(canvas=group(canvas(random, 1))), open_paths=["canvas"],
        growths=[cs.StreamCanvasRequest.Growth(members=[canvas(random, 2)], sealed=random.random() < 0.5)],
    )  # fmt: skip


def _conversation(random: Random, ids: Ids) -> cs.ConverseRequest:
    call = cs.ConverseRequest.Call(call_id=random.randrange(1, 4))
    match random.randrange(3):
        case 0:
            call.submit.CopyFrom(_submission(random, ids))
        case 1:
            call.wait.CopyFrom(cs.WaitNodeRequest(node_id=_id(random, ids), timeout={"nanos": 1_000_000}))
        case _:
            call.stop.SetInParent()
    return cs.ConverseRequest(calls=[call])


def work(random: Random, token: ws.Token) -> ws.WorkRequest:
    """Return a frame that says something of an attempt."""
    frame = ws.WorkRequest(credit_count=1)
    if random.random() < 0.7:
        frame.started.append(token)
    if random.random() < 0.4:
        frame.progress.add(token=token, state="BAKING")
    if random.random() < 0.6:
        frame.reports.add(token=token, outcome=_outcome(random))
    if random.random() < 0.2:
        frame.returned.append(token)
    return frame


def _outcome(random: Random) -> ws.Outcome:
    outcome = ws.Outcome(run_duration=_span(random))
    match random.randrange(8):
        case 0:
            outcome.value.data = b"1"
        case 1:
            outcome.error.type = outcome.error.message = "E"
        case 2:
            outcome.ignored.custom_state = random.choice(("", "BURNT", "burnt", "\n"))
            outcome.progress.state = random.choice(("", "BURNT", "burnt"))
        case 3:
            outcome.rejected.requeue, outcome.rejected.unknown_task = random.choice(
                ((True, False), (False, True))
            )
        case 4 | 5:
            outcome.retry.delay.CopyFrom(_span(random))
            outcome.retry.max_retry_count = random.choice((0, 3, -1, 2**31 - 1))
        case 6:
            outcome.replacement.canvas.CopyFrom(canvas(random, 2))
        case _:
            outcome.value.data = b"1"
            outcome.added_members.append(canvas(random, 1))
    return outcome


def _work(random: Random, ids: Ids) -> ws.WorkRequest:
    return work(random, ws.Token(node_id=_id(random, ids), attempt=1, nonce=random.getrandbits(48)))


def _span(random: Random) -> duration_pb2.Duration:
    """Return a span of time, which may be out of everything."""
    seconds = random.choice((0, 0, 1, -1, 2**62, 2**63 - 1, -(2**63)))
    return duration_pb2.Duration(seconds=seconds, nanos=random.choice((0, 1, -1, 2**31 - 1)))


def _options(random: Random) -> signature_pb2.SignatureOptions:
    """Return options, most of which are right."""
    options = signature_pb2.SignatureOptions(
        queue=random.choice(("", "", "mail")), at_most_once=random.random() < 0.1, ignore_result=random.random() < 0.1,
        concurrency_key=random.choice(("", "", "tenant", "a|b")),
    )  # fmt: skip
    if random.random() < 0.4:
        options.priority = random.randrange(10)
    for name in ("countdown", "expires_in", "soft_time_limit", "time_limit"):
        if random.random() < 0.1:
            getattr(options, name).CopyFrom(
                random.choice((_span(random), duration_pb2.Duration(nanos=10_000_000)))
            )
    if random.random() < 0.3:
        options.retry.max_retry_count = random.choice((0, 1, 10_000))
        options.retry.factor = random.choice((1.0, 2.0, 1e308))
        options.retry.initial_delay.nanos = random.choice((0, 1_000_000))
        options.retry.retried_types.extend(random.choice(((), ("E",))))
    return options


def _limit(random: Random, _ids: Ids) -> ops.SetLimitRequest:
    period = random.choice((duration_pb2.Duration(seconds=1), _span(random)))
    return ops.SetLimitRequest(
        key=random.choice(("add", "tenant", f"k{random.randrange(50)}")), rate_count=random.choice((0, 10, 1_000_000)),
        rate_period=period, concurrency_count=random.choice((0, 1, 1_000_000)),
    )  # fmt: skip


def _id(random: Random, ids: Ids) -> str:
    return random.choice(ids) if ids else "0" * 32


SEEDS: Mapping[str, Maker] = {
    "SubmitCanvas": _submission,
    "StreamCanvas": _stream,
    "Converse": _conversation,
    "Work": _work,
    "GetCanvas": lambda random, ids: cs.GetCanvasRequest(canvas_id=_id(random, ids)),
    "GetNode": lambda random, ids: cs.GetNodeRequest(node_id=_id(random, ids)),
    "WaitNode": lambda random, ids: cs.WaitNodeRequest(
        node_id=_id(random, ids), timeout={"nanos": 1_000_000}
    ),
    "ListNodes": lambda random, ids: cs.ListNodesRequest(canvas_id=_id(random, ids).partition("-")[0]),
    "WatchCanvases": lambda random, ids: cs.WatchCanvasesRequest(
        canvas_id=_id(random, ids).partition("-")[0],
        group_limit=random.choice((0, 1, 1000)),
        resume_token=random.choice(("", "", "1.AAAA", "2.AAAA")),
    ),
    "CancelCanvas": lambda random, ids: cs.CancelCanvasRequest(canvas_id=_id(random, ids)),
    "RetryCanvas": lambda random, ids: cs.RetryCanvasRequest(canvas_id=_id(random, ids)),
    "ReadValue": lambda random, ids: cs.ReadValueRequest(node_id=_id(random, ids)),
    "RevokeNodes": lambda random, ids: cs.RevokeNodesRequest(
        node_ids=[_id(random, ids)], terminate=random.random() < 0.5
    ),
    "ForgetNode": lambda random, ids: cs.ForgetNodeRequest(node_id=_id(random, ids)),
    "SetLimit": _limit,
    "PauseQueue": lambda random, _ids: ops.PauseQueueRequest(queue=f"q{random.randrange(100)}"),
    "ResumeQueue": lambda random, _ids: ops.ResumeQueueRequest(queue=f"q{random.randrange(100)}"),
    "ReplayDeadLetter": lambda random, ids: ops.ReplayDeadLetterRequest(node_id=_id(random, ids)),
    "PurgeDeadLetters": lambda random, ids: ops.PurgeDeadLettersRequest(node_ids=[_id(random, ids)]),
    "ListDeadLetters": lambda random, _ids: ops.ListDeadLettersRequest(page_size=random.randrange(4)),
    "ListQueues": lambda random, _ids: ops.ListQueuesRequest(page_size=random.randrange(4)),
    "ListWorkers": lambda random, _ids: ops.ListWorkersRequest(page_size=random.randrange(4)),
}
"""By method. A method without one gets random messages alone."""
