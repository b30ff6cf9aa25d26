"""The ids of groups, and of chords' headers, in messages."""

from __future__ import annotations

import pytest

from gesso.canvas import Canvas, Group, chain, chord, group, wire
from unit.canvas.samples import add, tsum


@pytest.mark.parametrize(
    "made",
    [group(add(1), add(2)), group(), chain(add(1), group(add(2), add(3))), chord([add(1), add(2)], tsum())],
)
def test_ids_of_frozen_groups_come_back(made: Canvas) -> None:
    """A group's id is sent with it, and read again."""
    made.identify(None)

    assert wire.decode(wire.encode(made)) == made


def test_a_group_without_an_id_sends_none() -> None:
    """Nothing is chosen for a group that was not frozen."""
    assert wire.encode(group(add(1), add(2))).task_id == ""


def test_a_headers_id_is_the_joins() -> None:
    """A chord's own id is its body's; the header's is that of the message."""
    made = chord([add(1)], tsum())
    made.identify("chosen")

    message = wire.encode(made)

    assert isinstance(made.tasks, Group)
    assert message.task_id == made.tasks.id
    assert message.body.signature.options.task_id == "chosen"
