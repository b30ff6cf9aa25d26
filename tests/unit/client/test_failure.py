"""Exceptions become data and come back."""

from __future__ import annotations

import pytest

from gesso import codec, errors
from gesso.failure import (
    ARGS_BYTES,
    CAUSE_DEPTH,
    MESSAGE_BYTES,
    TRACEBACK_BYTES,
    failure_of,
    from_task_error,
    to_task_error,
    type_name,
)
from gesso.v1 import task_error_pb2


class OutOfStock(Exception):
    """A class of the app's own."""


class Demanding(Exception):
    """Its initializer wants other things than its args hold."""

    def __init__(self, item: str, *, count: int) -> None:
        super().__init__(f"{count} of {item}")


class Mute(Exception):
    """Has no text."""

    def __str__(self) -> str:
        raise RuntimeError("no text")


def raised(error: BaseException) -> BaseException:
    """Return an error with a traceback."""
    try:
        raise error  # noqa: TRY301 - what is tested
    except BaseException as caught:  # noqa: BLE001 - any
        return caught


def test_builtin_error_comes_back_as_itself() -> None:
    """A builtin's class and args survive, and the remote traceback is shown."""
    message = to_task_error(raised(KeyError("answer", 42)))

    error = from_task_error(message)

    assert type(error) is KeyError
    assert error.args == ("answer", 42)
    assert message.type == "builtins.KeyError"
    assert "in raised" in error.__notes__[-1]


def test_registered_error_comes_back_as_itself() -> None:
    """A class that the app registered is made anew."""
    message = to_task_error(OutOfStock("apples"))

    error = from_task_error(message, {type_name(OutOfStock): OutOfStock})

    assert type(error) is OutOfStock
    assert error.args == ("apples",)


def test_unknown_error_becomes_task_error_with_its_name() -> None:
    """A class that is not known bears the remote name and text, and keeps them when it is sent on."""
    message = task_error_pb2.TaskError(type="shop.errors.OutOfStock", message="no apples")

    error = from_task_error(message)

    assert type(error) is errors.TaskError
    assert error.type == "shop.errors.OutOfStock"
    assert str(error) == "shop.errors.OutOfStock: no apples"
    assert to_task_error(error).type == "shop.errors.OutOfStock"


@pytest.mark.parametrize(
    "name",
    [
        "builtins.SystemExit",
        "builtins.KeyboardInterrupt",
        "builtins.eval",
        "os.system",
        "gesso.REASONS",
        "builtins.",
        "",
    ],
)
def test_name_that_is_no_exception_makes_a_task_error(name: str) -> None:
    """What a message names is neither called nor raised unless it is an ordinary exception."""
    error = from_task_error(task_error_pb2.TaskError(type=name, message="x", args=codec.encode(["true"])))

    assert type(error) is errors.TaskError


def test_gesso_errors_come_back_as_themselves() -> None:
    """The coordinator's own names are Gesso's classes."""
    error = from_task_error(task_error_pb2.TaskError(type="gesso.WorkerLost", message="twice"))

    assert type(error) is errors.WorkerLost
    assert str(error) == "twice"


def test_causes_come_back_in_order() -> None:
    """`raise … from` and errors raised while handling another both travel."""
    try:
        try:
            raise KeyError("inner")  # noqa: TRY301 - what is tested
        except KeyError as inner:
            raise ValueError("middle") from inner
    except ValueError:
        message = to_task_error(raised(TypeError("outer")))

    error = from_task_error(message)

    assert isinstance(error, TypeError)
    assert isinstance(error.__cause__, ValueError)
    assert isinstance(error.__cause__.__cause__, KeyError)
    assert "inner" in message.traceback
    assert message.cause.traceback == ""


def test_hidden_context_does_not_travel() -> None:
    """`raise … from None` hides what was being handled."""
    try:
        raise KeyError("hidden")  # noqa: TRY301 - what is tested
    except KeyError:
        try:
            raise ValueError("shown") from None  # noqa: TRY301 - what is tested
        except ValueError as error:
            message = to_task_error(error)

    assert not message.HasField("cause")


def test_circular_and_endless_causes_are_cut() -> None:
    """At most so many causes travel, and none twice."""
    first, second = ValueError("first"), ValueError("second")
    first.__cause__, second.__cause__ = second, first
    last: BaseException = ValueError("0")
    for number in range(40):
        following = ValueError(str(number + 1))
        following.__cause__ = last
        last = following

    circular, long = to_task_error(first), to_task_error(last)

    assert not circular.cause.HasField("cause")
    depth = 0
    while long.HasField("cause"):
        long, depth = long.cause, depth + 1
    assert depth == CAUSE_DEPTH


def test_enormous_texts_are_cut_at_the_limits() -> None:
    """Message, traceback and args stay within the contract, whatever the error holds."""
    message = to_task_error(raised(ValueError("ä" * 5_000_000)))

    error = from_task_error(message)

    assert len(message.message.encode()) <= MESSAGE_BYTES
    assert len(message.traceback.encode()) <= TRACEBACK_BYTES
    assert message.traceback.startswith("Traceback")
    assert len(message.args.data) <= ARGS_BYTES
    assert isinstance(error, ValueError)
    assert str(error).startswith("ää")


def test_args_that_cannot_be_encoded_are_left_out() -> None:
    """An error with an object in it keeps its class and its text."""
    message = to_task_error(ValueError(object()))

    assert not message.HasField("args")
    assert type(from_task_error(message)) is ValueError


def test_class_with_another_initializer_is_made_without_it() -> None:
    """A registered class whose initializer does not take its args keeps class, args and text."""
    message = to_task_error(Demanding("apple", count=3))

    error = from_task_error(message, {type_name(Demanding): Demanding})

    assert type(error) is Demanding
    assert str(error) == "3 of apple"


def test_error_without_a_text_and_with_bad_characters_travels() -> None:
    """A `__str__` that raises, and lone surrogates, do no harm."""
    assert "Mute" in to_task_error(Mute()).message
    assert to_task_error(ValueError("\ud800")).message == "\\ud800"


def test_notes_travel_and_the_remote_traceback_is_not_sent_on() -> None:
    """Notes come back in order; sending an error on does not pile up tracebacks."""
    original = raised(ValueError("x"))
    original.add_note("see the manual")

    back = from_task_error(to_task_error(original))
    again = to_task_error(back)

    assert back.__notes__[0] == "see the manual"
    assert list(again.notes) == ["see the manual"]


def test_failure_of_tells_where_an_error_came_from() -> None:
    """The failing node and the remote traceback are facts of the error."""
    message = to_task_error(raised(ValueError("x")))
    message.node_id = "abc-3"

    failure = failure_of(from_task_error(message))

    assert failure is not None
    assert (failure.node_id, failure.type) == ("abc-3", "builtins.ValueError")
    assert failure.traceback.startswith("Traceback")
    assert failure_of(ValueError("local")) is None
