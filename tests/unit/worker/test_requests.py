"""What a task can know about itself, from its assignment."""

from __future__ import annotations

from dataclasses import fields

import pytest
from google.protobuf.duration_pb2 import Duration

from gesso.request import Asked, Request
from gesso.v1.signature_pb2 import Signature, SignatureOptions, Stamp
from gesso.v1.worker_service_pb2 import Assignment, Token
from gesso_worker.arguments import Arguments
from gesso_worker.requests import request_of

ASKED = Asked()
TOKEN = Token(node_id="canvas-3", attempt=2, nonce=7)
ASSIGNMENT = Assignment(
    signature=Signature(
        task="proj.task",
        options=SignatureOptions(
            queue="slow",
            priority=3,
            headers={"key": "value"},
            time_limit=Duration(seconds=2, nanos=500_000_000),
        ),
    ),
    stamps={"colour": Stamp(values=['"red"', "7"])},
    token=TOKEN,
    task_id="chosen",
    root_id="canvas-0",
    parent_id="canvas-2",
    group_id="canvas-1",
    group_ids=["canvas-5", "canvas-1"],
    failure_count=1,
    trace_id="1" * 32,
    span_id="2" * 16,
    tracestate="vendor=1",
)
FULL = {
    "id": "chosen",
    "node_id": "canvas-3",
    "root_id": "canvas-0",
    "parent_id": "canvas-2",
    "group": "canvas-1",
    "groups": ("canvas-5", "canvas-1"),
    "task": "proj.task",
    "args": (1,),
    "kwargs": {"k": 2},
    "retries": 1,
    "retry": None,
    "attempt": 2,
    "delivery_info": {"redelivered": True, "routing_key": "slow", "priority": 3},
    "stamps": {"colour": ["red", 7]},
    "headers": {"key": "value"},
    "timelimit": (2.5, None),
    "hostname": "host/1",
    "trace_id": "1" * 32,
    "span_id": "2" * 16,
    "tracestate": "vendor=1",
    "called_directly": False,
    "is_eager": False,
    "caller": None,
    "asked": ASKED,
}


@pytest.mark.parametrize("name", [field.name for field in fields(Request)])
def test_each_field_says_what_the_assignment_does(name: str) -> None:
    """Read by itself, and first, each field is as the assignment has it."""
    request = request_of(ASSIGNMENT, Arguments((1,), {"k": 2}), "host/1", ASKED)

    assert getattr(request, name) == FULL[name]


def test_bare_assignment_leaves_the_defaults() -> None:
    """What the assignment does not have is None or empty; the id is the node's."""
    bare = Assignment(
        signature=Signature(task="proj.task"), token=Token(node_id="canvas-3", attempt=1, nonce=7)
    )

    request = request_of(bare, Arguments((), {}), "host/1", ASKED)

    assert request == Request(
        id="canvas-3",
        node_id="canvas-3",
        task="proj.task",
        delivery_info={"redelivered": False},
        hostname="host/1",
        called_directly=False,
    )
