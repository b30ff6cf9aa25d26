"""What is told when tasks are sent: `before_task_publish` and `after_task_publish`, for each task of a canvas.

Nothing is done, and nothing is looked at, while nobody is connected.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gesso import codec
from gesso.signals import after_task_publish, before_task_publish
from gesso.v1 import canvas_pb2, payload_pb2, signature_pb2

__all__ = ["publish", "published"]

_OURS = frozenset({"id", "task"})


def publish(canvas: canvas_pb2.Canvas) -> None:
    """Tell that a canvas is about to be sent. Texts that a receiver puts into `headers` travel with the task."""
    if not before_task_publish:
        return
    for signature in _signatures(canvas):
        headers = _headers(signature)
        before_task_publish.send(
            signature.task, body=_body(signature), exchange="", routing_key=signature.options.queue,
            headers=headers, properties={}, declare=[], retry_policy=None,
        )  # fmt: skip
        _take_headers(signature, headers)


def published(canvas: canvas_pb2.Canvas) -> None:
    """Tell that a canvas was accepted."""
    if not after_task_publish:
        return
    for signature in _signatures(canvas):
        after_task_publish.send(
            signature.task, body=_body(signature), exchange="", routing_key=signature.options.queue,
            headers=_headers(signature),
        )  # fmt: skip


def _signatures(canvas: canvas_pb2.Canvas) -> Iterator[signature_pb2.Signature]:
    """Yield each task of a canvas, in the order in which it is written; links are none of its own."""
    match canvas.WhichOneof("kind"):
        case "signature":
            yield canvas.signature
        case "map" | "starmap" | "chunks" as kind:
            yield getattr(canvas, kind).task
        case _:
            for part in (*canvas.steps, *canvas.members, *canvas.header):
                yield from _signatures(part)
            if canvas.HasField("body"):
                yield from _signatures(canvas.body)


def _headers(signature: signature_pb2.Signature) -> dict[str, Any]:
    given = dict(signature.options.headers)
    return {**given, "id": signature.options.task_id or None, "task": signature.task}


def _take_headers(signature: signature_pb2.Signature, headers: Mapping[str, Any]) -> None:
    for key, value in headers.items():
        if key not in _OURS and isinstance(value, str):
            signature.options.headers[key] = value


def _body(signature: signature_pb2.Signature) -> tuple[Any, Any, dict[str, Any]]:
    """Return arguments, keyword arguments and, as Celery has it, a dict more."""
    return _decoded(signature.args, []), _decoded(signature.kwargs, {}), {}


def _decoded(payload: payload_pb2.Payload, nothing: Any) -> Any:
    return codec.decode(payload) if payload.data else nothing
