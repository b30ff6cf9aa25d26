"""Values as bytes, and back."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gesso import codec
from gesso.canvas import Signature, group
from gesso.codec import CodecError, DecodeError, EncodeError, register_codec
from gesso.v1.payload_pb2 import Payload


class Colour(StrEnum):
    """A text enum."""

    RED = "red"


class Level(IntEnum):
    """A number enum."""

    LOW = 1


class Shape(Enum):
    """An enum that is neither."""

    ROUND = 1


def there_and_back(value: Any) -> Any:
    """Encode a value and decode it."""
    return codec.decode(Payload.FromString(codec.encode(value).SerializeToString()))


plain = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(st.characters(codec="utf-8"))
)
typed = (
    st.datetimes(timezones=st.none() | st.just(UTC))
    | st.dates()
    | st.times()
    | st.uuids()
    | st.decimals(allow_nan=False)
    | st.binary()
)
values = st.recursive(
    plain | typed,
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner),
)


@given(values)
def test_values_come_back_as_they_were(value: Any) -> None:
    """JSON's own values and the six extra types survive at any depth, numbers with all their digits."""
    assert there_and_back(value) == value


@given(typed)
def test_types_come_back_as_they_were(value: Any) -> None:
    """A date does not come back as a datetime."""
    assert type(there_and_back(value)) is type(value)


@pytest.mark.parametrize(
    ("value", "data"),
    [
        (None, b"null"),
        ([1, 2], b"[1,2]"),
        ((1, (2,)), b"[1,[2]]"),
        ({"a": True}, b'{"a":true}'),
        ({1: "one"}, b'{"1":"one"}'),
        ("é", '"é"'.encode()),
        (2**70, str(2**70).encode()),
        (
            datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC),
            b'{"__type__":"datetime","__value__":"2030-01-02T03:04:05+00:00"}',
        ),
        (date(2030, 1, 2), b'{"__type__":"date","__value__":"2030-01-02"}'),
        (time(3, 4), b'{"__type__":"time","__value__":"03:04:00"}'),
        (Decimal("1.10"), b'{"__type__":"decimal","__value__":"1.10"}'),
        (UUID(int=1), b'{"__type__":"uuid","__value__":{"hex":"00000000000000000000000000000001"}}'),
        (b"ab", b'{"__type__":"bytes","__value__":"ab"}'),
        (b"\xff", b'{"__type__":"base64","__value__":"/w=="}'),
        (Colour.RED, b'"red"'),
        (Level.LOW, b"1"),
    ],
)
def test_json_is_what_kombu_writes(value: Any, data: bytes) -> None:
    """The bytes are fixed: other languages, and Celery's own JSON, read them."""
    payload = codec.encode(value)

    assert (payload.encoding, payload.data) == ("", data)


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (
            b' {"__type__": "datetime", "__value__": "2030-01-02T03:04:05Z"} ',
            datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC),
        ),
        (b'{"__type__":"uuid","__value__":"00000000-0000-0000-0000-000000000001"}', UUID(int=1)),
        (b'{"__type__":"uuid"}', {"__type__": "uuid"}),
        (b'{"__type__":"uuid","__value__":1,"more":1}', {"__type__": "uuid", "__value__": 1, "more": 1}),
        (b'["__type__"]', ["__type__"]),
    ],
)
def test_json_of_others_is_read(data: bytes, value: Any) -> None:
    """Spaces, other spellings and objects that only look typed are read as they are meant."""
    assert codec.decode(Payload(data=data)) == value


def test_numbers_that_json_lacks_come_back() -> None:
    """NaN and infinity are written as Python's json writes them."""
    nan, infinity = there_and_back([math.nan, math.inf])

    assert math.isnan(nan)
    assert infinity == math.inf


def test_a_lone_surrogate_comes_back() -> None:
    """Text that has no UTF-8 is spelled out in ASCII."""
    assert there_and_back("a\ud800é") == "a\ud800é"


def test_a_canvas_is_written_as_its_dict() -> None:
    """An object with `__json__` is written as what that returns, at any depth."""
    made = group(Signature("add", [Signature("mul")]))

    assert json.loads(codec.encode([made]).data) == json.loads(json.dumps([made.to_dict()]))


class Cycle:
    """A list that contains itself."""

    def __iter__(self) -> Iterator[Any]:
        looped: list[Any] = []
        looped.append(looped)
        yield looped


class Broken:
    """An object whose `__json__` fails."""

    def __json__(self) -> Any:
        raise OSError("gone")


@pytest.mark.parametrize(
    ("value", "path", "problem"),
    [
        ({1}, "", "a set has no JSON form"),
        ([0, {"when": [timedelta(1)]}], "[1]['when'][0]", "a timedelta has no JSON form"),
        ({"x": {(1, 2): 3}}, "['x']", "a JSON object has text keys, and (1, 2) is a tuple"),
        ({"x": object}, "['x']", "a type has no JSON form"),
        ([Shape.ROUND], "[0]", "a Shape has no JSON form"),
        ({"deep": list(Cycle())}, "['deep'][0][0]", "it contains itself"),
    ],
)
def test_what_cannot_be_encoded_is_named(value: Any, path: str, problem: str) -> None:
    """The error says where in the value, and why."""
    with pytest.raises(EncodeError) as caught:
        codec.encode(value)

    assert (caught.value.path, caught.value.problem) == (path, problem)
    assert str(caught.value) == f"{path or 'The value'} cannot be encoded: {problem}"
    assert str(caught.value.within("args")).startswith(f"args{path} cannot")


def test_an_error_of_the_users_own_is_let_through() -> None:
    """What `__json__` raises is the user's to see."""
    with pytest.raises(OSError, match="gone"):
        codec.encode([Broken()])


def test_a_value_nested_too_deep_is_refused() -> None:
    """Depth ends in an error of ours, both ways."""
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]

    with pytest.raises(EncodeError, match="too deep"):
        codec.encode(deep)
    with pytest.raises(DecodeError):
        codec.decode(Payload(data=b"[" * 100_000 + b"]" * 100_000))


@pytest.mark.parametrize(
    "payload",
    [
        Payload(),
        Payload(data=b"{"),
        Payload(data=b"\xff"),
        Payload(data=b'{"__type__":"pickle","__value__":"gASV"}'),
        Payload(data=b'{"__type__":["a"],"__value__":1}'),
        Payload(data=b'{"__type__":"decimal","__value__":"x"}'),
        Payload(data=b'{"__type__":"datetime","__value__":5}'),
        Payload(data=b'{"__type__":"uuid","__value__":{}}'),
        Payload(data=b'{"__type__":"base64","__value__":"x"}'),
        Payload(encoding="pickle", data=b"\x80\x04."),
    ],
)
def test_bytes_that_are_no_value_are_refused(payload: Payload) -> None:
    """Whatever arrives, decoding gives a value or DecodeError, and runs nothing."""
    with pytest.raises(DecodeError):
        codec.decode(payload)


@given(st.binary(max_size=50))
def test_no_bytes_break_the_decoder(data: bytes) -> None:
    """Random bytes give a value or DecodeError."""
    with suppress(DecodeError):
        codec.decode(Payload(data=data))


class Shouting:
    """Wraps JSON, as one that encrypts would."""

    def encode(self, value: Any) -> bytes:
        """Return JSON in hex."""
        return codec.get("json").encode(value).hex().encode()

    def decode(self, data: bytes) -> Any:
        """Return what JSON in hex stands for."""
        return codec.get("json").decode(bytes.fromhex(data.decode()))


def test_a_codec_is_entered_by_name() -> None:
    """A payload names its codec, and is decoded by the one of that name."""
    register_codec("json+hex", Shouting())

    payload = codec.encode([1], "json+hex")

    assert (payload.encoding, payload.data) == ("json+hex", b"5b315d")
    assert codec.decode(payload) == [1]
    assert codec.encode([1], "json") == codec.encode([1])


@pytest.mark.parametrize("name", ["", "JSON", "a b", "x" * 65, "é"])
def test_a_codecs_name_is_of_the_contracts_form(name: str) -> None:
    """A name that cannot travel is refused when it is entered."""
    with pytest.raises(ValueError, match="codec's name"):
        register_codec(name, Shouting())


def test_an_unknown_codec_is_refused_with_those_known() -> None:
    """Encoding with a codec that is not there says which are."""
    with pytest.raises(CodecError, match=r"no codec 'nope' here, only .*json"):
        codec.encode(1, "nope")


def test_an_offset_survives() -> None:
    """A datetime keeps its distance from UTC."""
    moment = datetime(2030, 1, 1, tzinfo=timezone(timedelta(hours=5, minutes=30)))

    assert there_and_back(moment).utcoffset() == timedelta(hours=5, minutes=30)
