"""Bad input gets the code, the reason and the path that `promises.md` says, and leaves nothing behind."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import pytest

from gesso.v1 import canvas_pb2, signature_pb2
from gesso.v1 import coordinator_service_pb2 as pb
from gesso_server.config import Limits, ServerConfig
from gesso_server.main import Started
from support.client import Client
from support.messages import PYTHON, Refused, chain, chord, group, refusal, sig

INVALID = grpc.StatusCode.INVALID_ARGUMENT
UNSERVED = grpc.StatusCode.UNIMPLEMENTED


def raw(channel: grpc.aio.Channel, method: str = "SubmitCanvas") -> Callable[..., Awaitable[object]]:
    """Return a method that takes bytes."""
    call: Any = channel.unary_unary(f"/gesso.v1.CoordinatorService/{method}")
    return call  # type: ignore[no-any-return]  # without a serializer it takes bytes


def with_options(**fields: Any) -> canvas_pb2.Canvas:
    """Return a signature with options."""
    canvas = sig()
    canvas.signature.options.CopyFrom(signature_pb2.SignatureOptions(**fields))
    return canvas


def nested(depth: int) -> canvas_pb2.Canvas:
    """Return a canvas so deep."""
    canvas = sig()
    for _ in range(depth - 1):
        canvas = group(canvas)
    return canvas


def stamped(**stamps: list[str]) -> canvas_pb2.Canvas:
    """Return a signature with stamps."""
    canvas = sig()
    for key, values in stamps.items():
        canvas.stamps[key].values.extend(values)
    return canvas


def stamped_deep() -> canvas_pb2.Canvas:
    """Return a canvas whose inner element has more stamps than it may, with those it inherits."""
    outer = chain(stamped(**{f"inner{number}": ["1"] for number in range(20)}))
    for number in range(20):
        outer.stamps[f"outer{number}"].values.append("1")
    return outer


def headless() -> canvas_pb2.Canvas:
    """Return a chord without a body."""
    canvas = canvas_pb2.Canvas(header=[sig()])
    canvas.chord.SetInParent()
    return canvas


def mixed() -> canvas_pb2.Canvas:
    """Return a signature that has steps."""
    canvas = sig()
    canvas.steps.append(sig())
    return canvas


def with_payload(size: int, field: str = "args") -> canvas_pb2.Canvas:
    """Return a signature with a payload of so many bytes."""
    canvas = sig()
    getattr(canvas.signature, field).data = b"x" * size
    return canvas


def request_of(canvas: canvas_pb2.Canvas, **fields: Any) -> pb.SubmitCanvasRequest:
    """Return the request that submits a canvas."""
    return pb.SubmitCanvasRequest(canvas=canvas, **fields)


def revoking(stamp: str, value: str) -> pb.RevokeNodesRequest:
    """Return the request that revokes what bears a stamp."""
    request = pb.RevokeNodesRequest()
    request.stamps[stamp].values.append(value)
    return request


BAD_CANVASES: dict[str, tuple[canvas_pb2.Canvas, str, str]] = {
    "no kind": (canvas_pb2.Canvas(), "CANVAS_REQUIRED", "canvas"),
    "no kind inside": (chain(sig(), canvas_pb2.Canvas()), "UNKNOWN_NODE_KIND", "canvas.steps[1]"),
    "no kind as body": (chord([sig()], canvas_pb2.Canvas()), "UNKNOWN_NODE_KIND", "canvas.body"),
    "no body": (group(sig(), headless()), "BODY_REQUIRED", "canvas.members[1].body"),
    "steps of a signature": (mixed(), "CONFLICTING_FIELDS", "canvas.steps"),
    "depth 65": (nested(65), "DEPTH_LIMIT", "canvas" + ".members[0]" * 64),
    "no task name": (sig(""), "BAD_TASK_NAME", "canvas.signature.task"),
    "long task name": (sig("t" * 257), "BAD_TASK_NAME", "canvas.signature.task"),
    "control character in a task name": (sig("a\nb"), "BAD_TASK_NAME", "canvas.signature.task"),
    "bad task name deep inside": (
        chain(sig(), chord([sig(), sig("")], sig())), "BAD_TASK_NAME", "canvas.steps[1].header[1].signature.task",
    ),
    "bad link": (canvas_pb2.Canvas(signature=sig().signature, links=[sig("")]), "BAD_TASK_NAME",
                 "canvas.links[0].signature.task"),
    "bad queue": (with_options(queue="a b"), "BAD_QUEUE_NAME", "canvas.signature.options.queue"),
    "long queue": (with_options(queue="q" * 129), "BAD_QUEUE_NAME", "canvas.signature.options.queue"),
    "negative countdown": (
        with_options(countdown={"seconds": -1}), "BAD_DURATION", "canvas.signature.options.countdown",
    ),
    "countdown negative by nanoseconds": (
        with_options(countdown={"nanos": -1}), "BAD_DURATION", "canvas.signature.options.countdown",
    ),
    "countdown over ten years": (
        with_options(countdown={"seconds": 400_000_000}), "BAD_DURATION", "canvas.signature.options.countdown",
    ),
    "countdown out of everything": (
        with_options(countdown={"seconds": 2**63 - 1, "nanos": 2**31 - 1}), "BAD_DURATION",
        "canvas.signature.options.countdown",
    ),
    "negative expiry": (
        with_options(expires_in={"seconds": -5}), "BAD_DURATION", "canvas.signature.options.expires_in",
    ),
    "eta out of time": (with_options(eta={"seconds": 2**62}), "BAD_DURATION", "canvas.signature.options.eta"),
    "countdown and eta": (
        with_options(countdown={"seconds": 1}, eta={"seconds": 1}), "CONFLICTING_FIELDS",
        "canvas.signature.options.countdown",
    ),
    "expires_in and expire_time": (
        with_options(expires_in={"seconds": 1}, expire_time={"seconds": 1}), "CONFLICTING_FIELDS",
        "canvas.signature.options.expires_in",
    ),
    "priority 10": (with_options(priority=10), "OUT_OF_RANGE", "canvas.signature.options.priority"),
    "priority -1": (with_options(priority=-1), "OUT_OF_RANGE", "canvas.signature.options.priority"),
    "negative retries": (
        with_options(retry={"max_retry_count": -1}), "OUT_OF_RANGE", "canvas.signature.options.retry.max_retry_count",
    ),
    "10,001 retries": (
        with_options(retry={"max_retry_count": 10_001}), "OUT_OF_RANGE",
        "canvas.signature.options.retry.max_retry_count",
    ),
    "factor NaN": (
        with_options(retry={"factor": float("nan")}), "OUT_OF_RANGE", "canvas.signature.options.retry.factor",
    ),
    "jitter NaN": (
        with_options(retry={"jitter": float("nan")}), "OUT_OF_RANGE", "canvas.signature.options.retry.jitter",
    ),
    "concurrency key with a bar": (
        with_options(concurrency_key="a|b"), "BAD_LIMIT_KEY", "canvas.signature.options.concurrency_key",
    ),
    "long concurrency key": (
        with_options(concurrency_key="é" * 65), "BAD_LIMIT_KEY", "canvas.signature.options.concurrency_key",
    ),
    "time limit of nothing": (with_options(time_limit={}), "BAD_DURATION", "canvas.signature.options.time_limit"),
    "soft limit above the hard one": (
        with_options(time_limit={"seconds": 1}, soft_time_limit={"seconds": 2}), "CONFLICTING_FIELDS",
        "canvas.signature.options.soft_time_limit",
    ),
    "factor below 1": (
        with_options(retry={"factor": 0.5}), "OUT_OF_RANGE", "canvas.signature.options.retry.factor",
    ),
    "jitter over 1": (with_options(retry={"jitter": 1.5}), "OUT_OF_RANGE", "canvas.signature.options.retry.jitter"),
    "negative delay": (
        with_options(retry={"initial_delay": {"seconds": -1}}), "BAD_DURATION",
        "canvas.signature.options.retry.initial_delay",
    ),
    "longest delay over ten years": (
        with_options(retry={"max_delay": {"seconds": 400_000_000}}), "BAD_DURATION",
        "canvas.signature.options.retry.max_delay",
    ),
    "65 error types": (
        with_options(retry={"retried_types": ["E"] * 65}), "OUT_OF_RANGE",
        "canvas.signature.options.retry.retried_types",
    ),
    "a long error type": (
        with_options(retry={"final_types": ["E" * 257]}), "OUT_OF_RANGE",
        "canvas.signature.options.retry.final_types",
    ),
    "negative soft limit": (
        with_options(soft_time_limit={"seconds": -1}), "BAD_DURATION", "canvas.signature.options.soft_time_limit",
    ),
    "time limit out of everything": (
        with_options(time_limit={"seconds": 2**62}), "BAD_DURATION", "canvas.signature.options.time_limit",
    ),
    "delay out of everything": (
        with_options(retry={"initial_delay": {"seconds": 2**62}}), "BAD_DURATION",
        "canvas.signature.options.retry.initial_delay",
    ),
    "factor without end": (
        with_options(retry={"factor": float("inf")}), "OUT_OF_RANGE", "canvas.signature.options.retry.factor",
    ),
    "a long name to show": (with_options(shadow="é" * 129), "OUT_OF_RANGE", "canvas.signature.options.shadow"),
    "a codec that is none": (
        with_options(result_encoding="a b"), "OUT_OF_RANGE", "canvas.signature.options.result_encoding",
    ),
    "a task's id with a space": (with_options(task_id="a b"), "BAD_ID", "canvas.signature.options.task_id"),
    "two tasks of one id": (group(with_options(task_id="a"), with_options(task_id="a")), "DUPLICATE_ID", "canvas"),
    "members in flight": (
        canvas_pb2.Canvas(group=canvas_pb2.Group(max_in_flight=-1), members=[sig()]), "OUT_OF_RANGE",
        "canvas.max_in_flight",
    ),
    "a quorum of nobody": (
        canvas_pb2.Canvas(group=canvas_pb2.Group(policy={"quorum": {}}), members=[sig()]), "OUT_OF_RANGE",
        "canvas.policy.quorum.count",
    ),
    "a join's deadline out of everything": (
        canvas_pb2.Canvas(group=canvas_pb2.Group(policy={"deadline": {"seconds": 2**62}}), members=[sig()]),
        "BAD_DURATION", "canvas.policy.deadline",
    ),
    "expiry of nothing": (with_options(expires_in={}), "BAD_DURATION", "canvas.signature.options.expires_in"),
    "33 headers": (
        with_options(headers={f"h{number}": "" for number in range(33)}), "OUT_OF_RANGE",
        "canvas.signature.options.headers",
    ),
    "payload over the limit": (with_payload((1 << 20) + 1), "PAYLOAD_TOO_LARGE", "canvas.signature.args"),
    "kwargs over the limit": (with_payload((1 << 20) + 1, "kwargs"), "PAYLOAD_TOO_LARGE", "canvas.signature.kwargs"),
    "headers of more bytes than characters": (
        with_options(headers={"h": "é" * 4096}), "OUT_OF_RANGE", "canvas.signature.options.headers",
    ),
    "control character in a stamp's key": (stamped(**{"a\0b": ["1"]}), "BAD_STAMP", "canvas.stamps['a\\x00b']"),
    "33 stamps": (stamped(**{f"k{number}": ["1"] for number in range(33)}), "BAD_STAMP", "canvas.stamps"),
    "33 stamps, some inherited": (stamped_deep(), "BAD_STAMP", "canvas.steps[0].stamps"),
    "stamp of the service's own": (stamped(**{"gesso.x": ["1"]}), "BAD_STAMP", "canvas.stamps['gesso.x']"),
    "long stamp key": (stamped(**{"k" * 65: ["1"]}), "BAD_STAMP", f"canvas.stamps['{'k' * 64}']"),
    "long stamp value": (stamped(k=["v" * 257]), "BAD_STAMP", "canvas.stamps['k']"),
    "stamp without a value": (stamped(k=[]), "BAD_STAMP", "canvas.stamps['k']"),
}  # fmt: skip
NOBODY = "0" * 32
BAD_CALLS: dict[str, tuple[str, Any, grpc.StatusCode, str, str]] = {
    "request id": ("SubmitCanvas", request_of(sig(), request_id="r" * 129), INVALID, "BAD_REQUEST_ID", "request_id"),
    "baggage": ("SubmitCanvas", request_of(sig(), baggage="b" * 8193), INVALID, "OUT_OF_RANGE", "baggage"),
    "tracestate": ("SubmitCanvas", request_of(sig(), tracestate="t" * 513), INVALID, "OUT_OF_RANGE", "tracestate"),
    "deadline of nothing": ("SubmitCanvas", request_of(sig(), deadline={}), INVALID, "BAD_DURATION", "deadline"),
    "negative deadline": (
        "SubmitCanvas", request_of(sig(), deadline={"seconds": -1}), INVALID, "BAD_DURATION", "deadline",
    ),
    "deadline out of everything": (
        "SubmitCanvas", request_of(sig(), deadline={"seconds": 2**62}), INVALID, "BAD_DURATION", "deadline",
    ),
    "node to revoke": ("RevokeNodes", pb.RevokeNodesRequest(node_ids=[""]), INVALID, "BAD_ID", "node_ids"),
    "1,001 nodes to revoke": (
        "RevokeNodes", pb.RevokeNodesRequest(node_ids=["x"] * 1001), INVALID, "OUT_OF_RANGE", "node_ids",
    ),
    "stamp to revoke": (
        "RevokeNodes", revoking("gesso.x", "1"), INVALID, "BAD_STAMP",
        "stamps['gesso.x']",
    ),
    "long stamp to revoke": (
        "RevokeNodes", revoking("k", "v" * 257), INVALID, "BAD_STAMP", "stamps['k']",
    ),
    "canvas to cancel": ("CancelCanvas", pb.CancelCanvasRequest(canvas_id="x"), INVALID, "BAD_ID", "canvas_id"),
    "unknown canvas to cancel": (
        "CancelCanvas", pb.CancelCanvasRequest(canvas_id=NOBODY), grpc.StatusCode.NOT_FOUND, "CANVAS_NOT_FOUND", "",
    ),
    "node to forget": ("ForgetNode", pb.ForgetNodeRequest(), INVALID, "BAD_ID", "node_id"),
    "canvas to retry": ("RetryCanvas", pb.RetryCanvasRequest(canvas_id="x"), INVALID, "BAD_ID", "canvas_id"),
    "unknown canvas to retry": (
        "RetryCanvas", pb.RetryCanvasRequest(canvas_id=NOBODY), grpc.StatusCode.NOT_FOUND, "CANVAS_NOT_FOUND", "",
    ),
    "request id of a retry": (
        "RetryCanvas", pb.RetryCanvasRequest(canvas_id=NOBODY, request_id="r" * 129), INVALID, "BAD_REQUEST_ID",
        "request_id",
    ),
    "canvas id": ("GetCanvas", pb.GetCanvasRequest(canvas_id="x"), INVALID, "BAD_ID", "canvas_id"),
    "canvas id in capitals": ("GetCanvas", pb.GetCanvasRequest(canvas_id="F" * 32), INVALID, "BAD_ID", "canvas_id"),
    "unknown canvas": (
        "GetCanvas", pb.GetCanvasRequest(canvas_id=NOBODY), grpc.StatusCode.NOT_FOUND, "CANVAS_NOT_FOUND", "",
    ),
    "canvas in a partition that is not there": (
        "GetCanvas", pb.GetCanvasRequest(canvas_id="f" * 32), grpc.StatusCode.NOT_FOUND, "CANVAS_NOT_FOUND", "",
    ),
    "list since no time": (
        "ListCanvases", pb.ListCanvasesRequest(filter={"since_time": {"seconds": 2**62}}), INVALID, "BAD_DURATION",
        "filter.since_time",
    ),
    "list until no time": (
        "ListCanvases", pb.ListCanvasesRequest(filter={"until_time": {"nanos": -1}}), INVALID, "BAD_DURATION",
        "filter.until_time",
    ),
    "no node id": ("GetNode", pb.GetNodeRequest(), INVALID, "BAD_ID", "node_id"),
    "long node id": ("WaitNode", pb.WaitNodeRequest(node_id="x" * 129), INVALID, "BAD_ID", "node_id"),
    "unknown node": (
        "GetNode", pb.GetNodeRequest(node_id=f"{NOBODY}-0"), grpc.StatusCode.NOT_FOUND, "NODE_NOT_FOUND", "",
    ),
    "node in a partition that is not there": (
        "WaitNode", pb.WaitNodeRequest(node_id=f"{'f' * 32}-9999999999"), grpc.StatusCode.NOT_FOUND,
        "NODE_NOT_FOUND", "",
    ),
    "value of an unknown node": (
        "ReadValue", pb.ReadValueRequest(node_id=f"{NOBODY}-0"), grpc.StatusCode.NOT_FOUND, "NODE_NOT_FOUND", "",
    ),
    "negative wait": (
        "WaitNode", pb.WaitNodeRequest(node_id=f"{NOBODY}-0", timeout={"seconds": -1}), INVALID, "BAD_DURATION",
        "timeout",
    ),
    "wait out of everything": (
        "WaitNode", pb.WaitNodeRequest(node_id=f"{NOBODY}-0", timeout={"seconds": 2**63 - 1}), INVALID,
        "BAD_DURATION", "timeout",
    ),
    "wait with bad nanoseconds": (
        "WaitNode", pb.WaitNodeRequest(node_id=f"{NOBODY}-0", timeout={"nanos": 2**31 - 1}), INVALID,
        "BAD_DURATION", "timeout",
    ),
    "nodes of nothing": ("ListNodes", pb.ListNodesRequest(), INVALID, "BAD_ID", "canvas_id"),
    "page size": ("ListNodes", pb.ListNodesRequest(canvas_id=NOBODY, page_size=1001), INVALID, "OUT_OF_RANGE",
                  "page_size"),
    "negative page size": ("ListNodes", pb.ListNodesRequest(canvas_id=NOBODY, page_size=-1), INVALID, "OUT_OF_RANGE",
                           "page_size"),
    "page token": ("ListNodes", pb.ListNodesRequest(canvas_id=NOBODY, page_token="-1"), INVALID, "BAD_PAGE_TOKEN",
                   "page_token"),
    "page token beyond digits": ("ListNodes", pb.ListNodesRequest(canvas_id=NOBODY, page_token="²"), INVALID,
                                 "BAD_PAGE_TOKEN", "page_token"),
    "watch of nothing": ("WatchCanvases", pb.WatchCanvasesRequest(), INVALID, "BAD_ID", "canvas_id"),
    "watch of no canvas": ("WatchCanvases", pb.WatchCanvasesRequest(canvas_id="x"), INVALID, "BAD_ID", "canvas_id"),
    "watch since no time": (
        "WatchCanvases", pb.WatchCanvasesRequest(filter={"since_time": {"nanos": -1}}), INVALID, "BAD_DURATION",
        "filter.since_time",
    ),
    "resume token": (
        "WatchCanvases", pb.WatchCanvasesRequest(canvas_id=NOBODY, resume_token="x"), INVALID, "BAD_RESUME_TOKEN",
        "resume_token",
    ),
}  # fmt: skip
BYTES = {
    "random": b"\xff\xff\xff\xff",
    "cut short": request_of(sig("task")).SerializeToString()[:-3],
    "a string that is no UTF-8": b"\x12\x02\xff\xfe",
    "empty": b"",
}


@pytest.fixture(autouse=True)
async def nothing_is_stored(started: Started) -> Any:
    """Compare what the store has before and after."""
    redis = started.coordinator.store.redis
    before = set(await redis.keys("*"))
    yield
    new = {bytes(key) for key in set(await redis.keys("*")) - before}  # type: ignore[arg-type]  # bytes, not text
    assert not {
        key for key in new if not key.endswith(b":clock") and b":canary:" not in key
    }  # which belong to no canvas


def check_text(found: Refused) -> None:
    """Check what is true of every error's text."""
    assert found.message
    assert len(found.message.encode()) <= 1024
    assert not PYTHON.search(found.message), found.message


@pytest.mark.parametrize(("canvas", "reason", "path"), BAD_CANVASES.values(), ids=BAD_CANVASES)
async def test_bad_canvas_is_refused_with_its_path(
    client: Client, canvas: canvas_pb2.Canvas, reason: str, path: str
) -> None:
    """What is wrong in a canvas is INVALID_ARGUMENT with reason and path, also with `validate_only`."""
    found = await refusal(client.SubmitCanvas(request_of(canvas)))
    checked = await refusal(client.SubmitCanvas(request_of(canvas, validate_only=True)))

    assert (found.code, found.reason, found.path) == (INVALID, reason, path)
    assert checked == found
    check_text(found)


@pytest.mark.parametrize(("method", "request_", "code", "reason", "path"), BAD_CALLS.values(), ids=BAD_CALLS)
async def test_bad_call_is_refused(
    client: Client, method: str, request_: Any, code: grpc.StatusCode, reason: str, path: str
) -> None:
    """Every other call answers what is wrong with it."""
    call = getattr(client, method)(request_)
    found = await refusal(call if hasattr(call, "__await__") else call.read())

    assert (found.code, found.reason, found.path) == (code, reason, path)
    check_text(found)


@pytest.mark.parametrize("data", BYTES.values(), ids=BYTES)
async def test_bytes_that_are_no_message_are_refused(channel: grpc.aio.Channel, data: bytes) -> None:
    """Bytes are MALFORMED_MESSAGE and an empty request has no canvas; never UNKNOWN, never a class's name."""
    expected = "MALFORMED_MESSAGE" if data else "CANVAS_REQUIRED"

    found = await refusal(raw(channel)(data))

    assert (found.code, found.reason) == (INVALID, expected)
    check_text(found)


async def test_message_nested_beyond_the_parser_is_refused(channel: grpc.aio.Channel) -> None:
    """Nesting over protobuf's own limit cannot be read."""
    data = b""
    for _ in range(200):
        size, length = len(data), b""
        while size > 0x7F:
            length += bytes([size & 0x7F | 0x80])
            size >>= 7
        data = b"\x62" + length + bytes([size]) + data  # field 12, members
    found = await refusal(raw(channel)(b"\x0a" + _length(data) + data))

    assert (found.code, found.reason) == (INVALID, "MALFORMED_MESSAGE")


def _length(data: bytes) -> bytes:
    size, length = len(data), b""
    while size > 0x7F:
        length += bytes([size & 0x7F | 0x80])
        size >>= 7
    return length + bytes([size])


async def test_unknown_kind_of_element_is_refused(channel: grpc.aio.Channel) -> None:
    """A kind that a newer contract may have is not taken for nothing."""
    unknown = b"\xf2\x01\x00"  # field 30, a message, in the canvas
    found = await refusal(
        raw(channel)(
            b"\x0a"
            + bytes([len(chain().SerializeToString()) + 2 + len(unknown)])
            + chain().SerializeToString()
            + b"\x5a"
            + bytes([len(unknown)])
            + unknown
        )
    )

    assert (found.code, found.reason, found.path) == (INVALID, "UNKNOWN_NODE_KIND", "canvas.steps[0]")


@pytest.mark.parametrize("config", [ServerConfig(limits=Limits(nodes=3))], indirect=True)
async def test_canvas_with_too_many_nodes_is_refused(client: Client) -> None:
    """The limit counts the nodes that it compiles to."""
    found = await refusal(client.SubmitCanvas(request_of(group(sig(), sig(), sig()))))

    assert (found.code, found.reason, found.path) == (INVALID, "NODE_LIMIT", "canvas")
    assert (await client.SubmitCanvas(request_of(group(sig(), sig()), validate_only=True))).node_count == 3


async def test_validate_only_keeps_nothing(client: Client) -> None:
    """A good canvas that is only checked has a number of nodes and no id."""
    canvas = nested(64)

    answer = await client.SubmitCanvas(request_of(chord([sig(), sig()], sig()), validate_only=True))
    deep = await client.SubmitCanvas(request_of(canvas, validate_only=True))

    assert (answer.canvas_id, answer.node_count, answer.HasField("last")) == ("", 4, False)
    assert deep.node_count == 2


async def test_unknown_method_is_unimplemented(channel: grpc.aio.Channel) -> None:
    """What no contract has is UNIMPLEMENTED."""
    found = await refusal(raw(channel, "Nothing")(b""))

    assert found.code is UNSERVED


@pytest.mark.parametrize("size", [(4 << 20) + 1, 20 << 20])
async def test_message_over_the_transport_limit_is_refused(channel: grpc.aio.Channel, size: int) -> None:
    """More than 4 MiB is refused by the transport."""
    found = await refusal(raw(channel)(b"x" * size))

    assert found.code is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_metadata_over_the_limit_is_refused(channel: grpc.aio.Channel) -> None:
    """More than 16 KiB of metadata is refused by the transport."""
    found = await refusal(raw(channel)(b"", metadata=[("x", "y" * 40_000)]))

    assert found.code is grpc.StatusCode.RESOURCE_EXHAUSTED
