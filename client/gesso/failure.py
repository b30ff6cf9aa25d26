"""Exceptions as data, and back.

`to_task_error` turns any exception into a message within the contract's limits and never fails.
`from_task_error` makes an exception of one. It uses the class that raised it only if that is a
builtin, Gesso's own, or in `classes`, what the app registered; any other becomes a `TaskError` that bears
the remote type's name. Nothing is ever imported because a message named it.
"""

from __future__ import annotations

import builtins
import contextlib
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from gesso import codec, errors
from gesso.v1 import payload_pb2, task_error_pb2

__all__ = ["Failure", "failure_of", "from_task_error", "to_task_error", "type_name"]

# The contract's limits, task_error.proto; bytes of UTF-8.
TYPE_BYTES = 256
MESSAGE_BYTES = 16 << 10
TRACEBACK_BYTES = 64 << 10
NOTE_COUNT = 32
BASE_COUNT = 32
CAUSE_DEPTH = 16
# Ours: what a note or the arguments may take, so that sixteen causes stay under a frame's 2 MiB.
NOTE_BYTES = 1 << 10
ARGS_BYTES = 32 << 10

_CUT = "\n... cut ...\n"
_REMOTE_NOTE = "\nRemote traceback:\n"
_ATTRIBUTE = "__gesso_failure__"

Classes = Mapping[str, type[BaseException]]
_NONE: Classes = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Where an exception that came from a task came from."""

    type: str
    """Name of the class where it was raised, with its module."""
    traceback: str
    """The remote traceback. May be empty."""
    node_id: str
    """The node whose own failure it is. Empty when the coordinator did not say."""
    task_id: str
    """The id that users know that node by: the one that its client chose, or else `node_id`."""


def failure_of(error: BaseException) -> Failure | None:
    """Return where `error` came from; None for one that was not made by `from_task_error`."""
    found = getattr(error, _ATTRIBUTE, None)
    return found if isinstance(found, Failure) else None


def type_name(kind: type[BaseException]) -> str:
    """Return the name that `kind` has in messages: `module.Name`, and `gesso.Name` for Gesso's own."""
    if kind.__module__ == errors.__name__:
        return f"gesso.{kind.__qualname__}"
    return f"{kind.__module__}.{kind.__qualname__}"


def base_types(kind: type[BaseException]) -> list[str]:
    """Return the names of the classes that `kind` derives from, nearest first."""
    bases = kind.__mro__[1:-1][:BASE_COUNT]  # without itself and `object`
    return [_cut(type_name(base), TYPE_BYTES) for base in bases]


# --- to a message ------------------------------------------------------------------------------


def to_task_error(error: BaseException, *, final: bool = False) -> task_error_pb2.TaskError:
    """Return `error` as data, its causes included; what exceeds the contract's limits is cut.

    Args:
        final: Whether it is not to be retried.

    Returns:
        The message. Its traceback covers the causes', which have none of their own. Without `args` when
        these could not be encoded or are large.
    """
    chain = [_message(each) for each in _causes(error)]
    for outer, inner in zip(reversed(chain[:-1]), reversed(chain[1:]), strict=True):
        outer.cause.CopyFrom(inner)
    result = chain[0]
    result.traceback = _cut(_traceback(error), TRACEBACK_BYTES)
    result.final = final
    result.base_types.extend(base_types(type(error)))
    return result


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield `error`, what it was raised from, and so on: at most `CAUSE_DEPTH` causes, none twice."""
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen and len(seen) <= CAUSE_DEPTH:
        yield current
        seen.add(id(current))
        hidden = current.__suppress_context__ or current.__cause__ is not None
        current = current.__cause__ if hidden else current.__context__


def _message(error: BaseException) -> task_error_pb2.TaskError:
    return task_error_pb2.TaskError(
        type=_cut(_remote_type(error), TYPE_BYTES),
        message=_cut(_text(error), MESSAGE_BYTES),
        args=_encoded_args(error),
        notes=[_cut(note, NOTE_BYTES) for note in _notes(error)],
    )


def _remote_type(error: BaseException) -> str:
    """Return the type's name; of an error that came from another task, that task's own word for it."""
    if type(error) is errors.TaskError and error.type:
        return error.type
    return type_name(type(error))


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - user code
        return f"<{type(error).__name__} without a text>"


def _encoded_args(error: BaseException) -> payload_pb2.Payload | None:
    try:
        payload = codec.encode(list(error.args))
    except Exception:  # noqa: BLE001 - an argument may be anything, and so may what encoding it raises
        return None
    return payload if len(payload.data) <= ARGS_BYTES else None


def _notes(error: BaseException) -> list[str]:
    """Return the notes, without the one that `from_task_error` added."""
    notes = getattr(error, "__notes__", None)
    if not isinstance(notes, list | tuple):
        return []
    return [note for note in notes if isinstance(note, str) and not note.startswith(_REMOTE_NOTE)][
        :NOTE_COUNT
    ]


def _traceback(error: BaseException) -> str:
    try:
        return "".join(traceback.format_exception(error))
    except Exception:  # noqa: BLE001 - it calls user code for texts
        return "".join(traceback.format_tb(error.__traceback__))


def _cut(text: str, limit: int) -> str:
    """Return `text` as valid UTF-8 within `limit` bytes: its beginning and its end."""
    data = text.encode("utf-8", "backslashreplace")
    if len(data) <= limit:
        return data.decode()
    room = limit - len(_CUT)
    head, tail = data[: room // 4], data[-(room - room // 4) :]
    return head.decode("utf-8", "ignore") + _CUT + tail.decode("utf-8", "ignore")


# --- from a message ----------------------------------------------------------------------------


def from_task_error(message: task_error_pb2.TaskError, classes: Classes = _NONE) -> BaseException:
    """Return a new exception as `message` describes it.

    Args:
        classes: What besides builtins and Gesso's own may be made, by `type_name`.

    Returns:
        An exception with its causes, its notes, and the remote traceback as one note more; `failure_of`
        tells the rest.
    """
    error = _build(message, classes)
    for note in message.notes:
        error.add_note(note)
    if message.traceback:
        error.add_note(_REMOTE_NOTE + message.traceback.rstrip())
    if message.HasField("cause"):
        error.__cause__ = from_task_error(message.cause, classes)
    failure = Failure(
        type=message.type,
        traceback=message.traceback,
        node_id=message.node_id,
        task_id=message.task_id or message.node_id,
    )
    with contextlib.suppress(AttributeError):  # a class with slots has no room for it
        setattr(error, _ATTRIBUTE, failure)
    return error


def _build(message: task_error_pb2.TaskError, classes: Classes) -> BaseException:
    kind = _class_of(message.type, classes)
    args = _decoded_args(message)
    if kind is None:
        return _general(message)
    try:
        error: BaseException = kind(*args)
        str(error)
    except Exception:  # noqa: BLE001 - the class's own code, which may want other arguments
        return _bare(kind, message, args)
    return error


def _bare(kind: type[BaseException], message: task_error_pb2.TaskError, args: list[Any]) -> BaseException:
    """Return a `kind` that was not initialized, as its initializer wants other things than its args."""
    try:
        error = kind.__new__(kind, *args)
        error.args = tuple(args)
        str(error)
    except Exception:  # noqa: BLE001 - as above
        return _general(message)
    return error


def _general(message: task_error_pb2.TaskError) -> errors.TaskError:
    error = errors.TaskError(f"{message.type}: {message.message}" if message.message else message.type)
    error.type = message.type
    return error


def _class_of(name: str, classes: Classes) -> type[BaseException] | None:
    registered = classes.get(name)
    if registered is not None:
        return registered
    module, _, qualname = name.rpartition(".")
    space = {"builtins": builtins, "gesso": errors}.get(module)
    found = getattr(space, qualname, None) if space is not None else None
    # Not SystemExit and its like: they would end the process that only asked for a result.
    if isinstance(found, type) and issubclass(found, Exception):
        return found
    return None


def _decoded_args(message: task_error_pb2.TaskError) -> list[Any]:
    if message.HasField("args"):
        with contextlib.suppress(Exception):  # another codec's, or no list: the text must do
            args = codec.decode(message.args)
            if isinstance(args, list | tuple):
                return list(args)
    return [message.message]
