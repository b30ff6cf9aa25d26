"""Promise: results are asked and waited for as in Celery, from any thread."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from queue import SimpleQueue
from typing import Any, cast

import pytest

from acceptance.tasks import KilnError, Ledger, add, call
from gesso import (
    App,
    AsyncResult,
    FailedPrecondition,
    GroupResult,
    IncompleteStream,
    InvalidCanvas,
    NotFound,
    TaskRevokedError,
    TimeoutError,  # noqa: A004 - Celery's name
    Unavailable,
    chain,
    chord,
    group,
    signature,
)
from gesso.result import Result
from support.system import System, free_port


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """Return a system with a coordinator and a worker, for all tests here."""
    with System(tmp_path_factory.mktemp("project")) as system:
        yield system


@pytest.fixture(scope="module")
def app(project: System) -> App:
    """Return the client."""
    coordinator = project.coordinator()
    project.worker(coordinator, threads=4)
    return project.client(coordinator)


@pytest.fixture
def gate(tmp_path: Path) -> Path:
    """Return a named pipe that tasks wait for."""
    os.mkfifo(tmp_path / "gate")
    return tmp_path / "gate"


def test_task_result_tells_how_it_stands(app: App, gate: Path, ledger: Ledger) -> None:
    """It is not ready while the task runs, and its value is there once it is."""
    result = call("hold", str(gate), ledger.path, 5).delay()

    with pytest.raises(TimeoutError):
        result.get(timeout=0.2)
    before = standing(result)
    gate.write_text("on")

    assert before == (False, False, False, "STARTED")
    assert result.get(timeout=30) == result.result == 5
    assert standing(result) == (True, True, False, "SUCCESS")
    assert app.AsyncResult(result.id).get(timeout=30) == 5


def test_failed_result_tells_so(app: App) -> None:
    """It raises, or returns the error when it is told not to; a class the app registered is raised as itself."""
    failed = call("boom", "cracked").delay()
    app.register_error(KilnError)
    registered = call("boom_strangely", "cold").delay()

    error = failed.get(timeout=30, propagate=False)

    assert isinstance(error, ValueError)
    assert standing(failed) == (True, False, True, "FAILURE")
    with pytest.raises(KilnError, match="cold"):
        registered.get(timeout=30)


def test_chain_result_leads_to_its_parents_and_children(app: App) -> None:
    """From the last step one gets to the first, and from each to the one behind it."""
    last = chain(call("add", 1, 1), call("add", 2), call("add", 3)).delay()
    assert last.get(timeout=30) == 7

    middle = last.parent
    first = middle.parent

    assert (middle.get(timeout=30), first.get(timeout=30), first.parent) == (4, 2, None)
    assert [child.id for child in first.children] == [middle.id]
    assert [child.id for child in middle.children] == [last.id]
    anew = app.AsyncResult(last.id).parent
    assert anew is not None
    assert anew.id == middle.id


def test_group_result_counts_its_members(app: App, gate: Path, ledger: Ledger) -> None:
    """While a member runs it is waiting and counts the others; then its values are there, in order."""
    held = call("hold", str(gate), ledger.path, 9)
    result = group(*(call("add", key, 1) for key in range(3)), held).delay()
    arriving = result.iterate(timeout=30)
    assert sorted(next(arriving) for _ in range(3)) == [1, 2, 3]

    before = (standing(result), result.completed_count(), result.waiting())
    gate.write_text("on")

    assert before == ((False, False, False, "PENDING"), 3, True)
    assert list(arriving) == [9]
    assert result.join(timeout=30) == result.get(timeout=30) == [1, 2, 3, 9]
    assert standing(result) == (True, True, False, "SUCCESS")
    assert (result.completed_count(), result.waiting()) == (4, False)
    assert [member.get(timeout=30) for member in result] == [1, 2, 3, 9]
    assert len(result) == len(result.children) == 4
    assert app.GroupResult(result.id).join(timeout=30) == [1, 2, 3, 9]


def test_group_result_with_a_failed_member(app: App) -> None:
    """Joining raises the failure; told not to, it has the error in its place among the values."""
    result = group(call("add", 1, 1), call("boom", "cracked"), call("add", 2, 2)).delay()

    with pytest.raises(ValueError, match="cracked"):
        result.join(timeout=30)
    values = result.join(timeout=30, propagate=False)

    assert (values[0], type(values[1]), values[2]) == (2, ValueError, 4)
    assert standing(result) == (True, False, True, "FAILURE")
    assert result.completed_count() == 2
    found = list(app.GroupResult(result.id).iterate(timeout=30, propagate=False))
    assert sorted(map(str, found)) == ["2", "4", "cracked"]


def test_chord_result_has_its_header_as_parent(app: App) -> None:
    """The parent of a chord's result is the group of its header."""
    result = chord((call("add", key, key) for key in range(5)), call("total"), app=app).delay()

    assert result.get(timeout=30) == 20
    assert isinstance(result, AsyncResult)
    assert isinstance(result.parent, GroupResult)
    assert result.parent.get(timeout=30) == [0, 2, 4, 6, 8]


def test_revoked_task_says_so(app: App) -> None:
    """A task that is revoked before it starts never does, and waiting for it raises TaskRevokedError."""
    result = app.send_task("nobody.knows")

    result.revoke()

    with pytest.raises(TaskRevokedError):
        result.get(timeout=30)
    assert standing(result) == (True, False, False, "REVOKED")


def test_result_tells_what_ran_where_and_when(app: App) -> None:
    """Arguments as they were sent, task, queue, worker, the end; of an id that was never submitted, nothing."""
    result = chain(call("add", 2, 3), call("add", y=4)).delay()
    assert result.get(timeout=30) == 9
    anew, unknown = app.AsyncResult(result.id), app.AsyncResult("no-such-task")

    assert (anew.name, anew.args, anew.kwargs) == ("acceptance.tasks.add", [], {"y": 4})
    assert (anew.queue, bool(anew.worker), anew.retries) == ("default", True, 0)
    assert anew.parent is not None
    assert cast("AsyncResult[int]", anew.parent).args == [2, 3]
    assert anew.date_done is not None
    assert abs((anew.date_done - datetime.now(UTC)).total_seconds()) < 60
    assert (unknown.name, unknown.args, unknown.kwargs, unknown.date_done) == (None, None, None, None)
    assert (unknown.children, unknown.parent, unknown.groups, unknown.trace_id) == ([], None, (), None)
    assert unknown._get_task_meta()["status"] == "PENDING"  # noqa: SLF001  Celery's


@pytest.mark.usefixtures("app")
def test_retries_are_those_that_were_made() -> None:
    """The failure that a task ends with is not retried: it does not count."""
    expected = [
        (call("again", 2, 5), 2, "SUCCESS"),
        (call("again", 5, 2), 2, "FAILURE"),
        (call("boom", "cracked"), 0, "FAILURE"),
        (call("swap", call("boom", "cracked")), 0, "FAILURE"),
        (call("add", 1, 1), 0, "SUCCESS"),
    ]
    for canvas, retries, state in expected:
        result = canvas.delay()
        result.get(timeout=30, propagate=False)

        assert (result.retries, result.state) == (retries, state), canvas


def test_ignored_value_is_for_what_stands_behind(app: App) -> None:
    """A step and a body get it; a client gets None, from the task, and in its place among a group's values."""
    quiet = call("add", 2, 3).set(ignore_result=True)
    lone = quiet.delay()
    step = chain(quiet, call("add", 4)).delay()
    body = chord([quiet, quiet, call("add", 1, 1)], call("total"), app=app).delay()
    large = chord(
        [call("add", "x" * 200_000, key).set(ignore_result=True) for key in "ab"], call("tell")
    ).delay()

    assert (lone.get(timeout=30), lone.state, lone.successful()) == (None, "SUCCESS", True)
    assert app.AsyncResult(lone.id).result is None
    assert (step.get(timeout=30), step.parent.get(timeout=30)) == (9, None)
    assert (body.get(timeout=30), body.parent.get(timeout=30)) == (12, [None, None, 2])
    assert [member.get(timeout=30) for member in body.parent] == [None, None, 2]
    assert large.get(timeout=30)["id"] == large.id
    failing = call("boom", "cracked").set(ignore_result=True).delay()
    with pytest.raises(ValueError, match="cracked"):
        failing.get(timeout=30)


@pytest.mark.usefixtures("app")
def test_ignored_and_rejected_tasks_are_final() -> None:
    """One that asked to be ignored shows the state that it set; one that rejected itself may be delivered again."""
    members = [call("skip", "ABSENT"), call("add", 1, 1)]
    skipped, chained = call("skip", "ABSENT").delay(), chain(call("skip"), call("tell")).delay()
    refused, redelivered = call("refuse", 1, requeue=False).delay(), call("refuse", 2, requeue=True).delay()

    assert (skipped.get(timeout=30), skipped.state, skipped.ready()) == (None, "ABSENT", True)
    assert (standing(skipped)[1:3], skipped.info) == ((False, False), None)
    assert (chained.get(timeout=30), chained.state, chained.parent.state) == (None, "IGNORED", "IGNORED")
    assert (refused.get(timeout=30), refused.state) == (None, "IGNORED")
    assert (redelivered.get(timeout=30), redelivered.retries) == (3, 0)
    told: list[Any] = []
    assert group(members).delay().join(timeout=30, callback=lambda *each: told.append(each)) is None
    assert not told


@pytest.mark.usefixtures("app")
def test_collecting_does_not_wait() -> None:
    """What has not ended is an error, or None where that is asked for."""
    late = call("add", 1, 1).apply_async(countdown=600)

    for gather in (lambda: list(late.collect()), late.get_leaf, lambda: list(late.iterdeps())):
        with pytest.raises(IncompleteStream):
            gather()
    assert list(late.collect(intermediate=True)) == [(late, None)]
    late.revoke()


@pytest.mark.usefixtures("app")
def test_forgotten_value_is_gone() -> None:
    """Its task still counts as done; waiting for the value says that there is none."""
    result = call("add", 1, 1).delay()
    assert result.get(timeout=30) == 2

    result.forget()

    with pytest.raises(FailedPrecondition, match="forgotten"):
        result.get(timeout=30)
    assert (result.state, result.result) == ("SUCCESS", None)


@pytest.mark.usefixtures("app")
def test_callback_is_called_in_a_thread_of_its_own() -> None:
    """With the result, once it is there; with the one for errors, if it did not end well."""
    called: SimpleQueue[tuple[str, Any]] = SimpleQueue()

    def told(how: str) -> Callable[[Result[Any]], None]:
        return lambda result: called.put((how, result.result))

    call("add", 1, 1).delay().then(told("well"), told("badly"))
    assert called.get(timeout=30) == ("well", 2)
    call("boom", "cracked").delay().then(told("well"), told("badly"))
    how, error = called.get(timeout=30)
    assert (how, str(error)) == ("badly", "cracked")


def test_mistakes_are_told_by_their_class(app: App) -> None:
    """What the function does not take, what the coordinator refuses, and what nobody knows."""
    with pytest.raises(TypeError, match="add"):
        add.delay(1)  # type: ignore[call-arg]  # the mistake
    with pytest.raises(InvalidCanvas) as refused:
        chain(call("add", 1, 1), signature("x" * 300)).delay()
    with pytest.raises(NotFound):
        app.AsyncResult(f"{0:032x}-0").get(timeout=30)

    assert [each.field for each in refused.value.violations] == ["canvas.steps[1].signature.task"]
    assert app.AsyncResult("no-such-task").state == "PENDING"


def test_nobody_answers() -> None:
    """Without a coordinator, submitting fails in the time given, and says where it looked."""
    address = f"127.0.0.1:{free_port()}"

    with App("lonely", address, submit_timeout=0.5) as app, pytest.raises(Unavailable, match=address):
        app.send_task("acceptance.tasks.add", (1, 1))


def test_many_threads_share_one_app(app: App) -> None:
    """Threads that submit and wait at the same time each get their own values."""

    def run(number: int) -> list[int]:
        header = [call("add", number, each) for each in range(20)]
        return [chord(header, call("total"), app=app).delay().get(timeout=60), *(
            app.send_task("acceptance.tasks.add", (number, each)).get(timeout=60) for each in range(10)
        )]  # fmt: skip

    with ThreadPoolExecutor(32) as threads:
        found = list(threads.map(run, range(64)))

    assert found == [[20 * number + sum(range(20)), *range(number, number + 10)] for number in range(64)]


def standing(result: Result[Any]) -> tuple[bool, bool, bool, str]:
    """Return whether a result is ready, successful and failed, and its state."""
    return result.ready(), result.successful(), result.failed(), result.state
