"""What `|`, `chain`, `group` and `chord` build, and how it prints."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import assume, given

from gesso.canvas import (
    Canvas,
    Chain,
    Chord,
    Group,
    Signature,
    chain,
    chord,
    chunks,
    first,
    group,
    settled,
    signature,
    xmap,
    xstarmap,
)
from unit.canvas.samples import add, canvases, endless, mul, sig, tsum


def a(*args: Any, **kwargs: Any) -> Signature[Any]:
    """Return a signature of a task in a module."""
    return sig("tasks.add", *args, **kwargs)


def t(*args: Any, **kwargs: Any) -> Signature[Any]:
    """Return a signature of a task in another module."""
    return sig("proj.tsum", *args, **kwargs)


# Each is what Celery 5.7.0 prints for the same, but for the lines of BETTER.
PRINTED: list[tuple[Callable[[], Canvas], str]] = [
    (lambda: a(2, 2), "tasks.add(2, 2)"),
    (lambda: a(2, 2, debug=True), "tasks.add(2, 2, debug=True)"),
    (a, "tasks.add()"),
    (lambda: a([1, 2, "x"], "s", None, 1.5), "tasks.add([1, 2, 'x'], 's', None, 1.5)"),
    (lambda: signature("tasks.add", args=(2, 2), countdown=10), "tasks.add(2, 2)"),
    (lambda: a(2).clone(args=(4,), kwargs={"debug": True}), "tasks.add(4, 2, debug=True)"),
    (lambda: a(1) | mul(2), "tasks.add(1) | mul(2)"),
    (lambda: a(4, 4) | sig("tasks.mul", 8), "tasks.add(4, 4) | mul(8)"),
    (lambda: chain(a(1)), "tasks.add(1)"),
    (lambda: chain(a(1), chain(a(2), a(3))), "tasks.add(1) | add(2) | add(3)"),
    (lambda: chain([a(1), a(2)]), "tasks.add(1) | add(2)"),
    (lambda: chain(a(i) for i in range(2)), "tasks.add(0) | add(1)"),
    (lambda: group(a(1), a(2)), "group((tasks.add(1), add(2)))"),
    (lambda: group([a(1)]), "group([tasks.add(1)])"),
    (lambda: group(a(1)), "group([tasks.add(1)])"),
    (group, "group(<empty>)"),
    (lambda: group([]), "group(<empty>)"),
    (lambda: group(group(a(1), a(2)), a(3)), "group((group((tasks.add(1), add(2))), tasks.add(3)))"),
    (lambda: group(group(a(1), a(2))), "group((tasks.add(1), add(2)))"),
    (lambda: group(a(1) | mul(2), a(3)), "group((tasks.add(1) | mul(2), tasks.add(3)))"),
    (lambda: group(a(1), a(2)) | t(), "%proj.tsum((tasks.add(1), tasks.add(2)))"),
    (lambda: group(a(1)) | t(), "%proj.tsum([tasks.add(1)])"),
    (lambda: group([]) | t(), "%proj.tsum([])"),
    (lambda: chain(group(add(1, 1)), add(2)), "add(1, 1) | add(2)"),
    (lambda: chain(add(2, 2), group(add(1)), add(1)), "add(2, 2) | add(1) | add(1)"),
    (lambda: chain(add(2, 2), group(add(1), add(2)), add(1)), "add(2, 2) | %add((add(1), add(2)), 1)"),
    (lambda: chord([a(1), a(2)], t()), "%proj.tsum([tasks.add(1), tasks.add(2)])"),
    (lambda: chord([a(1), a(2)], t("x", k=2)), "%proj.tsum([tasks.add(1), tasks.add(2)], 'x', k=2)"),
    (lambda: chord([a(1), a(2)]), "<chord without body: [tasks.add(1), tasks.add(2)]>"),
    (lambda: chord([], t()), "%proj.tsum([])"),
    (lambda: chord([a(1), a(2)], a(1) | mul(2)), "%(tasks.add([add(1), add(2)], 1) | mul(2))"),
    (
        lambda: chord([a(1), a(2)], group(a(1), a(2))),
        "%celery.group([tasks.add(1), tasks.add(2)], tasks=(tasks.add(1), tasks.add(2)))",
    ),
    (lambda: a(1) | group(a(1), a(2)) | t(), "tasks.add(1) | %proj.tsum((add(1), add(2)))"),
    (lambda: a(1) | group(a(2)), "tasks.add(1) | add(2)"),
    (lambda: chord([a(1)], t()) | mul(2), "%(proj.tsum([tasks.add(1)]) | mul(2))"),
    (
        lambda: chord([a(1)], t()) | group(mul(1), mul(2)),
        "%proj.tsum([tasks.add(1)]) | group((mul(1), mul(2)))",
    ),
    (
        lambda: chain(chord([a(1)], t()), group(a(1), a(2)), a(5)),
        "%(proj.tsum([tasks.add(1)]) | %tasks.add((add(1), add(2)), 5))",
    ),
    (
        lambda: chain(a(1), chord([a(1)], t() | mul(5)), mul(6)),
        "tasks.add(1) | %(proj.tsum([add(1)]) | mul(5) | mul(6))",
    ),
    (lambda: group(a(1), a(2)) | (a(1) | mul(2)), "%(tasks.add((add(1), add(2)), 1) | mul(2))"),
    (lambda: xmap(t(), [[1], [2]]), "[proj.tsum(x) for x in [[1], [2]]]"),
    (lambda: xstarmap(a(), [(1, 2)]), "[tasks.add(*x) for x in [(1, 2)]]"),
    (lambda: xstarmap(a(), zip(range(2), range(2), strict=True)), "[tasks.add(*x) for x in <_regen: [...]>]"),
    (lambda: chunks(a(), [(1, 2)], 2), "celery.chunks(task=tasks.add(), it=[(1, 2)], n=2)"),
    (lambda: chord((a(i) for i in range(2)), t()), "%proj.tsum(<_regen: [...]>)"),
]
BETTER: list[tuple[Callable[[], Canvas], str]] = [
    (lambda: chain(mul(1.5), mul(2.5)), "mul(1.5) | mul(2.5)"),
    (lambda: a("tasks.x") | a("tasks.y"), "tasks.add('tasks.x') | add('tasks.y')"),
    (lambda: chord(chain(a(1), a(2)), t()), "%proj.tsum([tasks.add(1) | add(2)])"),
    (lambda: a(1) | group(), "tasks.add(1)"),
    (lambda: group(a(1)) | group(a(2)), "%tasks.add([add(1)], 2)"),
    (
        lambda: a(1) | chunks(mul(), [(1, 2), (3, 4)], 1),
        "tasks.add(1) | group([[mul(*x) for x in [(1, 2)]], [mul(*x) for x in [(3, 4)]]])",
    ),
    (lambda: group(a(i) for i in range(2)), "group(<_regen: [...]>)"),
]


@pytest.mark.parametrize(("build", "text"), PRINTED + BETTER)
def test_canvas_prints_as_celery_does(build: Callable[[], Canvas], text: str) -> None:
    """A canvas prints as Celery's; the few lines where Celery misprints, or another rule stands, better."""
    assert repr(build()) == text


def test_empty_chain_prints_that_it_is() -> None:
    """An empty chain says so."""
    assert repr(chain()).endswith(": empty>")


# What is built in more than one way: all of a row are equal.
SAME: list[list[Callable[[], Canvas]]] = [
    [
        lambda: chain(add(1), add(2), add(3)),
        lambda: add(1) | add(2) | add(3),
        lambda: add(1) | (add(2) | add(3)),
    ],
    [
        lambda: chain(add(1), add(2)),
        lambda: chain(add(1), group(), chain(), add(2)),
        lambda: add(1) | chain() | add(2),
    ],
    [lambda: add(1) | add(2), lambda: chain() | add(1) | add(2), lambda: chain(group([]), add(1), add(2))],
    [
        lambda: add(1) | add(2),
        lambda: chain(add(1), group(group(add(2)), group())),
        lambda: add(1) | group([add(2)]),
    ],
    [lambda: chord([add(1), add(2)], tsum()), lambda: group(add(1), add(2)) | tsum()],
    [
        lambda: chord([add(1), add(2)], chain(tsum(), mul(2), mul(3))),
        lambda: chain(group(add(1), add(2)), tsum(), mul(2), mul(3)),
        lambda: group(add(1), add(2)) | tsum() | mul(2) | mul(3),
        lambda: group(add(1), add(2)) | (tsum() | mul(2)) | mul(3),
    ],
    [
        lambda: chain(add(1), chord([add(2), add(3)], tsum()), mul(2)),
        lambda: add(1) | group(add(2), add(3)) | tsum() | mul(2),
        lambda: add(1) | (group(add(2), add(3)) | tsum() | mul(2)),
    ],
    [
        lambda: chord(group(add(1), add(2)), chord(group(add(3), add(4)), tsum())),
        lambda: group(add(1), add(2)) | group(add(3), add(4)) | tsum(),
        lambda: chain(group(add(1), add(2)), group(add(3), add(4)), tsum()),
    ],
    [
        lambda: group([]),
        lambda: chain(group()),
        lambda: chain(group(), chain(), group([])),
        lambda: group() | chain(),
    ],
    [chain, lambda: chain(chain(), chain([])), lambda: chain() | chain()],
    [lambda: group(add(1), add(2)), lambda: chain(group(add(1), add(2))), lambda: group([add(1), add(2)])],
    [lambda: chord([group(add(1)), add(2)], tsum()), lambda: group(group(add(1)), add(2)) | tsum()],
]


@pytest.mark.parametrize("row", SAME)
def test_however_it_is_written_the_same_is_built(row: list[Callable[[], Canvas]]) -> None:
    """Flattening, unrolling and upgrading do not depend on where the parentheses stand."""
    for one, other in pairwise(build() for build in row):
        assert one == other


@pytest.mark.parametrize(
    ("build", "kind"),
    [
        (lambda: chain(add(1)), Chain),
        (chain, Chain),
        (lambda: chain(add(1), group()), Chain),
        (lambda: add(1) | group(add(2), add(3)), Chain),
        (lambda: chord([add(1)], tsum()) | group(add(2), add(3)), Chain),
        (lambda: chord([add(1)], tsum()) | mul(1), Chord),
        (lambda: group(add(1)) | group([]), Group),
        (lambda: group([]) | tsum(), Chord),
        (lambda: chain(group(add(1), policy=settled()), add(2)), Chord),
        (lambda: chain(group(add(1), max_in_flight=1), add(2)), Chord),
    ],
)
def test_a_chain_is_what_its_steps_amount_to(build: Callable[[], Canvas], kind: type[Canvas]) -> None:
    """A chain may amount to a chord or a group; a group with a policy is never unrolled."""
    assert type(build()) is kind


def test_a_lazy_group_is_never_taken_for_empty_or_single() -> None:
    """A generator is not read to compose, and its group stays a group."""
    made = chain(add(1), group(endless()), tsum())

    assert isinstance(made, Chain)
    assert isinstance(made.tasks[1], Chord)
    assert isinstance(chain(group(add(i) for i in range(0)), tsum()), Chord)


def test_a_lazy_group_stays_a_group_as_data() -> None:
    """Also after it was read and came back from its dict, a lazy group of one is not unrolled."""
    made = chain(add(1), group(add(i) for i in range(1)))

    back = Canvas.from_dict(made.to_dict())

    assert isinstance(back["kwargs"]["tasks"][1], Group)
    assert back == made


def test_the_depth_of_a_chain_of_chords_does_not_grow() -> None:
    """A chord behind a chord is a step, not a level."""
    made = chain(chord([add(i), add(i)], tsum()) for i in range(200))

    assert isinstance(made, Chord)
    assert len(made["kwargs"]["body"].tasks) == 200
    assert repr(made).count("%") == 200


def test_unrolling_hands_a_groups_options_and_links_to_its_member() -> None:
    """A group that dissolves leaves nothing behind."""
    single = group(add(1)).set(queue="fast")
    single.link(mul(2))
    single.link_error(sig("log"))

    made = chain(add(0), single)

    assert made["kwargs"]["tasks"][1] == add(1).set(
        queue="fast", link=mul(2).set(immutable=True), link_error=sig("log")
    )


def test_flattening_hands_a_chains_options_to_its_first_step() -> None:
    """`set` on a chain means its first task, also inside another chain."""
    made = chain(add(0), chain(add(1), add(2)).set(queue="fast"))

    assert made["kwargs"]["tasks"] == [add(0), add(1).set(queue="fast"), add(2)]


def test_a_chord_without_a_body_is_no_step() -> None:
    """What follows a chord follows its body, so there must be one."""
    with pytest.raises(TypeError, match="without a body"):
        _ = chord([add(1)]) | tsum()


def test_a_header_that_is_a_chain_is_one_member() -> None:
    """Celery makes each step of the chain a member; here the chain is the member."""
    assert len(chord(chain(add(1), add(2)), tsum()).tasks) == 1


def test_chords_policy_is_its_headers() -> None:
    """A policy given to a chord, or to the group that becomes its header, is the same."""
    assert chord([add(1)], tsum(), policy=first()) == group([add(1)], policy=first()) | tsum()
    assert chord([group(add(1), policy=first())], tsum()).tasks.join.policy != first()


def test_members_and_steps_are_read_by_index() -> None:
    """A group and a chain are sequences of what they are made of."""
    members, steps = group(add(1), add(2)), chain(add(1), mul(2))

    assert (len(members), members[0], members[-1], list(members)) == (2, add(1), add(2), [add(1), add(2)])
    assert (steps[0], steps[1:]) == (add(1), [mul(2)])
    assert members["task"] == "celery.group"


def test_an_empty_canvas_is_true() -> None:
    """A canvas is something, however little is in it: `if link:` asks whether there is one."""
    assert group()
    assert chain()


@given(canvases, canvases)
def test_building_never_changes_what_it_is_built_from(left: Canvas, right: Canvas) -> None:
    """Composing takes copies; nothing that is done to the whole shows in the parts."""
    before = left.to_dict(), right.to_dict()

    whole = [left | right, group(left, right), chord([left], right), chain(left, right)]
    for one in whole:
        one.set(queue="changed", immutable=True)
        one.link(add(0))
        one.link_error(add(0))
        one.stamp(changed=1)
        one.freeze()

    assert (left.to_dict(), right.to_dict()) == before


@given(canvases, canvases, canvases)
def test_the_pipe_is_associative(one: Canvas, two: Canvas, three: Canvas) -> None:
    """Where the parentheses stand changes nothing, unless they put a group of one or none in front."""
    two = chain(two)
    assume(not isinstance(two, Group) or two.flat_count() != 0)

    assert (one | two) | three == one | (two | three)


def test_an_empty_chain_among_members_counts_for_nothing() -> None:
    """A group of a task and an empty chain is a group of one; links go to what there is."""
    made = group(chain(), add(1))
    made.link(mul(2))

    assert chain(add(0), made) == chain(add(0), add(1).set(link=mul(2).set(immutable=True)))
    assert chain(add(0), group(chain(), group(chain())), add(1)) == chain(add(0), add(1))
    assert chord([add(1)], chain()) | mul(1) == group([add(1)]) | mul(1)
