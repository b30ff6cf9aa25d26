"""Generators in groups: read once, when needed, and as they come."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import pytest

from gesso.canvas import Canvas, Lazy, SpentError, chain, chord, group
from gesso.canvas.lazy import KEPT_COUNT
from unit.canvas.samples import add, endless, mul, sig, tsum


def test_nothing_is_read_by_building() -> None:
    """Composing, linking, stamping, setting, copying, calling and printing read nothing."""

    def refuse() -> Canvas:
        raise AssertionError("read")

    made = group(iter(refuse, None))
    made.set(queue="fast", immutable=True)
    made.link(mul(1))
    made.link_error(mul(1))
    made.stamp(mark=1)
    made.skew(1, 2)
    made.freeze()

    for one in (made.clone((1,)), chain(add(), made), made | tsum(), chord(made, tsum()), group(made, add())):
        one.apply_async((1,))
        assert "..." in repr(one)


def test_what_is_read_is_read_once() -> None:
    """Copies of a lazy group read the same generator, and see the same members."""
    reads: list[int] = []

    def members() -> Iterator[Canvas]:
        for number in range(3):
            reads.append(number)
            yield add(number)

    made = group(members())
    copied = made.clone((9,))

    assert list(copied) == [add(9, 0), add(9, 1), add(9, 2)]
    assert list(made) == [add(0), add(1), add(2)]
    assert len(made) == 3
    assert reads == [0, 1, 2]


def test_members_are_read_as_far_as_asked() -> None:
    """Reading the second member of an endless group ends."""
    made = group(endless())

    assert made[1] == add(1)
    assert repr(made) == "group(<_regen: [add(0), add(1)...]>)"


def test_changes_reach_members_read_before_and_after() -> None:
    """A change is made to every member, once, whenever it is read."""
    made = group(endless())
    assert made[0] == add(0)

    made.skew(1, 2)
    made.set(immutable=True)

    assert made[3] == add(3).set(countdown=2, immutable=True)
    assert made[0] == add(0).set(countdown=1, immutable=True)


def test_a_copy_made_before_does_not_see_a_change() -> None:
    """A lazy group's members are its own."""
    made = group(add(i) for i in range(2))
    copied = made.clone()

    made.stamp(mark=1)

    assert made[0].options["mark"] == 1
    assert copied[0] == add(0)


def test_what_is_no_signature_is_refused_when_it_is_read() -> None:
    """A generator of something else says so at the member."""
    with pytest.raises(TypeError, match="made of signatures"):
        list(group(number for number in [1]))


def test_a_generator_that_raised_never_passes_for_a_whole_list() -> None:
    """The error comes again, and the members before it stay."""

    def breaking() -> Iterator[Canvas]:
        yield add(0)
        raise OSError("gone")

    made = group(breaking())

    for _ in range(2):
        with pytest.raises(OSError, match="gone"):
            len(made)
    assert made[0] == add(0)
    with pytest.raises(OSError, match="gone"):
        list(chain(add(), made).clone()["kwargs"]["tasks"][1])


def test_a_short_stream_can_be_read_again() -> None:
    """A group of moderate size may be sent twice."""
    items = Lazy(range(KEPT_COUNT))

    assert list(items.stream()) == list(items.stream()) == list(items) == list(range(KEPT_COUNT))
    assert items.ended


def test_a_long_stream_keeps_nothing() -> None:
    """Memory stays flat, at the price that the items can be had once."""
    items = Lazy(range(KEPT_COUNT + 2))

    assert list(items.stream()) == list(range(KEPT_COUNT + 2))

    for read in (lambda: list(items.stream()), lambda: list(items), lambda: len(items), lambda: items[0]):
        with pytest.raises(SpentError, match="new group"):
            read()
    assert not items.ended


def test_what_was_kept_on_purpose_can_be_streamed_whole() -> None:
    """Items that were asked for as a list stay, however many."""
    items = Lazy(range(KEPT_COUNT * 2))
    assert len(items) == KEPT_COUNT * 2

    assert list(items.stream()) == list(items)


def test_a_stream_yields_before_the_generator_goes_on() -> None:
    """An item is passed on before the next is asked for."""
    reads: list[int] = []

    def numbers() -> Iterator[int]:
        for number in range(KEPT_COUNT * 2):
            reads.append(number)
            yield number

    for item in islice(Lazy(numbers()).stream(), KEPT_COUNT + 5):
        assert reads[-1] == item


def test_two_lazy_lists_are_equal_when_their_items_are() -> None:
    """Comparing reads; a list compares with it either way."""
    assert Lazy(range(3)) == Lazy(range(3)) == [0, 1, 2]
    assert Lazy(range(3)) != [0, 1]
    assert Lazy(range(3)) != 3
    assert Lazy(range(3))[-1] == 2
    assert Lazy(range(3))[:2] == [0, 1]
    assert group(add(i) for i in range(2)) != group(sig("other") for _ in range(2))
    assert bool(Lazy(range(1)))
    assert not Lazy(range(0))
