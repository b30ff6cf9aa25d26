"""Errors that a client may see, and the one table from the domain's errors to them.

Every answer has a canonical code, a sentence, and `google.rpc` details: `ErrorInfo` with a reason that clients match
on, `BadRequest` with field paths, `RetryInfo` where repeating helps. What is not in the table is a fault of our own:
`INTERNAL` with an id to look for in the log, and nothing else.

Source: `promises.md`, "Bad input: expected answers"; AIP-193.
"""

from __future__ import annotations

import logging
import secrets
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import assert_never

import grpc
from google.protobuf import any_pb2, duration_pb2
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from gesso.v1 import coordinator_service_pb2
from gesso_server.dispatch.limiter import TooManyLimitsError
from gesso_server.dispatch.pressure import BackpressureError
from gesso_server.dispatch.rerun import CanvasActiveError
from gesso_server.dispatch.revocations import TooManyRevocationsError
from gesso_server.dispatch.submission import RequestIdReusedError, UnknownTaskError
from gesso_server.dispatch.values import NoValueError
from gesso_server.dispatch.watches import TooManyWatchesError, WatchMovedError
from gesso_server.plan import CanvasTooLargeError, DuplicateIdError
from gesso_server.store.errors import QuotaError, StoreBehind, StoreError, StoreFull, level_of
from gesso_server.store.rerun import IncompleteCanvasError, NothingFailedError

_log = logging.getLogger(__name__)

DOMAIN = "gesso"
_TEXT_BYTES = 1024
_SOON = timedelta(milliseconds=200)
_LATER = timedelta(seconds=2)


@dataclass(eq=False)  # not frozen: contextlib sets the traceback of what it lets through
class Refusal(Exception):
    """A call that is not served, as its caller sees it."""

    code: grpc.StatusCode
    reason: str
    """A name of `ErrorReason` without its prefix."""
    message: str
    path: str = ""
    """The field that is wrong; empty for none."""
    metadata: tuple[tuple[str, str], ...] = ()
    retry_delay: timedelta | None = None

    def within(self, prefix: str) -> Refusal:
        """Return it with its path continued outwards."""
        return replace(self, path=f"{prefix}.{self.path}" if self.path else prefix)

    def status(self) -> grpc.Status:
        """Return it as gRPC's rich status."""
        info = error_details_pb2.ErrorInfo(reason=self.reason, domain=DOMAIN, metadata=dict(self.metadata))
        details: list[Message] = [info]
        if self.path:
            violation = error_details_pb2.BadRequest.FieldViolation(field=self.path, description=self.message)
            details.append(error_details_pb2.BadRequest(field_violations=[violation]))
        if self.retry_delay is not None:
            delay = duration_pb2.Duration()
            delay.FromTimedelta(self.retry_delay)
            details.append(error_details_pb2.RetryInfo(retry_delay=delay))
        status = status_pb2.Status(code=self.code.value[0], message=self.text)
        for detail in details:
            packed = any_pb2.Any()
            packed.Pack(detail)
            status.details.append(packed)
        rich: grpc.Status = rpc_status.to_status(status)
        return rich

    def call_error(self) -> coordinator_service_pb2.CallError:
        """Return it as the error of one call in a conversation."""
        error = coordinator_service_pb2.CallError(
            code=self.code.value[0],
            reason=f"ERROR_REASON_{self.reason}",
            message=self.text,
        )
        if self.path:
            error.violations.add(field=self.path, description=self.message)
        if self.retry_delay is not None:
            error.retry_delay.FromTimedelta(self.retry_delay)
        return error

    @property
    def text(self) -> str:
        """The sentence, with its path, at most 1 KiB."""
        text = f"{self.path}: {self.message}" if self.path else self.message
        return text.encode()[:_TEXT_BYTES].decode(errors="ignore")


def invalid(reason: str, message: str, path: str = "", **metadata: str) -> Refusal:
    """Return the refusal of an argument."""
    return Refusal(grpc.StatusCode.INVALID_ARGUMENT, reason, message, path, tuple(metadata.items()))


def not_found(kind: str) -> Refusal:
    """Return the refusal of an id that is unknown, or of another namespace: the same for both."""
    return Refusal(grpc.StatusCode.NOT_FOUND, f"{kind.upper()}_NOT_FOUND", f"there is no such {kind}")


def draining() -> Refusal:
    """Return the refusal of a coordinator that is stopping."""
    text = "this coordinator is stopping; call another one"
    return Refusal(grpc.StatusCode.UNAVAILABLE, "DRAINING", text, retry_delay=_SOON)


def refused(error: Exception) -> Refusal:  # noqa: C901, PLR0911, PLR0912  a table, a row each
    """Return what a client may see of an error."""
    match error:
        case Refusal():
            return error
        case CanvasTooLargeError():
            return invalid("NODE_LIMIT", str(error), "canvas", limit=str(error.limit))
        case DuplicateIdError():
            return invalid("DUPLICATE_ID", str(error), "canvas", task_id=error.task_id)
        case TooManyLimitsError():
            return Refusal(
                grpc.StatusCode.RESOURCE_EXHAUSTED, "QUOTA", "there are as many limits as there may be"
            )
        case TooManyRevocationsError():
            text = "as many stamps are revoked as may be; each is forgotten a week later"
            return Refusal(grpc.StatusCode.RESOURCE_EXHAUSTED, "QUOTA", text)
        case RequestIdReusedError():
            text = "the request id was used with another content"
            return Refusal(grpc.StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED", text)
        case CanvasActiveError() | NothingFailedError() | IncompleteCanvasError():
            return _not_again(error)
        case NoValueError():
            text = "the node has no value: it has not ended, not ended well, or its value was forgotten"
            return Refusal(grpc.StatusCode.FAILED_PRECONDITION, "NO_VALUE", text)
        case UnknownTaskError():
            text = f"no connected worker knows {error.task}"
            return Refusal(grpc.StatusCode.FAILED_PRECONDITION, "UNKNOWN_TASK", text, "canvas")
        case BackpressureError():
            text = "the store is nearly full; what runs goes on"
            return Refusal(grpc.StatusCode.RESOURCE_EXHAUSTED, "BACKPRESSURE", text, retry_delay=_LATER)
        case TooManyWatchesError():
            where = "connection" if error.on_connection else "coordinator"
            text = f"the {where} has {error.most} watches, as many as it may"
            return Refusal(grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_WATCHES", text, retry_delay=_LATER)
        case WatchMovedError():
            return draining()
        case QuotaError():
            text = "the namespace has as many nodes open as it may"
            return Refusal(grpc.StatusCode.RESOURCE_EXHAUSTED, "QUOTA", text, retry_delay=_LATER)
        case StoreFull():
            text = "the store is full; what runs goes on"
            return Refusal(grpc.StatusCode.RESOURCE_EXHAUSTED, "STORE_FULL", text, retry_delay=_LATER)
        case StoreBehind():
            _log.warning("store.behind reason=%s", error)
            text = "the store's replicas did not have it in time; repeating is safe"
            return Refusal(grpc.StatusCode.UNAVAILABLE, "DURABILITY", text, retry_delay=_SOON)
        case StoreError():
            _log.log(level_of(error), "store.failed reason=%s", error)
            text = "the store does not answer; repeating is safe"
            return Refusal(grpc.StatusCode.UNAVAILABLE, "STORE_UNAVAILABLE", text, retry_delay=_SOON)
        case _:
            fault = secrets.token_hex(6)
            _log.error("request.fault id=%s", fault, exc_info=error)
            return Refusal(
                grpc.StatusCode.INTERNAL, "INTERNAL", f"a fault of the coordinator's own, {fault} in its log"
            )


def _not_again(error: CanvasActiveError | NothingFailedError | IncompleteCanvasError) -> Refusal:
    """Return the refusal to run a canvas again."""
    match error:
        case CanvasActiveError():
            reason, text = "CANVAS_ACTIVE", "the canvas has not ended; cancel it, or wait for its end"
        case NothingFailedError():
            reason, text = "NOTHING_FAILED", "nothing of the canvas failed or was cancelled"
        case IncompleteCanvasError():
            reason = "CANVAS_INCOMPLETE"
            text = "not all of the canvas is known: members were still to come, or a row could not be read"
        case _:
            assert_never(error)
    return Refusal(grpc.StatusCode.FAILED_PRECONDITION, reason, text)
