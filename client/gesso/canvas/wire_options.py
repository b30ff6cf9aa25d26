"""Options and stamps as protobuf, and back.

One table says what each option becomes. An option that is unknown is refused, since it would be lost;
those that tell Celery how to reach its broker are left out, since there is none.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

from google.protobuf.duration_pb2 import Duration

from gesso import codec
from gesso.canvas.options import LINKS, STAMPED, Options
from gesso.canvas.stamping import values
from gesso.v1.signature_pb2 import SignatureOptions, Stamp

Write: TypeAlias = Callable[[Any, SignatureOptions], None]
Read: TypeAlias = Iterator[tuple[str, Any]]

#: How to reach Celery's broker, and what Celery's workers tell each other.
BROKER_OPTIONS = frozenset(
    {
        "add_to_parent",
        "compression",
        "connection",
        "delivery_mode",
        "exchange",
        "exchange_type",
        "immediate",
        "mandatory",
        "producer",
        "publisher",
        "reply_to",
        "retry_policy",
        "route_name",
        "router",
        "routing_key",
    }
)


def write_options(options: Options, out: SignatureOptions) -> None:
    """Write a signature's options; links and stamps stand elsewhere.

    Raises:
        TypeError: If an option is unknown, or a value is of the wrong type.
        ValueError: If a value is out of bounds, or two options exclude each other.
    """
    if "countdown" in options and "eta" in options:
        raise ValueError("countdown= and eta= exclude each other.")
    stamps = options.get(STAMPED, ())
    for name, value in options.items():
        if name in _ELSEWHERE or name in stamps or value is None:
            continue
        write = _WRITERS.get(name)
        if write is None:
            raise TypeError(f"There is no option {name!r}.")
        write(value, out)


def read_options(message: SignatureOptions) -> Options:
    """Return the options that were written."""
    return {name: value for field, _ in message.ListFields() for name, value in _READERS[field.name](message)}


def write_stamps(stamps: Mapping[str, Any], out: MutableMapping[str, Stamp]) -> None:
    """Write stamps: each value as a JSON text of its own. A stamp without values is none."""
    for key, stamp in stamps.items():
        texts = [_JSON.encode(value).decode() for value in values(stamp)]
        if texts:
            out[key].values.extend(texts)


def read_stamps(message: Mapping[str, Stamp]) -> Options:
    """Return the stamps that were written, as options: lists."""
    stamps: Options = {
        key: [_JSON.decode(text.encode()) for text in stamp.values] for key, stamp in message.items()
    }
    return {**stamps, STAMPED: sorted(stamps)} if stamps else {}


# --- spans and instants ------------------------------------------------------------------------------


def seconds(name: str, value: Any) -> float:
    """Return a span in seconds.

    Args:
        name: What it is called in an error.
        value: A number of seconds, or a timedelta.

    Raises:
        TypeError: If it is neither.
        ValueError: If it is negative, infinite or not a number.
    """
    if isinstance(value, timedelta):
        value = value.total_seconds()
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{name}= is a number of seconds or a timedelta, not {value!r}.")
    if not math.isfinite(value) or value < 0:
        raise ValueError(f"{name}= is a finite number of seconds from 0 on, not {value}.")
    if value > _LONGEST_S:
        raise ValueError(f"{name}= is at most 10 years, not {value} seconds.")
    return value


def write_span(name: str, value: Any, out: Duration) -> None:
    """Write a span, to the microsecond. Errors are those of `seconds`."""
    out.FromMicroseconds(round(seconds(name, value) * 1_000_000))


def read_span(message: Duration) -> float:
    """Return a span in seconds, a whole number where it is one."""
    return message.seconds + message.nanos / 1e9 if message.nanos else message.seconds


def instant(name: str, value: Any) -> datetime:
    """Return a point in time; one without a time zone is in UTC.

    Args:
        name: What it is called in an error.
        value: A datetime, or one in ISO 8601.

    Raises:
        TypeError: If it is neither.
        ValueError: If the text is no such time.
    """
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    if not isinstance(value, datetime):
        raise TypeError(f"{name}= is a datetime or its ISO 8601 text, not {value!r}.")
    return value if value.tzinfo else value.replace(tzinfo=UTC)


# --- the table ---------------------------------------------------------------------------------------

_JSON = codec.get(codec.DEFAULT)
_LONGEST_S = 10 * 366 * 24 * 3600


def _same(field: str) -> Write:
    """Return a writer for an option that is the field as it stands."""

    def write(value: Any, out: SignatureOptions) -> None:
        try:
            setattr(out, field, value)
        except (TypeError, ValueError) as error:
            raise TypeError(f"{field}= cannot be {value!r}: {error}") from error

    return write


def _span(field: str) -> Write:
    """Return a writer for an option that is a span."""
    return lambda value, out: write_span(field, value, getattr(out, field))


def _expires(value: Any, out: SignatureOptions) -> None:
    if isinstance(value, (str, datetime)):
        out.expire_time.FromDatetime(instant("expires", value))
    elif seconds("expires", value) == 0:
        raise ValueError("expires= is more than 0 seconds from now.")
    else:
        write_span("expires", value, out.expires_in)


def _headers(value: Any, out: SignatureOptions) -> None:
    for key, text in value.items():
        if not isinstance(text, str):
            raise TypeError(f"headers= holds texts, and {key!r} is a {type(text).__name__}.")
        out.headers[key] = text


def _retry(value: Any, out: SignatureOptions) -> None:
    if isinstance(value, bool):
        return  # Celery's word on whether to publish again, which is always so here
    out.retry.SetInParent()
    for key, item in value.items():
        match key:
            case "max_retries":
                out.retry.max_retry_count = item
            case "initial_delay" | "max_delay":
                write_span(f"retry: {key}", item, getattr(out.retry, key))
            case "factor" | "jitter":
                setattr(out.retry, key, item)
            case "retried_types" | "final_types":
                getattr(out.retry, key).extend(item)
            case _:
                raise TypeError(f"A retry policy has no {key!r}.")


def _read_retry(message: SignatureOptions) -> Read:
    plain: Options = {}
    for field, value in message.retry.ListFields():
        match field.name:
            case "max_retry_count":
                plain["max_retries"] = value
            case "initial_delay" | "max_delay":
                plain[field.name] = read_span(value)
            case "retried_types" | "final_types":
                plain[field.name] = list(value)
            case _:
                plain[field.name] = value
    yield "retry", plain


def _read_same(field: str, option: str | None = None) -> Callable[[SignatureOptions], Read]:
    return lambda message: iter([(option or field, getattr(message, field))])


def _read_span(field: str, option: str | None = None) -> Callable[[SignatureOptions], Read]:
    return lambda message: iter([(option or field, read_span(getattr(message, field)))])


def _read_instant(field: str, option: str) -> Callable[[SignatureOptions], Read]:
    return lambda message: iter([(option, getattr(message, field).ToDatetime(UTC))])


_SAME = (
    "task_id",
    "queue",
    "priority",
    "ignore_result",
    "at_most_once",
    "concurrency_key",
    "shadow",
    "result_encoding",
)
_SPANS = ("countdown", "soft_time_limit", "time_limit")

_WRITERS: Mapping[str, Write] = {
    **{field: _same(field) for field in _SAME},
    **{field: _span(field) for field in _SPANS},
    "eta": lambda value, out: out.eta.FromDatetime(instant("eta", value)),
    "expires": _expires,
    "headers": _headers,
    "retry": _retry,
    "result_serializer": _same("result_encoding"),
}

_READERS: Mapping[str, Callable[[SignatureOptions], Read]] = {
    **{field: _read_same(field) for field in _SAME},
    **{field: _read_span(field) for field in _SPANS},
    "eta": _read_instant("eta", "eta"),
    "expires_in": _read_span("expires_in", "expires"),
    "expire_time": _read_instant("expire_time", "expires"),
    "headers": lambda message: iter([("headers", dict(message.headers))]),
    "retry": _read_retry,
    "result_encoding": _read_same("result_encoding", "result_serializer"),
}

#: What is written in another place, or has no meaning here.
_ELSEWHERE = frozenset({"serializer", STAMPED, *LINKS}) | BROKER_OPTIONS
