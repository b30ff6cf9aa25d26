"""Values as bytes, and back.

A value travels as a `Payload`: the name of a codec, and what that codec made of the value. JSON is the
default, with the types that kombu's JSON carries: a datetime, date, time, UUID, Decimal or bytes value
is the object `{"__type__": name, "__value__": ...}`. Tuples become lists, and keys of dicts text, as
JSON has no other. An object with a method `__json__` is written as what that returns.

Others are entered by name. A codec may wrap another, to encrypt or compress:

    class Compressed:
        def encode(self, value): return zlib.compress(codec.get("json").encode(value))
        def decode(self, data): return codec.get("json").decode(zlib.decompress(data))

    register_codec("json+zlib", Compressed())

Nothing here executes or imports anything that a payload names.

    CodecError (ValueError)
    ├── EncodeError
    └── DecodeError
"""

from __future__ import annotations

import json
import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, Final, Protocol
from uuid import UUID

from gesso.v1.payload_pb2 import Payload

#: The codec of a payload that names none.
DEFAULT: Final = "json"

_NAME = re.compile(r"[a-z0-9+._-]{1,64}")


class CodecError(ValueError):
    """A value cannot be turned into bytes, or bytes into a value."""


class EncodeError(CodecError):
    """A value has no form in an encoding.

    Attributes:
        path: Where in the value, such as `[0]['when']`. Empty for the value as a whole.
        problem: What is wrong there.
    """

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(f"{path or 'The value'} cannot be encoded: {problem}")
        self.path = path
        self.problem = problem

    def within(self, outer: str) -> EncodeError:
        """Return the same error, seen from something of which the value is a part."""
        return EncodeError(outer + self.path, self.problem)


class DecodeError(CodecError):
    """Bytes are not what their encoding says, or the encoding is unknown."""


class Codec(Protocol):
    """Turns values into bytes and back. It is called from any thread."""

    def encode(self, value: Any) -> bytes:
        """Return the value as bytes.

        Raises:
            EncodeError: If it has no form in this encoding.
        """
        ...

    def decode(self, data: bytes) -> Any:
        """Return the value that `encode` was given, as nearly as the encoding can tell.

        Raises:
            DecodeError: If the bytes are none of this encoding.
        """
        ...


class JsonCodec:
    """JSON with kombu's types. NaN and infinity are written as Python's json writes them."""

    def encode(self, value: Any) -> bytes:
        """Return the value as UTF-8 JSON."""
        try:
            return _SCALARS.get(type(value), _dumps)(value).encode()
        except UnicodeEncodeError:
            # A lone surrogate has no UTF-8, but JSON can spell it.
            return json.dumps(value, default=_typed, separators=_SEPARATORS).encode()
        except (TypeError, ValueError, RecursionError) as error:
            raise EncodeError(*_culprit(value, error)) from error

    def decode(self, data: bytes) -> Any:
        """Return the value that UTF-8 JSON stands for."""
        if _MARK not in data:
            # What most values are, without what json.loads does before: it looks for other encodings and for spaces.
            try:
                text = data.decode()
                value, end = _scan(text)
            except (ValueError, RecursionError):
                pass  # said below
            else:
                if end == len(text):
                    return value
        try:
            return json.loads(data, object_hook=_untyped if _MARK in data else None)
        except (ValueError, RecursionError, TypeError, ArithmeticError, KeyError) as error:
            raise DecodeError(f"These bytes are not JSON as Gesso writes it: {error}") from error


def register_codec(name: str, codec: Codec) -> None:
    """Enter a codec, in place of one of the same name.

    Args:
        name: 1 to 64 characters of `[a-z0-9+._-]`; every process that meets it must know it.
        codec: Used from any thread.

    Raises:
        ValueError: If the name is none.
    """
    if not _NAME.fullmatch(name):
        raise ValueError(f"A codec's name is 1 to 64 characters of a-z, 0-9 and + . _ -, not {name!r}.")
    _codecs[name] = codec


def get(name: str) -> Codec:
    """Return a codec.

    Raises:
        CodecError: If there is none of that name.
    """
    try:
        return _codecs[name or DEFAULT]
    except KeyError:
        known = ", ".join(sorted(_codecs))
        raise CodecError(f"There is no codec {name!r} here, only {known}; see register_codec.") from None


def encode(value: Any, encoding: str = DEFAULT) -> Payload:
    """Return a value as a payload.

    Raises:
        EncodeError: If the value has no form in the encoding.
    """
    payload = Payload()
    encode_into(payload, value, encoding)
    return payload


def encode_into(payload: Payload, value: Any, encoding: str = DEFAULT) -> int:
    """Put a value into an empty payload, which is quicker where it lies in a message; return how many bytes it takes.

    Raises:
        EncodeError: If the value has no form in the encoding.
    """
    data = get(encoding).encode(value)
    payload.data = data
    if encoding != DEFAULT:
        payload.encoding = encoding
    return len(data)


def decode(payload: Payload) -> Any:
    """Return the value of a payload.

    Raises:
        DecodeError: If its encoding is unknown here, or its bytes are none of it.
    """
    codec = _codecs.get(payload.encoding or DEFAULT)
    if codec is None:
        known = ", ".join(sorted(_codecs))
        raise DecodeError(f"A value is encoded as {payload.encoding!r}; known here: {known}.")
    return codec.decode(payload.data)


_codecs: dict[str, Codec] = {DEFAULT: JsonCodec()}

# --- JSON ------------------------------------------------------------------------------------------

_SEPARATORS = (",", ":")
_MARK = b'"__type__"'


def _typed(value: Any) -> Any:
    """Return what JSON writes for a value that it has no form for.

    Source: kombu/utils/json.py, so that either side can be Celery's.
    """
    reduce: Callable[[], Any] | None = getattr(value, "__json__", None)
    if reduce is not None:
        return reduce()
    for kind, name, write in _WRITERS:
        if isinstance(value, kind):
            return {"__type__": name, "__value__": write(value)}
    if isinstance(value, bytes):
        try:
            return {"__type__": "bytes", "__value__": value.decode()}
        except UnicodeDecodeError:
            return {"__type__": "base64", "__value__": b64encode(value).decode()}
    if isinstance(value, range):
        return list(value)
    raise TypeError(f"a {type(value).__name__} has no JSON form")


def _untyped(value: dict[str, Any]) -> Any:
    if value.keys() != {"__type__", "__value__"}:
        return value
    read = _READERS.get(value["__type__"])
    if read is None:
        raise ValueError(f"there is no type {value['__type__']!r}")
    return read(value["__value__"])


# A datetime is a date, so it comes first.
_WRITERS: tuple[tuple[type, str, Callable[[Any], Any]], ...] = (
    (datetime, "datetime", datetime.isoformat),
    (date, "date", date.isoformat),
    (time, "time", time.isoformat),
    (Decimal, "decimal", str),
    (UUID, "uuid", lambda value: {"hex": value.hex}),
)

_READERS: Mapping[str, Callable[[Any], Any]] = {
    "datetime": datetime.fromisoformat,
    "date": lambda text: datetime.fromisoformat(text).date(),
    "time": time.fromisoformat,
    "decimal": Decimal,
    "uuid": lambda value: UUID(value["hex"] if isinstance(value, dict) else value),
    "bytes": str.encode,
    "base64": b64decode,
}

_scan = json.JSONDecoder().raw_decode
_dumps = json.JSONEncoder(ensure_ascii=False, separators=_SEPARATORS, default=_typed).encode
# What many tasks return: json makes an encoder anew for each, as if there were something inside.
_SCALARS: Mapping[type, Callable[[Any], str]] = {
    int: int.__repr__,
    bool: lambda value: "true" if value else "false",
    type(None): lambda _none: "null",
}


def _culprit(value: Any, error: Exception) -> tuple[str, str]:
    """Return where in a value, and why, it could not be encoded."""
    if isinstance(error, RecursionError):
        return "", "it is nested too deep"
    return next(_culprits(value, "", ()), ("", str(error)))


def _culprits(value: Any, path: str, above: tuple[int, ...]) -> Iterator[tuple[str, str]]:
    if id(value) in above:
        yield path, "it contains itself"
        return
    inside = (*above, id(value))
    match value:
        case dict():
            for key, item in value.items():
                if key is not None and not isinstance(key, (str, int, float)):
                    yield path, f"a JSON object has text keys, and {key!r} is a {type(key).__name__}"
                yield from _culprits(item, f"{path}[{key!r}]", inside)
        case list() | tuple():
            for index, item in enumerate(value):
                yield from _culprits(item, f"{path}[{index}]", inside)
        case None | str() | int() | float():
            return
        case _:
            yield from _outcome(value, path, inside)


def _outcome(value: Any, path: str, inside: tuple[int, ...]) -> Iterator[tuple[str, str]]:
    try:
        written = _typed(value)
    except Exception as error:  # noqa: BLE001 - `__json__` is the user's
        yield path, str(error)
    else:
        yield from _culprits(written, path, inside)
