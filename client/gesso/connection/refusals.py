"""Errors of calls, as they arrive, turned into Gesso's own."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, cast

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from gesso.errors import (
    GessoError,
    ResourceExhausted,
    ServiceError,
    Unavailable,
    Violation,
    reason_name,
    reason_number,
    service_error,
)
from gesso.v1 import coordinator_service_pb2 as pb

__all__ = ["from_call_error", "from_rpc_error", "repeatable", "to_call_error"]

DOMAIN = "gesso"
"""Whose reasons are known here, as `ErrorInfo.domain` says."""

_NAMES = {code.value[0]: code.name for code in grpc.StatusCode}
_NUMBERS = {name: number for number, name in _NAMES.items()}


def from_call_error(error: pb.CallError) -> GessoError:
    """Return the error that a conversation's reply stands for."""
    return service_error(
        error.message,
        code=_NAMES.get(error.code, "UNKNOWN"),
        reason=reason_name(error.reason),
        violations=tuple(
            Violation(field=each.field, description=each.description) for each in error.violations
        ),
        retry_delay=error.retry_delay.ToTimedelta() if error.HasField("retry_delay") else None,
    )


def from_rpc_error(error: grpc.RpcError) -> GessoError:
    """Return the error that a call of its own ended with."""
    call = cast("Any", error)  # every error that a call raises is also the call; the stubs do not say so
    code: grpc.StatusCode = call.code()
    status = rpc_status.from_call(call)
    if status is None:
        return service_error(call.details() or code.name, code=code.name)
    info, delay = "", None
    violations: tuple[Violation, ...] = ()
    for detail in status.details:
        match detail.TypeName():
            case "google.rpc.ErrorInfo":
                info = _reason(detail.value)
            case "google.rpc.BadRequest":
                violations = _violations(detail.value)
            case "google.rpc.RetryInfo":
                delay = error_details_pb2.RetryInfo.FromString(detail.value).retry_delay.ToTimedelta()
            case _:
                pass
    return service_error(
        status.message, code=code.name, reason=info, violations=violations, retry_delay=delay
    )


def _reason(data: bytes) -> str:
    info = error_details_pb2.ErrorInfo.FromString(data)
    return info.reason if info.domain == DOMAIN else ""


def _violations(data: bytes) -> tuple[Violation, ...]:
    request = error_details_pb2.BadRequest.FromString(data)
    return tuple(
        Violation(field=each.field, description=each.description) for each in request.field_violations
    )


def to_call_error(error: GessoError) -> pb.CallError:
    """Return `error` as a reply that every call of a conversation can be answered with."""
    message = pb.CallError(message=str(error))
    if isinstance(error, ServiceError):
        message.code = _NUMBERS.get(error.code, grpc.StatusCode.UNKNOWN.value[0])
        message.reason = cast("Any", reason_number(error.reason))  # an enum's numbers are its values
    return message


def repeatable(error: GessoError) -> timedelta | None:
    """Return how long to wait before the call is made again; None when that does not help."""
    if isinstance(error, ResourceExhausted):
        return error.retry_delay
    if isinstance(error, Unavailable):
        return error.retry_delay or timedelta(0)
    return None
