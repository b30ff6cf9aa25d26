"""Canvases as protobuf, and back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict
from hypothesis import given

from gesso import codec
from gesso.canvas import (
    Canvas,
    RetryPolicy,
    chain,
    chord,
    chunks,
    first,
    group,
    quorum,
    settled,
    xmap,
    xstarmap,
)
from gesso.canvas.wire import decode, encode, encode_open
from gesso.v1 import canvas_pb2 as pb
from unit.canvas.samples import add, canvases, endless, mul, sig, tsum


def wire(canvas: Canvas) -> dict[str, Any]:
    """Return a canvas's message as a dict."""
    return MessageToDict(encode(canvas), preserving_proto_field_name=True)


def names(message: pb.Canvas) -> list[str]:
    """Return the options set on a signature."""
    return [field.name for field, _ in message.signature.options.ListFields()]


@given(canvases)
def test_a_message_that_is_read_and_written_again_is_the_same(canvas: Canvas) -> None:
    """Nothing that the contract can say is lost on the way back."""
    message = encode(canvas)

    back = decode(pb.Canvas.FromString(message.SerializeToString()))

    assert encode(back) == message


@pytest.mark.parametrize(
    "canvas",
    [
        add(1, [2, None], x={"y": 1.5}),
        add().set(immutable=True, queue="fast", priority=0, countdown=1.5, time_limit=3),
        add().set(link=[mul(1), chain(mul(2), mul(3))], link_error=sig("log")),
        add().stamp(mark=["a", 1]),
        chain(add(1), group(add(2), add(3)), tsum(), mul(1)),
        chain(),
        group(),
        group(add(1), group(add(2)), chord([add(3)], tsum())),
        group(add(1), policy=settled(), deadline=2.5),
        group(add(1), policy=quorum(2), cancel_rest=True),
        chord([add(1)], tsum(), policy=first(), max_in_flight=3),
        xmap(tsum(), [[1], [2]]),
        xstarmap(add(), [[1, 2]]).set(queue="fast"),
    ],
)
def test_a_canvas_comes_back_equal(canvas: Canvas) -> None:
    """What is sent says what was built, where nothing has to be handed down."""
    assert decode(encode(canvas)) == canvas


def test_a_plain_signature_is_small() -> None:
    """Nothing is written that is as by default."""
    assert wire(add(2, 2)) == {"signature": {"task": "add", "args": {"data": "WzIsMl0="}}}
    assert wire(tsum()) == {"signature": {"task": "tsum"}}


def test_kinds_are_written_also_when_empty() -> None:
    """An empty chain or group is there, and no other."""
    assert wire(chain()) == {"chain": {}}
    assert wire(group()) == {"group": {}}
    assert wire(chord([], tsum())) == {"chord": {}, "body": {"signature": {"task": "tsum"}}}


# --- options -----------------------------------------------------------------------------------------

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("given_", "written"),
    [
        ({"task_id": "x"}, {"task_id": "x"}),
        ({"queue": "fast", "priority": 0}, {"queue": "fast", "priority": 0}),
        ({"countdown": 10}, {"countdown": "10s"}),
        ({"countdown": 0}, {"countdown": "0s"}),
        ({"countdown": timedelta(milliseconds=1500)}, {"countdown": "1.500s"}),
        ({"countdown": 0.1}, {"countdown": "0.100s"}),
        ({"countdown": 1.9999999}, {"countdown": "2s"}),
        ({"eta": NOON}, {"eta": "2030-01-01T12:00:00Z"}),
        ({"eta": datetime(2030, 1, 1, 12)}, {"eta": "2030-01-01T12:00:00Z"}),  # noqa: DTZ001 - as users write it
        ({"eta": "2030-01-01T13:00:00+01:00"}, {"eta": "2030-01-01T12:00:00Z"}),
        ({"expires": 60}, {"expires_in": "60s"}),
        ({"expires": NOON}, {"expire_time": "2030-01-01T12:00:00Z"}),
        ({"soft_time_limit": 1, "time_limit": 2}, {"soft_time_limit": "1s", "time_limit": "2s"}),
        ({"ignore_result": True, "at_most_once": True}, {"ignore_result": True, "at_most_once": True}),
        ({"ignore_result": False}, {}),
        ({"headers": {"tenant": "acme"}}, {"headers": {"tenant": "acme"}}),
        ({"shadow": "s", "concurrency_key": "k"}, {"shadow": "s", "concurrency_key": "k"}),
        ({"result_serializer": "json+zlib"}, {"result_encoding": "json+zlib"}),
        ({"retry": True, "retry_policy": {"max_retries": 1}, "routing_key": "x", "exchange": "y"}, {}),
        ({"retry": RetryPolicy(max_retries=0)}, {"retry": {"max_retry_count": 0}}),
        (
            {
                "retry": RetryPolicy(
                    initial_delay=1,
                    factor=1.5,
                    max_delay=60,
                    jitter=0,
                    retried_types=("a.B",),
                    final_types=("a.C",),
                )
            },
            {
                "retry": {
                    "initial_delay": "1s",
                    "factor": 1.5,
                    "max_delay": "60s",
                    "jitter": 0.0,
                    "retried_types": ["a.B"],
                    "final_types": ["a.C"],
                }
            },
        ),
    ],
)
def test_options_become_the_contracts(given_: dict[str, Any], written: dict[str, Any]) -> None:
    """Each of Celery's options that means something here has its field."""
    canvas = add().set(**given_)

    message = encode(canvas)

    options = MessageToDict(message.signature.options, preserving_proto_field_name=True)
    assert options == written
    assert encode(decode(message)).signature.options == message.signature.options


@pytest.mark.parametrize(
    ("given_", "error", "sentence"),
    [
        ({"countdown": -1}, ValueError, "countdown= is a finite number of seconds from 0 on, not -1"),
        (
            {"countdown": float("nan")},
            ValueError,
            "countdown= is a finite number of seconds from 0 on, not nan",
        ),
        ({"countdown": float("inf")}, ValueError, "not inf"),
        ({"countdown": 1e12}, ValueError, "at most 10 years"),
        ({"countdown": "5"}, TypeError, "countdown= is a number of seconds or a timedelta, not '5'"),
        ({"countdown": True}, TypeError, "number of seconds"),
        ({"countdown": 1, "eta": NOON}, ValueError, "exclude each other"),
        ({"eta": 5}, TypeError, "eta= is a datetime"),
        ({"eta": "noon"}, ValueError, "noon"),
        ({"expires": 0}, ValueError, "more than 0"),
        ({"expires": -1}, ValueError, "expires="),
        ({"priority": "high"}, TypeError, "priority= cannot be 'high'"),
        ({"priority": 2**40}, TypeError, "priority="),
        ({"queue": 5}, TypeError, "queue= cannot be 5"),
        ({"headers": {"tenant": 5}}, TypeError, "headers= holds texts"),
        ({"retry": {"tries": 5}}, TypeError, "no 'tries'"),
        ({"retry": {"initial_delay": -5}}, ValueError, "initial_delay"),
        ({"cuntdown": 5}, TypeError, "There is no option 'cuntdown'"),
    ],
)
def test_a_wrong_option_is_refused_with_a_sentence(
    given_: dict[str, Any], error: type[Exception], sentence: str
) -> None:
    """The caller learns what is wrong, at the call, wherever in the canvas it stands."""
    canvas = add().set(**given_)

    for each in (canvas, chain(add(), canvas), group(add()).set(**given_), add().set(link=canvas)):
        with pytest.raises(error, match=sentence):
            encode(each)


def test_options_of_a_chain_go_to_its_first_task() -> None:
    """`chain.set` means the first task, whatever that is in."""
    message = encode(chain(add(1).set(priority=1), mul(2)).set(queue="fast", priority=2))

    assert [names(step) for step in message.steps] == [["queue", "priority"], []]
    assert message.steps[0].signature.options.priority == 2

    message = encode(chain(group(add(1), chain(add(2), mul(3))), tsum(), mul(4)).set(queue="fast"))

    assert names(message.header[0]) == ["queue"]
    assert [names(step) for step in message.header[1].steps] == [["queue"], []]
    assert [names(step) for step in message.body.steps] == [["queue"], []]


def test_options_of_a_group_go_to_its_members() -> None:
    """`group.set` means every member; the outer one wins."""
    inner = group(add(2)).set(queue="inner", shadow="s")
    message = encode(group(add(1).set(queue="own"), inner).set(queue="outer"))

    assert message.members[0].signature.options.queue == "outer"
    assert message.members[1].members[0].signature.options.queue == "outer"
    assert message.members[1].members[0].signature.options.shadow == "s"


def test_options_of_a_chord_go_to_header_and_body() -> None:
    """All but countdown and eta, which mean the header."""
    message = encode(chord([add(1)], tsum()).set(queue="fast", countdown=3))

    assert names(message.header[0]) == ["queue", "countdown"]
    assert names(message.body) == ["queue"]


def test_ids_and_links_are_never_handed_down() -> None:
    """What belongs to one element stays there."""
    made = group(add(1), add(2)).set(task_id="x", queue="fast")
    made.link(mul(1))
    made.link_error(sig("log"))

    message = encode(made)

    assert [names(member) for member in message.members] == [["queue"], ["queue"]]
    assert [one.signature.task for one in message.links] == ["mul"]
    assert message.links[0].signature.immutable
    assert [one.signature.task for one in message.error_links] == ["log"]


def test_links_of_a_header_are_its_members() -> None:
    """The contract has no links of a header as a whole."""
    header = group(add(1), add(2))
    header.link(mul(1))
    header.link_error(sig("log"))
    made = header | tsum()

    message = encode(made)

    assert [len(member.links) for member in message.header] == [1, 0]
    assert [len(member.error_links) for member in message.header] == [1, 1]
    assert len(message.links) == len(message.error_links) == 0
    assert encode(made) == message


def test_error_links_on_a_header_are_asked_for_on_every_chord() -> None:
    """The setting of the app stands on each chord."""
    made = group(chord([add(1)], tsum()))

    assert encode(made, error_links_on_header=True).members[0].chord.error_links_on_header
    assert not encode(made).members[0].chord.error_links_on_header


# --- stamps ------------------------------------------------------------------------------------------


def test_stamps_are_lists_of_json_texts() -> None:
    """A stamp that is one value has one; a set is sorted; an empty one is none."""
    message = encode(add().stamp(one="a", many=[1, None], some={"y", "x"}, none=[]))

    assert {key: list(stamp.values) for key, stamp in message.stamps.items()} == {
        "one": ['"a"'],
        "many": ["1", "null"],
        "some": ['"x"', '"y"'],
    }
    assert decode(message).options == {
        "one": ["a"],
        "many": [1, None],
        "some": ["x", "y"],
        "stamped_headers": ["many", "one", "some"],
    }


def test_a_stamp_is_no_option_even_by_an_options_name() -> None:
    """A stamp called `priority` is a stamp."""
    message = encode(add().stamp(priority="high"))

    assert names(message) == []
    assert list(message.stamps["priority"].values) == ['"high"']


# --- payloads ----------------------------------------------------------------------------------------


def test_arguments_are_encoded_as_asked() -> None:
    """The whole canvas may have a codec, and a signature its own."""

    class Backwards:
        def encode(self, value: Any) -> bytes:
            return codec.get("json").encode(value)[::-1]

        def decode(self, data: bytes) -> Any:
            return codec.get("json").decode(data[::-1])

    codec.register_codec("backwards", Backwards())
    made = group(add(12), add(12).set(serializer="backwards"))

    message, all_of_it = encode(made), encode(made, encoding="backwards")

    assert [member.signature.args.data for member in message.members] == [b"[12]", b"]21["]
    assert [member.signature.args.encoding for member in message.members] == ["", "backwards"]
    assert {member.signature.args.data for member in all_of_it.members} == {b"]21["}
    assert decode(message) == made
    with pytest.raises(codec.CodecError, match="no codec 'unknown'"):
        encode(add(1).set(serializer="unknown"))


def test_an_argument_that_cannot_be_encoded_is_named() -> None:
    """The error says which task, which argument and where in it."""
    with pytest.raises(
        codec.EncodeError, match=r"proj\.add: kwargs\['x'\]\[0\] cannot be encoded: a set has no JSON form"
    ):
        encode(chain(add(1), sig("proj.add", x=[{1}])))


def test_a_canvas_as_an_argument_travels_as_its_dict() -> None:
    """A task gets it as plain data, for `maybe_signature`."""
    back = decode(encode(add([mul(2)])))

    assert Canvas.from_dict(back.args[0][0]) == mul(2)


# --- lazy groups -------------------------------------------------------------------------------------


def test_a_lazy_group_is_read_and_kept_a_group() -> None:
    """In one message a generator's members are all there; the coordinator is told not to unroll."""
    message = encode(chain(add(0), group(add(i) for i in range(1))))

    assert message.steps[1].group.keep
    assert len(message.steps[1].members) == 1


OPEN: list[tuple[Callable[[Iterator[Canvas]], Canvas], list[str]]] = [
    (group, ["canvas"]),
    (lambda lazy: chain(add(0), group(lazy)), ["canvas.steps[1]"]),
    (lambda lazy: chain(add(0), group(lazy), tsum()), ["canvas.steps[1]"]),
    (lambda lazy: chord([add(0)], group(lazy)), ["canvas.body"]),
    (lambda lazy: chord([add(0), chain(add(1), group(lazy))], tsum()), ["canvas.header[1].steps[1]"]),
    (lambda lazy: group(add(0), chain(add(1), group(lazy))), ["canvas.members[1].steps[1]"]),
    (lambda lazy: group(lazy) | group(endless()), ["canvas", "canvas.body"]),
]


@pytest.mark.parametrize(("build", "paths"), OPEN)
def test_open_groups_are_named_by_their_paths(
    build: Callable[[Iterator[Canvas]], Canvas], paths: list[str]
) -> None:
    """A group or chord that is still to be read is where the contract says it is."""
    message = pb.Canvas()
    opened = encode_open(build(endless()), message)

    assert [one.path for one in opened] == paths
    assert message.ByteSize() < 100
    assert [member.signature.args.data for member in islice(opened[0].members, 3)] == [b"[0]", b"[1]", b"[2]"]


def test_members_of_an_open_group_get_what_is_handed_down() -> None:
    """Options and stamps reach members that are read later."""
    made = chain(group(add(i) for i in range(2)), tsum()).set(queue="fast")
    made.stamp(mark=1)

    (opened,) = encode_open(made, pb.Canvas())

    for member in opened.members:
        assert member.signature.options.queue == "fast"
        assert list(member.stamps["mark"].values) == ["1"]


def test_members_are_encoded_as_they_are_read() -> None:
    """A member is there before the generator goes on; a lazy group inside gives its members as they come."""
    reads: list[int] = []

    def members() -> Iterator[Canvas]:
        for number in range(3):
            reads.append(number)
            yield group(add(i) for i in range(number))

    (opened,) = encode_open(group(members()), pb.Canvas())

    found = [(member.signature.args.data, list(reads)) for member in opened.members]
    assert found == [(b"[0]", [0, 1]), (b"[0]", [0, 1, 2]), (b"[1]", [0, 1, 2])]


def test_lazy_group_directly_inside_opens_the_group_around_it() -> None:
    """It is unrolled: its members are the outer group's, between those that stand around it."""
    inner = group((add(i) for i in range(2)), queue="fast")
    inner.link_error(mul())

    message = pb.Canvas()
    made = chain(add(9), group([add(8), inner, group(add(7), add(6))]))
    (opened,) = encode_open(made, message)
    first, second, third, last = opened.members

    assert opened.path == "canvas.steps[1]"
    assert message.steps[1].group.keep
    assert [one.signature.args.data for one in (first, second, third)] == [b"[8]", b"[0]", b"[1]"]
    assert [one.signature.options.queue for one in (first, second, third)] == ["", "fast", "fast"]
    assert third.error_links[0].signature.task == "mul"
    assert len(last.members) == 2


# --- limits ------------------------------------------------------------------------------------------


def test_a_canvas_as_deep_as_allowed_survives_serializing() -> None:
    """64 levels fit into what parsers of protobuf take; one more is refused here."""
    deep: Canvas = add(1)
    for _ in range(63):
        deep = chord([add(0)], deep)

    assert pb.Canvas.FromString(encode(deep).SerializeToString()) == encode(deep)
    with pytest.raises(ValueError, match="at most 64 deep"):
        encode(chord([add(0)], deep))


def test_size_is_linear_in_what_is_built() -> None:
    """Twenty chords of ten take twenty times the bytes of one; a body is sent once."""
    one = encode(chord([add(i) for i in range(10)], tsum())).ByteSize()
    twenty = encode(chain(chord([add(i) for i in range(10)], tsum()) for _ in range(20))).ByteSize()
    wide = encode(chord([add(i) for i in range(10_000)], tsum(big="x" * 10_000))).ByteSize()

    assert twenty < 21 * one
    assert wide < 10_000 * 30 + 20_000


def test_error_links_of_a_group_are_sent_once() -> None:
    """A thousand members share the link that the group has."""
    made = group(add(i) for i in range(1000))
    made.link_error(sig("log", "x" * 10_000))

    assert encode(made).ByteSize() < 50_000


def test_chunks_hold_their_task_once() -> None:
    """Chunks that stand by themselves are written as parts of one task."""
    message = encode(chunks(add(), [(i, i) for i in range(5)], 2).set(queue="fast"))

    assert message.chunks.task.options.queue == "fast"
    assert [part.data for part in message.chunks.parts] == [b"[[0,0],[1,1]]", b"[[2,2],[3,3]]", b"[[4,4]]"]
    parts = [[[0, 0], [1, 1]], [[2, 2], [3, 3]], [[4, 4]]]
    assert decode(message) == group([xstarmap(add(), part).set(queue="fast") for part in parts])


def test_a_chord_without_a_body_is_refused_anywhere() -> None:
    """There is nothing that its values would go to."""
    with pytest.raises(TypeError, match="body"):
        encode(group(chord([add(1)])))


def test_a_message_of_no_known_kind_is_refused() -> None:
    """What a later version may send is not guessed at."""
    with pytest.raises(ValueError, match="kind"):
        decode(pb.Canvas())
