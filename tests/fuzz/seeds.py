"""Messages that are right, to be damaged: what is random from the start seldom comes past the first check."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from random import Random

from google.protobuf.message import Message

from gesso.v1 import canvas_pb2
from gesso.v1 import coordinator_service_pb2 as cs
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
    if random.random() < 0.2:
        made.links.append(sig())
        made.error_links.append(sig())
        made.stamps["k"].values.append("1")
    return made


def _submission(random: Random, _ids: Ids) -> cs.SubmitCanvasRequest:
    request_id = random.choice(("", "", "same", f"{random.getrandbits(64):x}"))
    return cs.SubmitCanvasRequest(
        canvas=canvas(random), request_id=request_id, validate_only=random.random() < 0.1
    )


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


def _work(random: Random, ids: Ids) -> ws.WorkRequest:
    token = ws.Token(node_id=_id(random, ids), attempt=1, nonce=random.getrandbits(48))
    report = ws.Report(token=token)
    report.outcome.value.data = b"1"
    return ws.WorkRequest(credit_count=1, started=[token], reports=[report], returned=[token])


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
    "CancelCanvas": lambda random, ids: cs.CancelCanvasRequest(canvas_id=_id(random, ids)),
    "RetryCanvas": lambda random, ids: cs.RetryCanvasRequest(canvas_id=_id(random, ids)),
    "ReadValue": lambda random, ids: cs.ReadValueRequest(node_id=_id(random, ids)),
    "RevokeNodes": lambda random, ids: cs.RevokeNodesRequest(node_ids=[_id(random, ids)]),
    "ForgetNode": lambda random, ids: cs.ForgetNodeRequest(node_id=_id(random, ids)),
}
"""By method. A method without one gets random messages alone."""
