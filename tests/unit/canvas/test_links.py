"""Links and error links."""

from __future__ import annotations

from functools import reduce

import pytest

from gesso.canvas import Canvas, Group, chain, chord, group
from unit.canvas.samples import add, mul, sig, tsum

LOG = sig("log")


def test_links_keep_order_and_a_duplicate_is_left_out() -> None:
    """A canvas, a dict and a list are taken; what is there already is not added."""
    made = add(1)

    made.link(mul(1))
    made.link([mul(2).to_dict(), mul(1), mul(3)])

    assert made.options == {"link": [mul(1), mul(2), mul(3)]}


def test_link_returns_what_is_kept_to_be_linked_to_in_turn() -> None:
    """Links can be strung together, as with `reduce`."""
    made = add(1)

    reduce(lambda one, other: one.link(other), [mul(1), mul(2)], made)

    assert made.options["link"][0].options["link"] == [mul(2)]
    assert made.flatten_links() == [made, made.options["link"][0], mul(2)]


def test_a_link_is_the_signatures_own() -> None:
    """What is done to the callback later does not show, and linking does not change it."""
    made, callback = add(1), mul(1)

    made.link(callback)
    callback.set(queue="fast")

    assert made.options["link"] == [mul(1)]


def test_on_error_returns_the_signature_itself() -> None:
    """`on_error` chains the task, not the callback."""
    made = add(1)

    assert made.on_error(LOG) is made
    assert made.options == {"link_error": [LOG]}


def test_a_chains_link_is_its_last_tasks() -> None:
    """A chain's link runs once, with the last value; it stays there when the chain grows."""
    made = chain(add(1), mul(2))
    made.link(tsum())

    grown = made | add(3)

    assert grown["kwargs"]["tasks"] == [add(1), mul(2).set(link=tsum()), add(3)]


def test_a_chains_error_link_is_each_steps() -> None:
    """An error link is on every plain step, the body of every chord, and the group at the end."""
    made = chain(add(0), chord([add(1), add(2)], tsum()), mul(2), group(add(3), add(4)))
    made.link_error(LOG)

    step, middle, plain, last = made["kwargs"]["tasks"]

    assert step.options == plain.options == {"link_error": [LOG]}
    assert middle.body.options == {"link_error": [LOG]}
    assert middle.tasks == group([add(1), add(2)])
    assert last.options == {"link_error": [LOG]}


def test_a_chains_error_link_is_not_on_steps_added_later() -> None:
    """It was for the chain as it was."""
    made = chain(add(1), mul(2))
    made.link_error(LOG)

    assert (made | add(3))["kwargs"]["tasks"][2] == add(3)


def test_each_step_has_an_error_link_of_its_own() -> None:
    """Steps do not share the link that they were given at once."""
    made = chain(add(1), mul(2))
    made.link_error(LOG)

    made["kwargs"]["tasks"][0].options["link_error"][0].set(queue="fast")

    assert made["kwargs"]["tasks"][1].options == {"link_error": [LOG]}


def test_a_link_of_a_chain_that_ends_in_a_group_is_the_groups() -> None:
    """It is as if it had been linked to the group."""
    made = add(1) | group(add(2), add(3))

    made.link(tsum())

    assert made["kwargs"]["tasks"][1].options == {"link": [tsum().set(immutable=True)]}


def test_links_of_an_empty_chain_are_dropped() -> None:
    """There is nothing whose value they could get."""
    made = chain()

    made.link(tsum())
    made.link_error(LOG)

    assert made == chain()


def test_a_groups_link_is_immutable_and_goes_to_the_first_member() -> None:
    """A link gets nothing, since one member's value is not the group's; an error link gets the failure."""
    made = group(add(1), add(2))
    made.link(mul(1))
    made.link_error(LOG)

    assert made.options == {"link": [mul(1).set(immutable=True)], "link_error": [LOG]}

    made.hand_links_down()

    assert made.options == {}
    assert list(made) == [
        add(1).set(link=mul(1).set(immutable=True), link_error=LOG),
        add(2).set(link_error=LOG),
    ]


def test_links_of_a_lazy_group_go_to_its_members_as_they_are_read() -> None:
    """A generator is not read to link to it."""
    made = group(add(i) for i in range(2))
    made.link(mul(1))
    made.link_error(LOG)

    made.hand_links_down()

    assert list(made) == [
        add(0).set(link=mul(1).set(immutable=True), link_error=LOG),
        add(1).set(link_error=LOG),
    ]


def test_a_groups_link_that_is_a_group_is_immutable_in_all_its_members() -> None:
    """Immutability goes to whatever would get the value."""
    made = group(add(1))

    linked = made.link(group(mul(1), chain(mul(2), mul(3))))

    assert isinstance(linked, Group)
    assert linked[0].immutable
    assert linked[1].tasks[0].immutable
    assert not linked[1].tasks[1].immutable


def test_a_chords_links_are_its_bodys() -> None:
    """A chord's link runs once, with the body's value, and so does its error link."""
    made = chord([add(1)], tsum())

    made.link(mul(1))
    made.link_error(LOG)

    assert made.options == {}
    assert made.body == tsum().set(link=mul(1), link_error=LOG)


@pytest.mark.parametrize("made", [group(add(1)), chain(add(1), add(2))])
def test_links_of_groups_and_chains_have_no_id(made: Canvas) -> None:
    """One id cannot stand on several tasks, so the clones have none; a signature's link keeps its own."""
    callback = chain(mul(1), mul(2))
    callback.freeze("chosen")

    made.link(callback)
    made.link_error(callback)
    holder = made if isinstance(made, Group) else made["kwargs"]["tasks"][-1]

    for key in ("link", "link_error"):
        assert [step.id for step in holder.options[key][0].tasks] == [None, None]
    assert callback.id == "chosen"
    assert add(1).set(link=callback).options["link"][0].id == "chosen"
