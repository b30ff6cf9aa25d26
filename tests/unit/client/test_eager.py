"""Canvases that are run here: what `apply` and `always_eager` mean."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from gesso import (
    App,
    ChordError,
    Ignore,
    JoinTimeout,
    Outcome,
    Reject,
    Request,
    Signature,
    Task,
    chain,
    chord,
    first,
    group,
    quorum,
    settled,
)
from gesso.canvas import set_current_app
from gesso.errors import MaxRetriesExceededError


class Tasks:
    """An app and its tasks, which write down what they were told."""

    def __init__(self) -> None:
        self.app = App("eager")
        self.said: list[Any] = []
        self._declare()

    def s(self, name: str, *args: Any, **kwargs: Any) -> Signature[Any]:
        """Return a signature of a task."""
        made: Signature[Any] = self.app.tasks[name].s(*args, **kwargs)
        return made

    def _declare(self) -> None:  # noqa: C901 - a list of functions
        task = self.app.task

        @task(name="add")
        def add(x: int, y: int) -> int:
            return x + y

        @task(name="total")
        def total(values: list[int]) -> int:
            return sum(values)

        @task(name="boom")
        def boom(*_: Any) -> None:
            raise ValueError("cracked")

        @task(name="say")
        def say(*got: Any) -> None:
            self.said.append(got)

        @task(name="told_id")
        def told_id(failed_id: str) -> None:
            self.said.append(failed_id)

        @task(name="told_all")
        def told_all(request: Request, exc: BaseException, traceback: str) -> None:
            self.said.append((request.id, request.args, repr(exc), "ValueError" in traceback))

        @task(name="swap", bind=True)
        def swap(self: Task[..., Any], canvas: Any) -> None:
            self.replace(canvas)

        @task(name="grow", bind=True)
        def grow(self: Task[..., Any], value: int, added: int) -> int:
            self.add_to_chord(add.s(added, 0))
            return value

        @task(name="again", bind=True)
        def again(self: Task[..., Any], times: int) -> int:
            if self.request.retries < times:
                raise self.retry(max_retries=2)
            return self.request.retries

        @task(name="skip", bind=True)
        def skip(self: Task[..., Any], state: str | None = None) -> None:
            self.update_state(state=state)
            raise Ignore

        @task(name="reject", bind=True)
        def reject(self: Task[..., Any]) -> int:
            raise Reject(requeue=self.request.attempt < 3)

        @task(name="request", bind=True)
        def request(self: Task[..., Any], *_: Any) -> dict[str, Any]:
            names = ("id", "root_id", "parent_id", "group", "groups", "stamps", "is_eager", "called_directly")
            return {name: getattr(self.request, name) for name in names}

        @task(name="later")
        async def later(x: int) -> int:
            await asyncio.sleep(0)
            return x


@pytest.fixture
def tasks() -> Iterator[Tasks]:
    """Return the tasks of a new app, the current one."""
    yield Tasks()
    set_current_app(None)


def test_apply_returns_a_result_that_is_ready(tasks: Tasks) -> None:
    """It answers what a live one would, and leads back to the step before."""
    result = (tasks.s("add", 2, 2) | tasks.s("add", 4)).apply()

    assert result.get() == result.result == 8
    assert (result.state, result.ready(), result.successful(), result.failed()) == (
        "SUCCESS",
        True,
        True,
        False,
    )
    assert result.name == "add"
    assert result.parent.get() == 4
    assert [value for _, value in result.parent.collect()] == [4, 8]
    assert result.as_tuple() == ((result.id, ((result.parent.id, None), None)), None)


def test_call_time_arguments_go_in_front(tasks: Tasks) -> None:
    """As when it is sent; a task that does not take them says so at the call."""
    assert tasks.s("add", 1).apply((2,)).get() == 3
    assert tasks.app.tasks["add"].apply((2, 3)).get() == 5
    with pytest.raises(TypeError, match="takes"):
        tasks.s("add", 1).apply((2, 3))


def test_body_gets_the_headers_values_in_order(tasks: Tasks) -> None:
    """The members' results stand behind the body's parent."""
    result = chord((tasks.s("add", i, i) for i in range(4)), tasks.s("total")).apply()

    assert result.get() == 12
    assert [member.get() for member in result.parent] == [0, 2, 4, 6]
    assert result.parent.completed_count() == 4


def test_failure_ends_what_follows_and_names_its_cause(tasks: Tasks) -> None:
    """Every later step has the error, a group's members too; nothing of it runs."""
    result = chain(
        tasks.s("boom"), tasks.s("say"), group(tasks.s("say"), tasks.s("say")), tasks.s("say")
    ).apply()

    members = result.parent
    assert [each.state for each in (result, members, *members, members.parent)] == ["FAILURE"] * 5
    with pytest.raises(ValueError, match="cracked"):
        members[0].get()
    assert not tasks.said


def test_body_behind_a_failed_header_has_a_chord_error(tasks: Tasks) -> None:
    """Waiting for what was applied raises the original; asking the body's own state tells of the ChordError."""
    body = tasks.s("say", 1).set(task_id="body")
    body.link_error(tasks.s("told_all"))
    body.link_error(tasks.s("told_id"))
    result = chord([tasks.s("boom").set(task_id="broken"), tasks.s("add", 1, 1)], body).apply()

    with pytest.raises(ValueError, match="cracked"):
        result.get()
    error = result.node.exception({})
    assert isinstance(error, ChordError)
    assert str(error) == "Dependency broken raised ValueError('cracked')"
    assert tasks.said[0][:2] == ("body", (1,))
    assert tasks.said[1] == "body"


def test_error_link_is_told_what_it_has_room_for(tasks: Tasks) -> None:
    """An id, or request, exception and traceback; an immutable one nothing."""
    failing = tasks.s("boom", 7).set(task_id="broken")
    for link in (tasks.s("told_id"), tasks.s("told_all"), tasks.s("say").set(immutable=True)):
        failing.link_error(link)

    failing.apply()

    assert tasks.said == ["broken", ("broken", (7,), "ValueError('cracked')", True), ()]


def test_links_run_once_for_each_success(tasks: Tasks) -> None:
    """A group's link runs behind its first member, without its value."""
    linked = tasks.s("add", 1, 1)
    linked.link(tasks.s("say", "task"))
    grouped = group(tasks.s("add", 2, 2), tasks.s("add", 3, 3))
    grouped.link(tasks.s("say", "group"))

    result = linked.apply()
    grouped.apply()

    assert tasks.said == [(2, "task"), ("group",)]
    assert [child.name for child in result.children] == ["say"]


def test_task_that_is_replaced_has_the_replacements_value(tasks: Tasks) -> None:
    """Its id stays, the replacement's last task has it, and what follows goes on."""
    swap = tasks.s("swap", tasks.s("add", 1, 1) | tasks.s("request")).set(task_id="kept")

    result = (swap | tasks.s("say")).apply()

    assert result.parent.id == "kept"
    assert result.parent.get()["id"] == "kept"
    assert len(tasks.said) == 1


def test_replacement_that_fails_fails_the_task_once(tasks: Tasks) -> None:
    """Its error links are told once, with its id."""
    swap = tasks.s("swap", tasks.s("boom") | tasks.s("say")).set(task_id="kept")
    swap.link_error(tasks.s("told_id"))

    result = swap.apply()

    assert result.state == "FAILURE"
    assert tasks.said == ["kept"]


def test_replacement_of_nothing_is_an_error(tasks: Tasks) -> None:
    """The task fails."""
    with pytest.raises(ValueError, match="chain of nothing"):
        tasks.s("swap", chain()).apply().get()


def test_member_that_a_task_adds_comes_last(tasks: Tasks) -> None:
    """The body waits for it; outside of a join there is nothing to add to."""
    header = [tasks.s("grow", 1, 10), tasks.s("add", 2, 0)]

    assert group(header).apply().get() == [1, 2, 10]
    assert chord(header, tasks.s("total")).apply().get() == 13
    with pytest.raises(ValueError, match="no member"):
        tasks.s("grow", 1, 10).apply().get()


def test_task_that_retries_goes_on_under_its_id(tasks: Tasks) -> None:
    """It fails when it asks too often."""
    result = tasks.s("again", 2).apply()

    exhausted = tasks.s("again", 3).apply()

    assert (result.get(), result.retries) == (2, 2)
    with pytest.raises(MaxRetriesExceededError):
        exhausted.get()
    assert exhausted.retries == 2


def test_ignored_task_takes_along_what_follows(tasks: Tasks) -> None:
    """It shows the state that it set, what follows IGNORED; no error link runs."""
    first_step = tasks.s("skip", "ABSENT")
    first_step.link_error(tasks.s("told_id"))

    result = (first_step | tasks.s("say")).apply()

    assert (result.parent.state, result.state, result.get()) == ("ABSENT", "IGNORED", None)
    assert tasks.s("reject").apply().state == "IGNORED"
    assert not tasks.said


def test_policies_say_when_a_group_is_done(tasks: Tasks) -> None:
    """Settled keeps outcomes; a quorum takes the earliest, first takes one; too few fail."""
    members = [tasks.s("boom"), tasks.s("add", 1, 1), tasks.s("add", 2, 2)]

    outcomes = group(members, policy=settled()).apply().get()
    assert [(each.state, each.value) for each in outcomes] == [
        ("FAILURE", None),
        ("SUCCESS", 2),
        ("SUCCESS", 4),
    ]
    assert isinstance(outcomes[0], Outcome)
    assert isinstance(outcomes[0].error, ValueError)
    assert group(members, policy=quorum(1)).apply().get() == [2]
    assert group(members, policy=first()).apply().get() == 2
    with pytest.raises(ValueError, match="cracked"):
        group(members, policy=quorum(3)).apply().get()
    with pytest.raises(JoinTimeout):
        group(members[1:], policy=quorum(3)).apply().get()


def test_members_no_longer_needed_are_cancelled_on_request(tasks: Tasks) -> None:
    """They do not run, and nothing behind them."""
    result = group(
        [tasks.s("add", 1, 1), tasks.s("say") | tasks.s("say")], policy=first(), cancel_rest=True
    ).apply()

    assert result.get() == 2
    assert [member.state for member in result] == ["SUCCESS", "REVOKED"]
    assert not tasks.said


def test_deadline_that_has_passed_fails_the_join(tasks: Tasks) -> None:
    """A settled join fires with what there is instead."""
    members = [tasks.s("add", 1, 1)]

    with pytest.raises(JoinTimeout):
        group(members, deadline=0).apply().get()
    assert group(members, policy=settled(), deadline=0).apply().get() == [Outcome("PENDING")]


def test_request_tells_the_place_and_the_stamps(tasks: Tasks) -> None:
    """Ids of root, parent and group are those that the handles have."""
    canvas = chain(tasks.s("add", 1, 1), group(tasks.s("request"), tasks.s("request")), tasks.s("request"))
    canvas.stamp(customer="acme")

    result = canvas.apply()
    body, member, members = result.get(), result.parent[1].get(), result.parent

    assert member["group"] == members.id
    assert (member["groups"], body["groups"]) == ([members.id], [])
    assert (members[1].groups, members[1].level, members.groups) == ((members.id,), 1, ())
    assert (members[0].children, members[1].children) == ([], [result])
    assert member["parent_id"] == member["root_id"] == body["root_id"] == members.parent.id
    assert body["parent_id"] == members[1].id
    assert body["stamps"] == {"customer": ["acme"]}
    assert result.stamps == {"customer": ["acme"]}
    assert body["is_eager"]
    assert not body["called_directly"]


def test_value_that_is_ignored_is_for_the_next_step_alone(tasks: Tasks) -> None:
    """Clients get None, alone and among the members of a group."""
    quiet = tasks.s("add", 2, 2).set(ignore_result=True)

    assert (quiet.apply().get(), quiet.apply().state) == (None, "SUCCESS")
    assert (quiet | tasks.s("add", 1)).apply().get() == 5
    assert group(quiet, tasks.s("add", 1, 1)).apply().get() == [None, 2]


def test_result_tells_what_was_sent(tasks: Tasks) -> None:
    """The task's own arguments, without the value of the step before."""
    result = (tasks.s("add", 1, 1) | tasks.s("add", y=2)).apply()

    assert (result.args, result.kwargs, result.parent.args) == ([], {"y": 2}, [1, 1])


def test_canvases_of_nothing(tasks: Tasks) -> None:
    """An empty chain has no result, an empty group an empty list; a chord needs a body."""
    assert chain(app=tasks.app).apply() is None
    assert group([], app=tasks.app).apply().get() == []
    with pytest.raises(TypeError, match="body"):
        chord([tasks.s("add", 1, 1)]).apply()


def test_coroutines_run_with_and_without_a_loop(tasks: Tasks) -> None:
    """An `async def` task can be applied anywhere."""

    async def inside() -> Any:
        return tasks.s("later", 2).apply().get()

    assert tasks.s("later", 1).apply().get() == 1
    assert asyncio.run(inside()) == 2


def test_task_that_does_not_exist_here_is_an_error(tasks: Tasks) -> None:
    """Nothing could ever run it."""
    with pytest.raises(LookupError, match=r"unknown\.here"):
        tasks.app.signature("unknown.here").apply()


def test_always_eager_runs_at_once() -> None:
    """`delay` needs no coordinator; with `eager_propagates` the very exception is raised at once."""
    app = App("eager", always_eager=True)
    raised = ValueError("cracked")

    @app.task
    def outer(x: int) -> int:
        inner.delay(x)
        return x

    @app.task
    def inner(x: int) -> int:
        return x + 1

    @app.task
    def boom() -> None:
        raise raised

    result = outer.delay(1)
    assert [(each.get(), child) for child, each in zip(result.children, result.children, strict=True)] == [
        (2, result.children[0])
    ]
    assert boom.delay().state == "FAILURE"
    app.eager_propagates = True
    with pytest.raises(ValueError, match="cracked") as caught:
        boom.delay()
    assert caught.value is raised
    set_current_app(None)


def test_values_pass_through_their_codec(tasks: Tasks) -> None:
    """A task sees what it would see in a worker; a value without a form fails its task."""

    @tasks.app.task(name="shape")
    def shape(value: Any) -> Any:
        return [type(value).__name__, (1, 2)]

    @tasks.app.task(name="odd")
    def odd() -> object:
        return object()

    assert shape.apply(((1, 2),)).get() == ["list", [1, 2]]
    assert odd.apply().state == "FAILURE"


def test_looking_at_a_result_looks_for_no_coordinator(tasks: Tasks, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of it is here: where a coordinator is, is settled when one is first asked."""
    result = tasks.s("add", 1, 2).apply()
    assert (result.get(), result.state, result.ready()) == (3, "SUCCESS", True)

    monkeypatch.setenv("GESSO_ADDRESS", "late.example:7365")

    assert "late.example" in tasks.app.address
