"""How an attempt is run, and what its end becomes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gesso import App
from gesso.errors import Ignore, Reject, Retry
from gesso.request import Request, current_request
from gesso.v1.payload_pb2 import Payload
from gesso.v1.signature_pb2 import Signature, SignatureOptions
from gesso.v1.worker_service_pb2 import Assignment, Outcome
from gesso_worker.frames import token_value
from gesso_worker.job import Job
from gesso_worker.outcomes import MAX_RESULT_BYTES
from gesso_worker.runner import Runner
from unit.worker.running import ABSENT, TOKEN, VALUE, OneInput, gather, gather_soon, run, run_with, value

# --- maps ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("function", [gather, gather_soon])
def test_map_calls_once_for_each_item(function: Callable[..., Any]) -> None:
    """A map's value is the list of its calls', each with one item; a starmap spreads the item."""
    mapped = run(function, [1, 2], [3], iteration=Assignment.ITERATION_MAP)
    starred = run(function, [1, 2], [3], iteration=Assignment.ITERATION_STARMAP)
    nothing = run(function, iteration=Assignment.ITERATION_MAP)

    assert value(mapped) == [[[1, 2]], [[3]]]
    assert value(starred) == [[1, 2], [3]]
    assert value(nothing) == []


def test_map_takes_nothing_from_the_step_before() -> None:
    """An input beside the items is left out."""
    assert value(run(gather, 1, iteration=Assignment.ITERATION_MAP, **VALUE)) == [[1]]


def test_map_ends_with_its_first_error() -> None:
    """The items behind one that failed are not called."""
    seen: list[int] = []

    def reciprocal(number: int) -> float:
        seen.append(number)
        return 1 / number

    assert (
        run(reciprocal, 1, 0, 2, iteration=Assignment.ITERATION_MAP).error.type
        == "builtins.ZeroDivisionError"
    )
    assert seen == [1, 0]


# --- ends ------------------------------------------------------------------------------------------------


def raising(error: BaseException) -> Callable[[], None]:
    """Return a function that raises."""

    def function() -> None:
        raise error

    return function


def raising_soon(error: BaseException) -> Callable[[], Any]:
    """Return a coroutine function that raises."""

    async def function() -> None:
        raise error

    return function


@pytest.mark.parametrize("make", [raising, raising_soon])
@pytest.mark.parametrize(
    "error",
    [ValueError("x"), SystemExit(3), KeyboardInterrupt(), asyncio.CancelledError(), GeneratorExit()],
    ids=repr,
)
def test_whatever_is_raised_is_the_tasks_failure(
    make: Callable[[BaseException], Callable[[], Any]], error: BaseException
) -> None:
    """Also an error that would end a program, and never one that a retry would be in vain for."""
    outcome = run(make(error))

    assert outcome.error.type.rpartition(".")[2] == type(error).__name__
    assert not outcome.error.final
    assert "gesso_worker" not in outcome.error.traceback


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (Ignore(), Outcome(ignored=Outcome.Ignored())),
        (Reject("no"), Outcome(rejected=Outcome.Rejected())),
        (Reject("no", requeue=True), Outcome(rejected=Outcome.Rejected(requeue=True))),
    ],
    ids=repr,
)
def test_task_says_how_it_ends(error: BaseException, outcome: Outcome) -> None:
    """Ignore and Reject are no failures."""
    assert run(raising(error)) == outcome


def test_retry_bears_delay_error_and_limit() -> None:
    """What is not said is left to the retry policy."""
    plain = run(raising(Retry())).retry
    full = run(raising(Retry(exc=OSError("gone"), when=1.5, max_retries=0))).retry
    at = run(raising(Retry(when=datetime.now(UTC) + timedelta(seconds=60)))).retry
    past = run(raising(Retry(when=datetime.now(UTC) - timedelta(seconds=60)))).retry

    assert not plain.HasField("delay")
    assert not plain.HasField("max_retry_count")
    assert plain.error.type == "gesso.Retry"
    assert full.delay.ToTimedelta() == timedelta(seconds=1.5)
    assert (full.error.type, full.max_retry_count, full.HasField("max_retry_count")) == (
        "builtins.OSError",
        0,
        True,
    )
    assert timedelta(seconds=50) < at.delay.ToTimedelta() <= timedelta(seconds=60)
    assert past.delay.ToTimedelta() == timedelta(0)


@pytest.mark.parametrize(
    ("outcome", "error", "text"),
    [
        (run(object), "ResultUnencodable", "object"),
        (run(lambda: "x" * MAX_RESULT_BYTES), "ResultTooLarge", "1,048,578 bytes"),
        (run(gather, value=Payload(encoding="pickle", data=b"x")), "PayloadUndecodable", "pickle"),
        (run(gather, value=Payload(data=b"{")), "PayloadUndecodable", "The input cannot be decoded"),
        (run(gather, elsewhere={"node_id": ABSENT}), "InputUnavailable", "it is not there"),
    ],
)
def test_what_the_worker_cannot_carry_is_said_clearly(outcome: Outcome, error: str, text: str) -> None:
    """Such a failure is the task's, names what is wrong, and is not retried."""
    assert outcome.error.type == f"gesso_worker.errors.{error}"
    assert text in outcome.error.message
    assert outcome.error.final


def test_undecodable_arguments_are_the_tasks_failure() -> None:
    """Arguments that are no list, in whatever encoding, do not reach the function."""
    app = App("unit")
    app.task(name="unit.task")(gather)
    runner = Runner(app, "worker", OneInput())

    for payload in (Payload(data=b"5"), Payload(data=b"\xff"), Payload(encoding="msgpack", data=b"\x90")):
        assignment = Assignment(signature=Signature(task="unit.task", args=payload), token=TOKEN)
        outcome = runner.run(Job(assignment, token_value(TOKEN)))
        assert outcome.error.type == "gesso_worker.errors.PayloadUndecodable"


def test_unknown_task_is_for_another_worker() -> None:
    """It is rejected, to be delivered again."""
    runner = Runner(App("unit"), "worker", OneInput())

    outcome = run_with(runner, "unit.unknown")

    assert outcome == Outcome(rejected=Outcome.Rejected(requeue=True, unknown_task=True))


# --- what the task knows -----------------------------------------------------------------------------------


def test_request_says_what_runs() -> None:
    """The request bears everything that the assignment tells."""
    seen: list[Request] = []

    def look(*_args: Any) -> None:
        request = current_request.get()
        assert request is not None
        seen.append(request)

    options = SignatureOptions(queue="mail", priority=0, headers={"tenant": "t"})
    options.time_limit.FromTimedelta(timedelta(seconds=2.5))
    run(
        look, 1, options=options, failure_count=3, root_id="root", parent_id="parent", group_id="group",
        trace_id="ab", span_id="cd", tracestate="x=y", stamps={"who": {"values": ['"me"', "1"]}}, **VALUE,
    )  # fmt: skip
    run(look, task_id="chosen")

    first, second = seen
    assert (first.id, first.node_id) == (TOKEN.node_id, TOKEN.node_id)
    assert (first.root_id, first.parent_id, first.group) == ("root", "parent", "group")
    assert (first.task, first.args, dict(first.kwargs)) == ("unit.task", ("before", 1), {})
    assert (first.retries, first.attempt, first.hostname) == (3, 2, "worker")
    assert first.delivery_info == {"redelivered": True, "routing_key": "mail", "priority": 0}
    assert (first.stamps, first.headers) == ({"who": ["me", 1]}, {"tenant": "t"})
    assert (first.timelimit, first.called_directly) == ((2.5, None), False)
    assert (first.trace_id, first.span_id, first.tracestate) == ("ab", "cd", "x=y")
    assert (second.id, second.parent_id, second.trace_id, second.timelimit) == (
        "chosen",
        None,
        None,
        (None, None),
    )
