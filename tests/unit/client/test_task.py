"""Declaring tasks, and calling them here."""

from __future__ import annotations

import asyncio
import inspect
import pickle
import sys
from collections.abc import Callable, Iterator
from typing import Any, assert_type

import pytest

import gesso
from gesso import App, AsyncResult, Signature, Task, allow_join_result
from gesso.canvas import set_current_app
from gesso.request import Request, current_request, joining_allowed


class Recorder(App):
    """An app that keeps what it is to send."""

    def __init__(self, **options: Any) -> None:
        super().__init__("proj", **options)
        self.sent: list[Any] = []

    def send(self, canvas: Any, *, wait: bool = False, deadline: object = None) -> Any:  # noqa: ARG002
        """Keep the canvas."""
        self.sent.append(canvas)
        return AsyncResult("an-id", self)


@pytest.fixture
def app() -> Iterator[Recorder]:
    """Return a new app, the current one."""
    yield Recorder()
    set_current_app(None)


def test_task_is_named_after_its_module_and_function(app: Recorder) -> None:
    """Workers and callers that import the same module agree on the name."""

    @app.task
    def add(x: int, y: int) -> int:
        return x + y

    assert add.name == f"{__name__}.add"
    assert app.tasks[add.name] is add


def test_name_in_a_script_begins_with_the_apps(app: Recorder) -> None:
    """`__main__` would name another module in each process."""

    def add() -> None: ...

    add.__module__ = "__main__"

    assert app.task(add).name == "proj.add"


def test_same_name_twice_is_refused_unless_the_module_is_loaded_anew(app: Recorder) -> None:
    """Two functions never share a name by accident."""

    def make() -> Any:
        def twice() -> None: ...

        return twice

    app.task(make(), name="n")
    app.task(make(), name="n")
    with pytest.raises(TypeError, match="another task called 'n'"):
        app.task(lambda: None, name="n")


def test_calling_runs_the_function_here(app: Recorder) -> None:
    """A task is still its function."""

    @app.task
    def add(x: int, y: int = 1) -> int:
        return x + y

    assert_type(add(1, y=2), int)
    assert add(1, y=2) == 3
    assert add.s(1)(2) == 3
    assert not app.sent


def test_bound_task_gets_itself_and_its_request(app: Recorder) -> None:
    """`self` is the task, and its request is that of the call."""

    @app.task(bind=True)
    def who(self: Task[..., Any], x: int) -> tuple[str, tuple[Any, ...], bool]:  # noqa: ARG001 - in the request
        return self.name, self.request.args, self.request.called_directly

    assert who(7) == (who.name, (7,), True)
    assert current_request.get() is None


def test_coroutine_function_is_awaited_with_its_request(app: Recorder) -> None:
    """The request is there for as long as the coroutine runs."""

    @app.task(bind=True)
    async def who(self: Task[..., Any], x: int) -> tuple[Any, ...]:  # noqa: ARG001 - in the request
        await asyncio.sleep(0)
        return self.request.args

    assert asyncio.run(who(7)) == (7,)


@pytest.mark.parametrize(
    ("args", "kwargs"), [((), {}), ((1, 2, 3), {}), ((1,), {"z": 2}), ((1, 2), {"x": 1})]
)
def test_arguments_are_checked_when_it_is_sent(
    app: Recorder, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    """What the function does not take is a TypeError at the caller, and nothing is sent."""

    @app.task(bind=True)
    def add(self: Any, x: int, y: int = 0) -> int:  # noqa: ARG001 - bound
        return x + y

    with pytest.raises(TypeError, match=r"add\(\) takes \(x: 'int', y: 'int' = 0\)"):
        add.delay(*args, **kwargs)
    assert not app.sent


def _defaulted(_x: int, _y: int = 0, /, _z: int = 0) -> None: ...
def _any_number(_x: int, *_more: int, _y: int = 0) -> None: ...
def _one_named(_x: int, *, _y: int) -> None: ...
def _named(*_args: int, _y: int = 0, **_more: int) -> None: ...


@pytest.mark.parametrize("function", [_defaulted, _any_number, _one_named, _named, lambda: None])
@pytest.mark.parametrize("count", range(5))
def test_arguments_fit_when_python_says_so(app: Recorder, function: Callable[..., None], count: int) -> None:
    """A function is sent as many arguments without names as it could be called with, and no others."""
    task = app.task(name=f"fits-{count}")(function)
    args = tuple(range(count))
    try:
        inspect.signature(function).bind(*args)
    except TypeError:
        with pytest.raises(TypeError):
            task.delay(*args)
    else:
        task.delay(*args)


def test_typing_false_sends_anything(app: Recorder) -> None:
    """The task itself fails then; the app's word is the default."""

    @app.task(typing=False)
    def add(x: int) -> int:
        return x

    lax = Recorder(typing=False)

    @lax.task
    def sub(x: int) -> int:
        return x

    add.apply_async((1, 2, 3))
    sub.apply_async((1, 2, 3))

    assert len(app.sent) == len(lax.sent) == 1


def test_options_of_task_and_app_come_with_each_signature(app: Recorder) -> None:
    """What is said nearer wins."""
    routed = Recorder(queue="default", priority=3)

    @routed.task(priority=7, time_limit=60)
    def add(x: int) -> int:
        return x

    assert add.s(1).options == {"queue": "default", "priority": 7, "time_limit": 60}
    assert add.signature((1,), queue="other").options["queue"] == "other"
    with pytest.raises(TypeError, match="no option 'tiem_limit'"):
        app.task(tiem_limit=3)(lambda: None)


def test_throws_registers_errors(app: Recorder) -> None:
    """Errors that a task is declared to raise come back as themselves."""

    class OutOfStock(Exception): ...

    @app.task(throws=(OutOfStock,))
    def buy() -> None: ...

    assert OutOfStock in app.error_classes.values()


def test_signatures_are_typed_and_know_their_app(app: Recorder) -> None:
    """What the types promise holds."""

    @app.task
    def add(x: int, y: int) -> int:
        return x + y

    assert_type(add.s(1, 2), Signature[int])
    assert_type(add.delay(1, 2), AsyncResult[int])
    assert add.s(1).app is app
    assert add.si(1, 2).immutable
    assert add.s(1, y=2) == gesso.signature(add.name, (1,), {"y": 2})


def test_waiting_inside_a_task_is_refused() -> None:
    """A task that waits holds the slot it waits for, unless it says that it knows."""
    app = Recorder()
    outer = Request(id="x", called_directly=False)

    @app.task
    def inner() -> None:
        AsyncResult[int]("y", app).get(timeout=0)

    token = current_request.set(outer)
    try:
        with pytest.raises(RuntimeError, match="allow_join_result"):
            AsyncResult[int]("y", app).get(timeout=0)
        with pytest.raises(RuntimeError, match="allow_join_result"):
            inner()
        with allow_join_result():
            assert joining_allowed()
    finally:
        current_request.reset(token)


def test_task_is_pickled_by_name(app: Recorder) -> None:
    """A process pool can carry a task of a module."""

    def module_level() -> None: ...

    module_level.__qualname__ = "module_level"
    task = app.task(module_level)
    sys.modules[__name__].module_level = task  # type: ignore[attr-defined]  # as a decorator would

    assert pickle.loads(pickle.dumps(task)) is task  # noqa: S301 - our own


def test_results_compare_by_id(app: Recorder) -> None:
    """A result equals another of its id, and the id itself."""
    assert AsyncResult[int]("a", app) == "a"
    assert AsyncResult[int]("a", app) == AsyncResult[int]("a", app)
    assert len({AsyncResult[int]("a", app), AsyncResult[int]("a", app)}) == 1
    assert AsyncResult[int]("a", app) != "b"
    assert str(AsyncResult[int]("a", app)) == "a"
    assert repr(AsyncResult[int]("a", app)) == "<AsyncResult: a>"
