"""What of a canvas is sent piece by piece."""

from __future__ import annotations

from typing import Any

import pytest

from gesso import Canvas, chain, chord, group, settled, signature
from gesso.canvas import wire
from gesso.errors import InvalidCanvas
from gesso.growing import MEMBER_BYTES, element_at, pieces, split
from gesso.v1 import canvas_pb2 as pb

BIG = "x" * (MEMBER_BYTES // 8)


def add(number: int, *args: Any) -> Canvas:
    """Return a signature."""
    return signature("add", (number, *args))


def numbers(members: Any) -> list[bytes]:
    """Return the first argument of each member."""
    return [member.signature.args.data[1:2] for member in members]


def test_groups_that_stand_in_a_canvas_are_split() -> None:
    """A header, a group behind it and their members, those of groups inside in their place."""
    message = wire.encode(chain(chord([add(1), group(add(2), add(3))], add(4)), group(add(5), add(6))))

    opened = split(message)

    assert [(group.path, numbers(group.members)) for group in opened] == [
        ("canvas.steps[0]", [b"1", b"2", b"3"]),
        ("canvas.steps[1]", [b"5", b"6"]),
    ]
    assert not element_at(message, "canvas.steps[0]").header
    assert not element_at(message, "canvas.steps[1]").members


def test_group_of_one_group_is_split() -> None:
    """What is large may stand one level down."""
    message = wire.encode(group([group([group([add(1), add(2)]), add(3)])]))

    (opened,) = split(message)

    assert (opened.path, numbers(opened.members)) == ("canvas", [b"1", b"2", b"3"])


def test_group_with_a_policy_is_one_member() -> None:
    """Its value is its own."""
    message = wire.encode(group([group([add(1), add(2)], policy=settled()), add(3)]))

    (opened,) = split(message)

    assert [len(member.members) for member in opened.members] == [2, 0]


def test_links_go_where_they_would_have_gone() -> None:
    """A link of a group that is unrolled is its first member's that there is, an error link each one's."""
    inner = group([group([]), chain(), add(1), add(2)])
    inner.link(add(8))
    inner.link_error(add(9))
    message = wire.encode(group([inner, add(3)]))

    (opened,) = split(message)
    nothing, first, second, last = opened.members

    assert nothing.HasField("chain")
    assert [numbers(member.links) for member in (nothing, first, second, last)] == [[], [b"8"], [], []]
    assert [numbers(member.error_links) for member in (first, second, last)] == [[b"9"], [b"9"], []]


def test_large_group_among_members_is_cut() -> None:
    """Each of its members goes by itself."""
    message = wire.encode(group(add(number, BIG) for number in range(9)))

    assert numbers(piece for piece, _ in pieces(message)) == [str(number).encode() for number in range(9)]


def test_small_member_is_one_piece() -> None:
    """A group among members that is small stays one."""
    message = wire.encode(group([add(1), add(2)]))

    assert list(pieces(message)) == [(message, message.ByteSize())]


@pytest.mark.parametrize(
    "member",
    [
        add(1, "x" * (MEMBER_BYTES + 1)),
        chain(group([add(number, BIG) for number in range(9)]), add(1)),
        group([add(number, BIG) for number in range(9)], policy=settled()),
    ],
)
def test_member_that_cannot_be_cut_is_refused(member: Canvas) -> None:
    """The error says how large it is and how large it may be."""
    message: pb.Canvas = wire.encode(member)

    with pytest.raises(InvalidCanvas, match="at most 3,145,728") as raised:
        list(pieces(message))
    assert raised.value.reason == "PAYLOAD_TOO_LARGE"
