"""Signatures: one task invocation as data."""

from __future__ import annotations

import copy
import json
import pickle
from datetime import timedelta
from typing import Any, cast

import pytest

from gesso.canvas import (
    Canvas,
    NoAppError,
    RetryPolicy,
    Signature,
    group,
    maybe_signature,
    set_current_app,
    signature,
)
from unit.canvas.samples import Recorder, add, mul, sig


def test_signature_of_a_name_has_the_fields_given() -> None:
    """A signature needs no task: its name, arguments and options are all it is."""
    made = signature("tasks.add", args=(2, 2), kwargs={"debug": True}, countdown=10)

    assert (made.task, made.name, made.args, made.kwargs) == (
        "tasks.add",
        "tasks.add",
        (2, 2),
        {"debug": True},
    )
    assert made.options == {"countdown": 10}
    assert made.immutable is False
    assert made.id is None


def test_signature_of_a_task_takes_its_name() -> None:
    """A task may stand in place of its name."""

    class Task:
        name = "proj.add"

    assert signature(Task(), (1,)) == sig("proj.add", 1)


def test_fields_are_items() -> None:
    """Fields can be read as Celery's signatures, which are dicts, let one."""
    made = add(1, x=2).set(queue="fast")

    assert made["task"] == "add"
    assert made["args"] == (1,)
    assert made["kwargs"] == {"x": 2}
    assert made["options"] == {"queue": "fast"}
    assert made["subtask_type"] is None
    assert made["immutable"] is False
    assert made.get("nothing", 5) == 5
    with pytest.raises(KeyError):
        made["nothing"]


def test_dict_holds_six_fields_and_comes_back() -> None:
    """A signature is its plain dict, also after a journey as JSON."""
    made = signature("add", (2, 2), {"debug": True}, immutable=True, queue="fast", link=mul(3))

    data = json.loads(json.dumps(made.to_dict()))

    assert set(data) == {"task", "args", "kwargs", "options", "subtask_type", "immutable"}
    assert data["options"]["link"][0]["task"] == "mul"
    assert signature(data) == made
    assert Signature.from_dict(data).options["link"] == [mul(3)]


def test_canvas_as_an_argument_is_plain_in_the_dict() -> None:
    """Canvases in arguments become dicts at any depth, so that JSON can carry them."""
    made = add([mul(1), {"then": group(mul(2))}])

    data = json.loads(json.dumps(made.to_dict()))

    assert data["args"][0][0]["task"] == "mul"
    assert data["args"][0][1]["then"]["subtask_type"] == "group"


def test_equality_is_that_of_the_dicts() -> None:
    """Two signatures are equal when all they say is; a plain dict is equal to what it stands for."""
    assert add(1) == add(1)
    assert add(1) == add(1).to_dict()
    assert add(1) != add(2)
    assert add(1) != add(1).set(queue="fast")
    assert add(1) != signature("add", (1,), immutable=True)
    assert add(1) != "add(1)"
    assert add(1) != {"other": 1}


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda made: pickle.loads(pickle.dumps(made))])  # noqa: S301 - our own
def test_copies_are_equal_and_independent(copied: Any) -> None:
    """However a signature is copied, changing the copy changes nothing else."""
    made = add([1], x=1).set(headers={"a": "b"})
    made.link(mul(2))

    other = copied(made)
    assert other == made
    other.kwargs["x"] = 2
    other.options["headers"]["a"] = "c"
    other.options["link"][0].set(queue="fast")

    assert made.kwargs == {"x": 1}
    assert made.options == {"headers": {"a": "b"}, "link": [mul(2)]}


def test_clone_puts_arguments_in_front_and_options_over() -> None:
    """A clone is a partial with more in it."""
    made = signature("add", (2,), {"x": 1}, queue="slow", priority=3)

    other = made.clone((4,), {"x": 2, "y": 3}, queue="fast", priority=None)

    assert other.args == (4, 2)
    assert other.kwargs == {"x": 2, "y": 3}
    assert other.options == {"queue": "fast", "priority": 3}
    assert (made.args, made.kwargs, made.options["queue"]) == ((2,), {"x": 1}, "slow")


def test_clone_of_an_immutable_one_takes_options_only() -> None:
    """What is immutable ignores arguments that come later."""
    made = signature("add", (2,), immutable=True)

    other = made.clone((4,), {"x": 2}, queue="fast")

    assert (other.args, other.kwargs, other.options) == ((2,), {}, {"queue": "fast"})
    assert other.immutable


def test_clone_does_not_read_a_lazy_argument() -> None:
    """The values of arguments are neither copied nor read."""

    def number() -> int:
        raise AssertionError("read")

    lazy = iter(number, 0)

    assert add(lazy).clone((1,)).args == (1, lazy)


def test_replace_puts_values_in_place() -> None:
    """`replace` is a copy in which what is given stands in place of what was there."""
    made = signature("add", (2,), {"x": 1}, queue="slow")

    assert made.replace(args=(4,)) == signature("add", (4,), {"x": 1}, queue="slow")
    assert made.replace(kwargs={}, options={}) == add(2)
    assert made.args == (2,)


def test_set_changes_and_returns_the_signature() -> None:
    """`set` works on the object itself; None takes an option away."""
    made = add(1)

    assert made.set(queue="fast", countdown=1) is made
    made.set(immutable=True, countdown=None, link=mul(2))

    assert made.options == {"queue": "fast", "link": [mul(2)]}
    assert made.immutable


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ({"countdown": timedelta(minutes=1)}, {"countdown": 60.0}),
        (
            {"retry": RetryPolicy(max_retries=2, max_delay=timedelta(seconds=5))},
            {"retry": {"max_retries": 2, "max_delay": 5.0}},
        ),
        ({"queue": None}, {}),
    ],
)
def test_options_are_stored_as_data(given: dict[str, Any], stored: dict[str, Any]) -> None:
    """Spans become seconds and policies dicts, so that a signature stays JSON data."""
    assert signature("add", **given).options == stored
    assert add().set(**given).options == stored


def test_the_later_of_countdown_and_eta_stands() -> None:
    """Countdown and eta say the same, so one given later takes the place of the other."""
    made = add().set(eta="2030-01-01")

    assert made.clone(countdown=3).options == {"countdown": 3}
    assert made.clone(countdown=None).options == {"eta": "2030-01-01"}


def test_signature_of_a_canvas_is_a_copy() -> None:
    """`signature` copies what is a canvas already."""
    made = add(1)

    other = signature(made)

    assert other == made
    assert other is not made


def test_maybe_signature_takes_canvas_dict_and_none() -> None:
    """`maybe_signature` makes a canvas of what may be one."""
    made: Canvas = add(1)
    app = Recorder()

    assert maybe_signature(None) is None
    assert maybe_signature(made) is made
    assert maybe_signature(made, clone=True) is not made
    assert maybe_signature(made.to_dict(), app).app is app
    assert maybe_signature(group(made).to_dict()) == group(made)


@pytest.mark.parametrize("wrong", [5, "add", None, ["add"]])
def test_what_is_no_canvas_is_refused_with_a_sentence(wrong: object) -> None:
    """A wrong operand or link says what is wanted."""
    with pytest.raises(TypeError, match=r"made of signatures|unsupported operand"):
        _ = add(1) | cast("Canvas", wrong)
    with pytest.raises(TypeError, match="made of signatures"):
        add(1).link(cast("Canvas", wrong))


def test_a_task_in_place_of_its_signature_is_explained() -> None:
    """Forgetting `.s()` is answered with what to type."""

    class Task:
        name = "add"

        def s(self) -> Canvas:
            return add()

    with pytest.raises(TypeError, match=r"did you mean \.s\("):
        group(Task(), Task())


def test_call_runs_the_function_here(app: Recorder) -> None:
    """Calling a signature is calling the function, with partial arguments in front."""
    assert add(2, y=1)(1, y=2) == ("add", (1, 2), {"y": 2})
    assert app.sent == []


def test_without_an_app_sending_says_what_to_do() -> None:
    """A canvas can be built without an app, and says so when it is sent."""
    set_current_app(None)
    made = add(1) | mul(2)

    with pytest.raises(NoAppError, match=r"gesso\.App"):
        made.delay()


def test_the_app_of_a_canvas_is_the_first_found_inside() -> None:
    """A canvas is sent by the app that its signatures were made by."""
    app = Recorder()
    made: Signature[Any] = Signature("add", app=app)

    assert (made | mul(1)).app is app
    assert group(made, mul(1)).app is app
    assert (group(made, mul(1)) | mul(2) | mul(3)).app is app
