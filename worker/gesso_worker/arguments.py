"""What a task is called with: its stored arguments, and in front of them what the step before left.

A step gets its predecessor's value as its first argument, unless it is immutable. A task behind an
error link gets the failure instead: a function that has room for three more positional arguments gets
`(request, exc, traceback)`, any other the failed task's id.

Source: semantics.md, "Links, error links, replace".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from gesso.arity import accepts_failure
from gesso.codec import decode
from gesso.failure import Classes, from_task_error
from gesso.request import Request
from gesso.v1.payload_pb2 import Payload
from gesso.v1.signature_pb2 import Signature
from gesso.v1.worker_service_pb2 import Assignment
from gesso_worker.errors import PayloadUndecodable


class Arguments(NamedTuple):
    """Positional and keyword arguments of one call."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]


def arguments_of(
    assignment: Assignment, function: Callable[..., Any], classes: Classes, elsewhere: Any = None
) -> Arguments:
    """Return what `function` is to be called with.

    Args:
        function: The user's function, as it is called: without `self`.
        classes: Exceptions, by name, that the error of a failed task may become.
        elsewhere: The value of the step before, where the assignment says that it is elsewhere.

    Raises:
        PayloadUndecodable: If something in the assignment cannot be decoded.
    """
    signature = assignment.signature
    stored = stored_arguments(signature)
    if signature.immutable or assignment.WhichOneof("input") is None:
        return stored
    return Arguments((*_input(assignment, function, stored, classes, elsewhere), *stored.args), stored.kwargs)


def stored_arguments(signature: Signature) -> Arguments:
    """Return the arguments that the signature itself has.

    Raises:
        PayloadUndecodable: If they cannot be decoded, or are no list and no map.
    """
    args = decoded(signature.args, "the arguments") if signature.HasField("args") else []
    kwargs = decoded(signature.kwargs, "the keyword arguments") if signature.HasField("kwargs") else {}
    if not isinstance(args, list) or not isinstance(kwargs, dict):
        raise PayloadUndecodable("The arguments must encode a list, and the keyword arguments a map.")
    return Arguments(tuple(args), kwargs)


def items_of(signature: Signature) -> list[Any]:
    """Return the items that a map or a starmap calls its task with.

    Raises:
        PayloadUndecodable: If they cannot be decoded, or are no list.
    """
    items = decoded(signature.args, "the items")
    if not isinstance(items, list):
        raise PayloadUndecodable("The items must encode a list.")
    return items


def decoded(payload: Payload, what: str) -> Any:
    """Return the payload's value.

    Raises:
        PayloadUndecodable: If it has none that this worker can read. Its text names it as `what`.
    """
    try:
        return decode(payload)
    except Exception as error:
        raise PayloadUndecodable(f"{what.capitalize()} cannot be decoded: {error}") from error


def _input(
    assignment: Assignment, function: Callable[..., Any], stored: Arguments, classes: Classes, elsewhere: Any
) -> tuple[Any, ...]:
    match assignment.WhichOneof("input"):
        case "value":
            return (decoded(assignment.value, "the input"),)
        case "values":
            return ([decoded(payload, "the input") for payload in assignment.values.values],)
        case "elsewhere":
            return (elsewhere,)
        case "failed":
            return _failure(assignment.failed, function, stored, classes)
        case _:
            return ()


def _failure(
    failed: Assignment.FailedTask, function: Callable[..., Any], stored: Arguments, classes: Classes
) -> tuple[Any, ...]:
    if not accepts_failure(function, len(stored.args), stored.kwargs):
        return (failed.task_id,)
    theirs = stored_arguments(failed.signature)
    request = Request(
        id=failed.task_id,
        task=failed.signature.task,
        args=theirs.args,
        kwargs=theirs.kwargs,
        headers=dict(failed.signature.options.headers),
        called_directly=False,
    )
    return (request, from_task_error(failed.error, classes), failed.error.traceback)
