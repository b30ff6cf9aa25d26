"""Calling a canvas: what a call adds, and where it goes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from gesso.canvas import Canvas, Group, chain, chord, chunks, group, xmap, xstarmap
from unit.canvas.samples import Recorder, Value, add, canvases, mul, sig, tsum


def test_a_call_that_adds_nothing_sends_the_canvas_itself(app: Recorder) -> None:
    """There is nothing to merge, so nothing is copied."""
    made = group(add(1), add(2))

    made.delay()

    assert app.sent == [made]
    assert app.sent[0] is made


def test_delay_and_apply_async_make_partials(app: Recorder) -> None:
    """Arguments go in front, keywords and options over what is stored, and nothing stays behind."""
    made = add(2, x=1).set(queue="slow", priority=3)

    made.delay(4, x=2)
    made.apply_async((4,), {"x": 2}, queue="fast", priority=None, countdown=1)

    assert app.sent == [
        add(4, 2, x=2).set(queue="slow", priority=3),
        add(4, 2, x=2).set(queue="fast", priority=3, countdown=1),
    ]
    assert made == add(2, x=1).set(queue="slow", priority=3)


def test_an_immutable_one_takes_options_of_a_call_only(app: Recorder) -> None:
    """Arguments of a call are ignored by what is immutable."""
    add(2).set(immutable=True).apply_async((4,), {"x": 1}, queue="fast")

    assert app.sent == [add(2).set(immutable=True, queue="fast")]


def test_a_link_of_one_call_does_not_fire_at_the_next(app: Recorder) -> None:
    """Call-time links are added to those of the signature, for that call."""
    made = add(1)
    made.link(mul(1))

    made.apply_async(link=[mul(2), mul(1)], link_error=sig("log"))
    made.apply_async()

    assert app.sent[0].options == {"link": [mul(1), mul(2)], "link_error": [sig("log")]}
    assert app.sent[1].options == {"link": [mul(1)]}


def test_arguments_of_a_chain_go_to_its_first_task(app: Recorder) -> None:
    """`c1(16)` is `add(16, 4) | mul(8)`; options go to the first task, links and the id to the last."""
    made = add(4) | mul(8)

    made(16)
    made.apply_async((16,), queue="fast", countdown=2, task_id="x", link=tsum(), link_error=sig("log"))

    assert app.sent[0] == add(16, 4) | mul(8)
    first, last = app.sent[1]["kwargs"]["tasks"]
    assert app.sent[1].options == {"queue": "fast", "countdown": 2}
    assert first == add(16, 4).set(link_error=sig("log"))
    assert last == mul(8).set(task_id="x", link=tsum(), link_error=sig("log"))
    assert made == add(4) | mul(8)


def test_an_empty_chain_gives_none_and_sends_nothing(app: Recorder) -> None:
    """There is nothing to run, and nothing to wait for."""
    assert chain()() is None
    assert chain().delay() is None
    assert ~chain() is None
    assert app.sent == []


def test_arguments_of_a_group_go_to_each_member(app: Recorder) -> None:
    """Members get the same arguments in front; options are kept for all."""
    group(add(1), add(2) | mul(3)).apply_async((5,), {"x": 1}, queue="fast")

    assert app.sent == [group(add(5, 1, x=1), add(5, 2, x=1) | mul(3)).set(queue="fast")]


def test_arguments_of_a_lazy_group_go_to_each_member_as_it_is_read(app: Recorder) -> None:
    """Calling does not read the generator, and calling leaves the group as it was."""
    made = group(add(i) for i in range(2))

    made(5)

    assert repr(app.sent[0]) == "group(<_regen: [...]>)"
    assert list(app.sent[0]["kwargs"]["tasks"]) == [add(5, 0), add(5, 1)]
    assert list(made) == [add(0), add(1)]


@pytest.mark.parametrize("key", ["link", "link_error"])
def test_a_group_takes_no_link_when_it_is_called(key: str) -> None:
    """A group is no task, so a call cannot link to it; None is no link."""
    with pytest.raises(TypeError, match=f"group.{key}"):
        group(add(1)).apply_async((), {}, **{key: mul(1)})

    group(add(1)).apply_async((), {}, **{key: None})


def test_arguments_of_a_chord_go_to_its_header_and_links_to_its_body(app: Recorder) -> None:
    """Header members get arguments, the body links and id; other options are kept for both."""
    chord([add(1), add(2)], tsum()).apply_async(
        (5,), countdown=3, queue="fast", task_id="x", link=mul(2), link_error=sig("log")
    )

    expected = chord([add(5, 1), add(5, 2)], tsum().set(task_id="x", link=mul(2), link_error=sig("log")))
    assert app.sent == [expected.set(countdown=3, queue="fast")]


def test_calling_a_chord_with_a_body_completes_it(app: Recorder) -> None:
    """`chord(header)(body)` is the chord; what was linked before is linked to the body."""
    made = chord([add(1)])
    made.link(mul(2))

    made(tsum(), queue="fast")

    assert app.sent == [chord([add(1)], tsum().set(link=mul(2))).set(queue="fast")]
    assert made.body is None


def test_a_chord_without_a_body_cannot_be_sent() -> None:
    """Nothing would happen with the header's values."""
    for send in (chord([add(1)]), chord([add(1)]).delay, chord([add(1)]).apply_async):
        with pytest.raises(TypeError, match="body"):
            send()


def test_chunks_submit_their_group(app: Recorder) -> None:
    """Chunks stand for a group of starmaps, however they are called."""
    made = chunks(add(), [(1, 1), (2, 2), (3, 3)], 2)

    made()
    made.apply_async(queue="fast")
    made.delay()

    expected = group([xstarmap(add(), [(1, 1), (2, 2)]), xstarmap(add(), [(3, 3)])])
    assert app.sent == [expected, expected.clone().set(queue="fast"), expected]


def test_maps_called_run_here(app: Recorder) -> None:
    """Calling a map runs the function with each item."""
    assert xmap(tsum(), [[1], [2]])() == [("tsum", ([1],), {}), ("tsum", ([2],), {})]
    assert xstarmap(add(), iter([(1, 2)]))() == [("add", (1, 2), {})]
    assert app.sent == []


def test_the_tilde_waits(app: Recorder) -> None:
    """`~canvas` submits it, says that it will wait, and returns its value."""
    assert ~add(1) == "add(1)"
    assert ~group(add(1), add(2)) == "group((add(1), add(2)))"
    assert app.waited == [True, True]


@pytest.mark.parametrize(
    "wrong",
    [
        sig("strict"),
        sig("strict", 1, 2),
        chain(sig("strict"), add()),
        group(add(), sig("strict")),
        chord([sig("strict", x=1)], tsum()),
        group(chain(chord([sig("strict")], tsum()), add()), add()),
    ],
)
def test_arguments_of_local_tasks_are_checked_before_sending(app: Recorder, wrong: Canvas) -> None:
    """Tasks that a call gives arguments to are checked; a partial step is not."""
    with pytest.raises(TypeError, match="strict takes one argument"):
        wrong.delay()
    assert app.sent == []

    chain(add(), sig("strict")).delay()
    wrong_when_called = chain(sig("strict"), add())
    wrong_when_called.delay(1)
    assert len(app.sent) == 2


@given(canvases)
def test_sending_never_changes_the_canvas(canvas: Canvas) -> None:
    """What a call adds goes into a copy."""
    before = canvas.to_dict()
    links: dict[str, Any] = {} if isinstance(canvas, Group) else {"link": add(0), "link_error": add(0)}

    result = canvas.apply_async((7,), {"y": 8}, queue="called", countdown=5, **links)

    assert canvas.to_dict() == before
    assert result is None or isinstance(result, Value)
