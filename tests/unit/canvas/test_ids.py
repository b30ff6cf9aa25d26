"""Ids that are chosen before sending."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from gesso.canvas import Canvas, Group, chain, chord, chunks, group
from unit.canvas.samples import Recorder, add, canvases, endless, mul, tsum


def test_freezing_names_the_task_once(app: Recorder) -> None:
    """A frozen signature keeps its id, and is sent with it."""
    made = add(1)

    frozen = made.freeze()

    assert frozen.id
    assert made.freeze().id == frozen.id
    assert made.apply_async().id == frozen.id
    assert app.sent[0].options == {"task_id": frozen.id}


def test_ids_are_random() -> None:
    """No two tasks get the same id."""
    made = group(add(i) for i in range(100))

    made.freeze()

    assert len({member.id for member in made} | {made.id}) == 101


@pytest.mark.parametrize(
    ("made", "named"),
    [
        (add(1), lambda made: made),
        (chain(add(1), mul(2)), lambda made: made.tasks[-1]),
        (chain(add(1), group(add(2), add(3))), lambda made: made.tasks[-1]),
        (group(add(1), add(2)), lambda made: made),
        (chord([add(1)], tsum()), lambda made: made.body),
        (chord([add(1)], chain(tsum(), mul(2))), lambda made: made.body.tasks[-1]),
    ],
)
def test_a_chosen_id_names_what_the_value_is_of(made: Canvas, named: Any) -> None:
    """A chain's id is its last task's, a chord's its body's: by freezing, calling or setting."""
    frozen, called, set_ = made.clone(), made.clone(task_id="chosen"), made.clone().set(task_id="chosen")
    frozen.freeze("chosen")

    for each in (frozen, called, set_):
        assert each.id == "chosen"
        assert named(each).options["task_id"] == "chosen"
    assert made.id is None


def test_a_new_id_takes_the_place_of_one_that_is_there() -> None:
    """Freezing with an id means that one."""
    made = chain(add(1), mul(2))
    made.freeze()

    made.freeze("chosen")

    assert made.id == "chosen"


def test_members_read_later_get_their_ids_then() -> None:
    """A lazy group can be frozen without reading it."""
    made = group(endless())

    made.freeze("chosen")

    assert made.id == "chosen"
    assert made[0].id
    assert made[0].id != made[1].id


def test_chunks_name_their_group(app: Recorder) -> None:
    """The id of chunks is that of the group that they stand for."""
    made = chunks(add(), [(1, 1), (2, 2)], 1)

    frozen = made.freeze()
    made()

    assert isinstance(app.sent[0], Group)
    assert app.sent[0].id == frozen.id


@given(canvases)
def test_forgetting_undoes_freezing(canvas: Canvas) -> None:
    """Every id that freezing gave can be taken away."""
    before = canvas.to_dict()
    copied = canvas.clone()
    copied.freeze()

    copied.forget_ids()

    assert copied.to_dict() == before
