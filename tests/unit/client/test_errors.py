"""Each reason of the contract has a class, and the class is chosen by it."""

from __future__ import annotations

import builtins
import pickle
from datetime import timedelta

import pytest

from gesso import errors
from gesso.connection.refusals import from_call_error, repeatable, to_call_error
from gesso.v1 import coordinator_service_pb2 as pb
from gesso.v1 import error_reason_pb2


def test_every_reason_of_the_contract_has_a_class() -> None:
    """A reason that is added to the contract must be added to the table."""
    names = {
        value.name.removeprefix("ERROR_REASON_") for value in error_reason_pb2.ErrorReason.DESCRIPTOR.values
    }

    assert set(errors.REASONS) == names - {"UNSPECIFIED"}


def test_call_error_becomes_its_class_with_its_facts() -> None:
    """Reason, code, violations and the time to call again are attributes."""
    message = pb.CallError(code=3, reason="ERROR_REASON_BAD_TASK_NAME", message="A task has a bad name.")
    message.violations.add(field="canvas.signature.task", description="is empty")

    error = from_call_error(message)

    assert isinstance(error, errors.InvalidCanvas)
    assert isinstance(error, ValueError)
    assert (error.reason, error.code) == ("BAD_TASK_NAME", "INVALID_ARGUMENT")
    assert error.violations[0].field == "canvas.signature.task"
    assert str(error) == "A task has a bad name.\n  canvas.signature.task: is empty"


def test_unknown_reason_falls_back_to_the_code() -> None:
    """A newer coordinator's reason does not lose the class."""
    error = from_call_error(pb.CallError(code=8, message="later"))

    assert type(error) is errors.ResourceExhausted


def test_error_goes_through_a_reply_and_back() -> None:
    """What a whole stream ended with answers each of its calls."""
    error = errors.Unavailable("gone", code="UNAVAILABLE", reason="DRAINING")

    back = from_call_error(to_call_error(error))

    assert isinstance(back, errors.Unavailable)
    assert back.reason == "DRAINING"


@pytest.mark.parametrize(
    ("error", "pause"),
    [
        (errors.Unavailable("x"), timedelta(0)),
        (errors.Unavailable("x", retry_delay=timedelta(seconds=2)), timedelta(seconds=2)),
        (errors.ResourceExhausted("x", retry_delay=timedelta(seconds=1)), timedelta(seconds=1)),
        (errors.ResourceExhausted("a message that is too large"), None),
        (errors.InvalidCanvas("x"), None),
        (errors.NotFound("x"), None),
    ],
)
def test_only_what_may_pass_is_repeated(error: errors.GessoError, pause: timedelta | None) -> None:
    """A call is made again only where that may help."""
    assert repeatable(error) == pause


@pytest.mark.parametrize(
    "error",
    [
        errors.Unavailable("gone", code="UNAVAILABLE"),
        errors.TimeoutError("late"),
        errors.Retry(exc=ValueError("x"), when=3),
        errors.Reject("no", requeue=True),
        errors.TaskError("failed"),
    ],
)
def test_errors_can_be_pickled_by_users(error: errors.GessoError) -> None:
    """A process pool can carry them."""
    assert str(pickle.loads(pickle.dumps(error))) == str(error)  # noqa: S301 - our own


def test_timeout_is_the_builtin_too() -> None:
    """`except TimeoutError` catches it."""
    assert issubclass(errors.TimeoutError, builtins.TimeoutError)
    assert issubclass(errors.Unavailable, ConnectionError)
