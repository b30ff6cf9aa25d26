"""Tokens with which a watch goes on: where it is, for whichever coordinator gets them.

A token is a version's digit, a dot and base64 of a checksum and fields. The checksum tells what this service made from
what it did not; what a token says is nobody's secret, and it allows nothing that its bearer may not do without it.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from hashlib import blake2b
from typing import NamedTuple

from gesso_server.rpc.refusal import Refusal, invalid
from gesso_server.store.logs import FROM_NEWEST, Cursor, NamespacePlace, Place

VERSION = "1"
_MOST_BYTES = 128 << 10
_CHECK_BYTES = 6
_MOST_DIGITS = 15
_FIELD = "resume_token"


class CanvasToken(NamedTuple):
    """Where the watch of one canvas is."""

    place: Place
    complete: bool
    """Whether the snapshot was complete."""
    seen: str
    """How the canvas stood when it was sent last, as `canvas_standing` writes it."""


class FilterToken(NamedTuple):
    """Where the watch of a filter is."""

    places: list[NamespacePlace]
    """In the partitions, by number."""
    complete: bool


def write_canvas(target: str, token: CanvasToken) -> str:
    """Return a token for the watch of one canvas; `target` says what is watched, and how."""
    place = token.place
    return _sealed([target, place.log, place.change, *place.cursor, int(token.complete), token.seen])


def read_canvas(text: str, target: str) -> CanvasToken:
    """Read a token for the watch of one canvas.

    Raises:
        Refusal: If it is none, or is for another watch.
    """
    fields = _opened(text, target)
    try:
        log, change, first, count, entry, left, complete, seen = fields
        cursor = Cursor(_number(first), _number(count), _number(entry), _number(left))
        return CanvasToken(Place(log, _number(change), cursor), complete == "1", seen)
    except ValueError:
        raise _unknown() from None


def write_filter(target: str, token: FilterToken) -> str:
    """Return a token for the watch of a filter."""
    return _sealed([target, int(token.complete), *(part for place in token.places for part in place)])


def read_filter(text: str, target: str, partitions: int) -> FilterToken:
    """Read a token for the watch of a filter.

    Raises:
        Refusal: If it is none, or is for another watch.
    """
    complete, *rest = _opened(text, target)
    if len(rest) != 4 * partitions:
        raise _unknown()
    try:
        places = [
            NamespacePlace(log, _number(change), _instant(accepted_ms), canvas_id)
            for log, change, accepted_ms, canvas_id in zip(*(iter(rest),) * 4, strict=True)
        ]
    except ValueError:
        raise _unknown() from None
    return FilterToken(places, complete == "1")


def _sealed(fields: Sequence[object]) -> str:
    data = "|".join(map(str, fields)).encode()
    return f"{VERSION}.{base64.urlsafe_b64encode(_check(data) + data).decode()}"


def _opened(text: str, target: str) -> list[str]:
    version, dot, rest = text.partition(".")
    if not dot or not version.isalnum() or len(text) > _MOST_BYTES:
        raise _unknown()
    if version != VERSION:
        message = "the token was made by another version of this service; watch again without one"
        raise invalid("BAD_RESUME_TOKEN", message, _FIELD)
    try:
        data = base64.b64decode(rest.encode("ascii"), altchars=b"-_", validate=True)
        check, content = data[:_CHECK_BYTES], data[_CHECK_BYTES:]
        made_for, *fields = content.decode().split("|")
    except (binascii.Error, UnicodeError):
        raise _unknown() from None
    if check != _check(content):
        raise _unknown()
    if made_for != target:
        message = (
            "the token was made for another watch: of another canvas, another filter, or with other options"
        )
        raise invalid("BAD_RESUME_TOKEN", message, _FIELD)
    return fields


def _number(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS):
        raise ValueError(text)
    return int(text)


def _instant(text: str) -> str:
    return text if text in {"", FROM_NEWEST} else str(_number(text))


def _check(data: bytes) -> bytes:
    return blake2b(data, digest_size=_CHECK_BYTES, person=b"gesso watch").digest()


def _unknown() -> Refusal:
    return invalid("BAD_RESUME_TOKEN", "the token was not made by this service", _FIELD)
