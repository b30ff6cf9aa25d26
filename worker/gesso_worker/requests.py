"""What a running task can know about itself, made from its assignment: when it looks, which most never do."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

from gesso.canvas.retry import RetryPolicy
from gesso.canvas.wire_options import read_options
from gesso.request import Asked, Request
from gesso.v1.signature_pb2 import SignatureOptions
from gesso.v1.worker_service_pb2 import Assignment
from gesso_worker.arguments import Arguments
from gesso_worker.limits import seconds


def request_of(assignment: Assignment, arguments: Arguments, worker: str, asked: Asked) -> Request:
    """Return the request of an attempt that is called with `arguments` in `worker`."""
    return Request.deferred(partial(_request, assignment, arguments, worker, asked))


def _request(assignment: Assignment, arguments: Arguments, worker: str, asked: Asked) -> Request:
    signature, token = assignment.signature, assignment.token
    options = signature.options if signature.HasField("options") else None
    return Request(
        id=assignment.task_id or token.node_id,
        node_id=token.node_id,
        root_id=assignment.root_id or None,
        parent_id=assignment.parent_id or None,
        group=assignment.group_id or None,
        groups=tuple(assignment.group_ids),
        task=signature.task,
        args=arguments.args,
        kwargs=arguments.kwargs,
        retries=assignment.failure_count,
        retry=_policy(options) if options is not None else None,
        attempt=token.attempt,
        delivery_info=_delivery(options, token.attempt),
        stamps=_stamps(assignment) if assignment.stamps else {},
        headers=dict(options.headers) if options is not None else {},
        timelimit=_limits(options) if options is not None else (None, None),
        hostname=worker,
        trace_id=assignment.trace_id or None,
        span_id=assignment.span_id or None,
        tracestate=assignment.tracestate,
        called_directly=False,
        asked=asked,
    )


def _stamps(assignment: Assignment) -> dict[str, list[Any]]:
    return {key: [json.loads(text) for text in stamp.values] for key, stamp in assignment.stamps.items()}


def _delivery(options: SignatureOptions | None, attempt: int) -> dict[str, Any]:
    info: dict[str, Any] = {"redelivered": attempt > 1}
    if options is None:
        return info
    if options.queue:
        info["routing_key"] = options.queue
    if options.HasField("priority"):
        info["priority"] = options.priority
    return info


def _policy(options: SignatureOptions) -> RetryPolicy | None:
    return (
        RetryPolicy.of(read_options(SignatureOptions(retry=options.retry))["retry"])
        if options.HasField("retry")
        else None
    )


def _limits(options: SignatureOptions) -> tuple[float | None, float | None]:
    return _seconds(options, "time_limit"), _seconds(options, "soft_time_limit")


def _seconds(options: SignatureOptions, name: str) -> float | None:
    """Return a limit in seconds; None when it is not set."""
    return seconds(getattr(options, name)) if options.HasField(name) else None
