"""What a task is called with."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest

from gesso import codec
from gesso.failure import to_task_error
from gesso.v1.signature_pb2 import Signature
from gesso.v1.worker_service_pb2 import Assignment
from unit.worker.running import ABSENT, VALUE, gather, gather_soon, run, value


@pytest.mark.parametrize("function", [gather, gather_soon])
@pytest.mark.parametrize(
    ("fields", "called_with"),
    [
        ({}, [1, 2]),
        ({"kwargs": {"k": 3}}, [1, 2, ["k", 3]]),
        (VALUE, ["before", 1, 2]),
        ({"value": codec.encode(None)}, [None, 1, 2]),
        (VALUE | {"immutable": True}, [1, 2]),
        ({"values": {"values": []}}, [[], 1, 2]),
        ({"values": {"values": [codec.encode(5), codec.encode("six")]}}, [[5, "six"], 1, 2]),
        ({"elsewhere": {"node_id": "there"}}, ["value of there", 1, 2]),
        ({"elsewhere": {"node_id": ABSENT}, "immutable": True}, [1, 2]),
    ],
)
def test_input_comes_before_the_stored_arguments(
    function: Callable[..., Any], fields: dict[str, Any], called_with: list[Any]
) -> None:
    """The value of the step before is the first argument, unless the task is immutable."""
    assert value(run(function, 1, 2, **fields)) == called_with


def test_values_of_kombus_types_pass() -> None:
    """Arguments and results keep the types that the codec carries."""
    assert value(run(lambda day: day + timedelta(days=1), date(2026, 1, 1))) == date(2026, 1, 2)


# --- error links ---------------------------------------------------------------------------------------


def one(failed_id: Any) -> Any:
    """Take one positional argument."""
    return failed_id


def two(failed_id: Any, other: Any) -> Any:
    """Take two."""
    return [failed_id, other]


def three(request: Any, exc: Any, traceback: Any) -> Any:
    """Take the failure."""
    return [request.id, request.task, list(request.args), type(exc).__name__, str(exc), traceback]


def four(request: Any, exc: Any, traceback: Any, stored: Any) -> Any:
    """Take the failure and something stored."""
    return [*three(request, exc, traceback), stored]


def optional(request: Any, exc: Any = None, traceback: Any = None) -> Any:
    """Take the failure, or call it an id."""
    return three(request, exc, traceback)


def keyword_only(failed_id: Any, *, exc: Any = None, traceback: Any = None) -> Any:
    """Take one positional argument and no more."""
    return [failed_id, exc, traceback]


def bound(self: Any, request: Any, exc: Any, traceback: Any) -> Any:
    """Take the failure in a bound task."""
    return [self.name, *three(request, exc, traceback)]


FAILURE = ["T1", "unit.failing", [4, 0], "ZeroDivisionError", "by zero", "the traceback"]


@pytest.mark.parametrize(
    ("function", "stored", "kwargs", "called_with"),
    [
        (one, [], {}, "T1"),
        (two, ["stored"], {}, ["T1", "stored"]),
        (three, [], {}, FAILURE),
        (optional, [], {}, FAILURE),
        (four, ["stored"], {}, [*FAILURE, "stored"]),
        (four, [], {"stored": "by name"}, [*FAILURE, "by name"]),
        (lambda a, b, c: [a, b, c], ["stored"], {"c": "by name"}, ["T1", "stored", "by name"]),
        (keyword_only, [], {}, ["T1", None, None]),
        (lambda *args: len(args), [], {}, 3),
        (bound, [], {}, ["unit.task", *FAILURE]),
    ],
)
def test_error_link_gets_what_its_arity_allows(
    function: Callable[..., Any], stored: list[Any], kwargs: dict[str, Any], called_with: Any
) -> None:
    """Room for three more positionals means (request, exc, traceback), else it is the task's id."""
    error = to_task_error(ZeroDivisionError("by zero"))
    error.traceback = "the traceback"
    failing = Signature(task="unit.failing", args=codec.encode([4, 0]))
    failed = Assignment.FailedTask(task_id="T1", signature=failing, error=error)

    outcome = run(function, *stored, kwargs=kwargs, failed=failed, bind=function is bound)

    assert value(outcome) == called_with


def test_immutable_error_link_gets_only_its_own() -> None:
    """The failure does not reach it."""
    failed = Assignment.FailedTask(task_id="T1", error=to_task_error(ValueError()))

    assert value(run(gather, "own", failed=failed, immutable=True)) == ["own"]
