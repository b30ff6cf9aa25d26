"""What a task asks for besides a value, as the report has it."""

from __future__ import annotations

import contextvars
from collections.abc import Callable
from typing import Any

import pytest

from gesso import App, MaxRetriesExceededError, Task, chain, signature
from gesso.canvas import Canvas, set_current_app, wire
from gesso.errors import Ignore
from gesso.failure import from_task_error
from gesso.v1.signature_pb2 import Signature
from gesso.v1.worker_service_pb2 import Assignment, Outcome, Token
from gesso_worker.frames import token_value
from gesso_worker.job import Job
from gesso_worker.outcomes import MAX_CANVAS_BYTES
from gesso_worker.runner import Runner

NEXT: Canvas = signature("unit.next", (1,))


class NoInputs:
    """Every input came with its assignment."""

    def read_from_thread(self, node_id: str, token: Token) -> Any:  # noqa: ARG002
        """Fail."""
        raise AssertionError(node_id)

    async def read(self, node_id: str, token: Token) -> Any:  # noqa: ARG002
        """Fail."""
        raise AssertionError(node_id)


def open_missing() -> None:
    """Fail as a file does that is not there."""
    raise FileNotFoundError


def run(function: Callable[[Task[..., Any]], Any], group: str = "join") -> Outcome:
    """Run a function as a bound task that is a member of `group`."""
    app = App("unit")
    app.task(name="unit.task", bind=True)(function)
    runner = Runner(app, "worker", NoInputs())
    token = Token(node_id=f"{'c' * 32}-7", attempt=1, nonce=11)
    assignment = Assignment(signature=Signature(task="unit.task"), token=token, group_id=group)
    set_current_app(None)
    return contextvars.copy_context().run(runner.run, Job(assignment, token_value(token)))


def test_replacement_is_reported_as_a_canvas() -> None:
    """It travels as a submission's canvas does; a plain dict of one is taken, too."""
    for canvas in (NEXT, NEXT.to_dict()):
        outcome = run(lambda self, canvas=canvas: self.replace(canvas))  # type: ignore[misc]

        assert outcome.replacement.canvas == wire.encode(NEXT)


def test_replacement_that_cannot_be_sent_fails_the_task() -> None:
    """A chain of nothing, what is no canvas, and arguments without a form are failures of its own."""
    bad: list[tuple[Any, str]] = [
        (chain(), "builtins.ValueError"),
        (1, "builtins.TypeError"),
        (signature("unit.next", (object(),)), "gesso.codec.EncodeError"),
    ]
    for canvas, error in bad:
        assert run(lambda self, canvas=canvas: self.replace(canvas)).error.type == error  # type: ignore[misc]


def test_added_members_travel_with_the_outcome() -> None:
    """They are reported with whatever the attempt ends with."""

    def returning(self: Task[..., Any]) -> int:
        self.add_to_chord(NEXT)
        return 1

    def raising(self: Task[..., Any]) -> None:
        self.add_to_chord(NEXT)
        raise ValueError

    for function, kind in ((returning, "value"), (raising, "error")):
        outcome = run(function)
        assert outcome.WhichOneof("kind") == kind
        assert list(outcome.added_members) == [wire.encode(NEXT)]


def test_canvas_that_is_too_large_to_be_sent_fails_the_task() -> None:
    """What a task is to be replaced with, or adds, goes with its report: it ends for good, and says so."""
    part = signature("unit.next", ("x" * 900_000,))

    def replacing(self: Task[..., Any]) -> None:
        self.replace(chain(*[part] * 5))

    def adding(self: Task[..., Any]) -> None:
        for _ in range(5):
            self.add_to_chord(part)

    for function in (replacing, adding):
        outcome = run(function)
        assert outcome.error.type == "gesso_worker.errors.CanvasTooLarge"
        assert "takes 4,50" in outcome.error.message
        assert outcome.error.final
        assert outcome.ByteSize() < MAX_CANVAS_BYTES
    assert run(lambda self: self.replace(chain(*[part] * 4))).WhichOneof("kind") == "replacement"


def test_task_outside_of_a_join_has_nothing_to_add_to() -> None:
    """It is a ValueError in the task."""
    assert run(lambda self: self.add_to_chord(NEXT), group="").error.type == "builtins.ValueError"


def test_ignored_task_keeps_the_state_that_it_set() -> None:
    """The state goes with the outcome."""

    def ignored(self: Task[..., Any]) -> None:
        self.update_state(state="ABSENT")
        raise Ignore

    assert run(ignored).ignored.custom_state == "ABSENT"


def test_retry_carries_what_to_end_with() -> None:
    """The error that was given, else the one being handled, else that it asked too often; and the task's own limits."""

    def given(self: Task[..., Any]) -> None:
        self.retry(exc=KeyError("given"), countdown=2, max_retries=5)

    def handled(self: Task[..., Any]) -> None:
        try:
            open_missing()
        except OSError:
            self.retry()

    outcomes = [run(function) for function in (given, handled, lambda self: self.retry())]

    errors = [type(from_task_error(outcome.retry.error)) for outcome in outcomes]
    assert errors == [KeyError, FileNotFoundError, MaxRetriesExceededError]
    assert outcomes[0].retry.delay.ToSeconds() == 2
    assert outcomes[0].retry.max_retry_count == 5
    assert outcomes[1].retry.delay.ToSeconds() == 180
    assert outcomes[1].retry.max_retry_count == 3


def test_task_that_is_called_as_a_function_has_no_place_in_a_canvas() -> None:
    """To replace it, or to add to its join, is an error at once; a retry raises what it would end with."""
    app = App("unit")

    @app.task(name="unit.task", bind=True)
    def task(self: Task[..., Any]) -> None:
        self.replace(NEXT)

    with pytest.raises(RuntimeError, match="called as a function"):
        task()
    with pytest.raises(KeyError, match="given"):
        task.retry(exc=KeyError("given"))
    set_current_app(None)
