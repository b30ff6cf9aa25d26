"""Canvases as messages, and errors as clients see them."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Iterable
from typing import NamedTuple

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2

from gesso.v1 import canvas_pb2 as pb

_DETAILS = "grpc-status-details-bin"
PYTHON = re.compile(r"Error\b|Exception|Traceback|gesso_server|google\.protobuf|_pb2|\.py\b|<class|\bNone\b")
"""What no client must ever be told."""


class Refused(NamedTuple):
    """An error, read."""

    code: grpc.StatusCode
    reason: str
    path: str
    message: str
    retries: bool
    """Whether it says when to call again."""


def sig(task: str = "add", args: bytes = b"[]") -> pb.Canvas:
    """Return a signature."""
    canvas = pb.Canvas()
    canvas.signature.task = task
    canvas.signature.args.data = args
    return canvas


def chain(*steps: pb.Canvas) -> pb.Canvas:
    """Return a chain."""
    canvas = pb.Canvas(steps=steps)
    canvas.chain.SetInParent()
    return canvas


def group(*members: pb.Canvas) -> pb.Canvas:
    """Return a group."""
    canvas = pb.Canvas(members=members)
    canvas.group.SetInParent()
    return canvas


def chord(header: Iterable[pb.Canvas], body: pb.Canvas) -> pb.Canvas:
    """Return a chord."""
    canvas = pb.Canvas(header=header, body=body)
    canvas.chord.SetInParent()
    return canvas


async def refusal(call: Awaitable[object]) -> Refused:
    """Return the error that a call ends with."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return read(caught.value)


def read(error: grpc.aio.AioRpcError | None) -> Refused:
    """Read an error, its details included."""
    assert error is not None
    reason, path, retries = "", "", False
    for key, value in error.trailing_metadata() or ():
        if key == _DETAILS:
            assert isinstance(value, bytes)
            for detail in status_pb2.Status.FromString(value).details:
                info, bad, retry = (
                    error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest(), error_details_pb2.RetryInfo(),
                )  # fmt: skip
                if detail.Unpack(info):
                    assert info.domain == "gesso"
                    reason = info.reason
                if detail.Unpack(bad):
                    path = bad.field_violations[0].field
                retries = retries or detail.Unpack(retry)
    return Refused(error.code(), reason, path, error.details() or "", retries)
