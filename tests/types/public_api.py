"""What type checkers make of the public API: `make check` reads this file with mypy and pyright, nothing runs it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, assert_type

from gesso import (
    App,
    AsyncResult,
    Canvas,
    CanvasInfo,
    GroupResult,
    Outcome,
    Request,
    RetryPolicy,
    Signature,
    Task,
    aio,
    chain,
    chord,
    group,
    signature,
)
from gesso.graph import DependencyGraph
from gesso.result import Result
from gesso.task import AsyncTask

app = App("types")


@app.task
def add(x: int, y: int = 1) -> int:
    """Add."""
    return x + y


@app.task(name="named", queue="slow", retry=RetryPolicy(max_retries=2))
def described(value: int) -> str:
    """Have options."""
    return str(value)


@app.task(bind=True)
def bound(self: Task[..., Any], name: str) -> list[str]:
    """Have the task as the first argument."""
    assert_type(self.request, Request)
    return [name]


@app.task
async def awaited(value: bytes) -> float:
    """Be a coroutine function."""
    return float(len(value))


def a_task_keeps_its_function() -> None:
    """The decorator keeps parameters and value."""
    assert_type(add(1, 2), int)
    assert_type(described(1), str)
    assert_type(bound("x"), list[str])


async def a_coroutine_function_is_awaited() -> None:
    """A task of a coroutine function is one, too."""
    assert_type(await awaited(b""), float)
    assert_type(awaited.delay(b""), AsyncResult[float])
    assert isinstance(awaited, AsyncTask)


def signatures_know_their_value() -> None:
    """`s`, `si` and `signature` of a task are typed by what it returns."""
    assert_type(add.s(1, 2), Signature[int])
    assert_type(add.s(1), Signature[int])
    assert_type(add.si(1, 2), Signature[int])
    assert_type(described.signature((1,)), Signature[str])
    assert_type(bound.s("x"), Signature[list[str]])


def results_know_their_value() -> None:
    """`delay` and `apply_async` lead to the value's type."""
    assert_type(add.delay(1, 2), AsyncResult[int])
    assert_type(add.delay(1, 2).get(timeout=1), int)
    assert_type(described.apply_async((1,), countdown=2).get(), str)
    assert_type(bound.delay("x").get(), list[str])
    assert_type(add.delay(1).state, str)
    assert_type(add.delay(1).ready(), bool)
    assert_type(add.delay(1).graph, DependencyGraph[Result[Any]])


def wrong_calls_are_errors() -> None:
    """A complete call is checked; the errors ignored here must be errors."""
    add.delay("1", 2)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    add.si(1, 2, 3)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    described.delay()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    bound(1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def canvases_compose() -> None:
    """What composes to something else is a canvas."""
    assert_type(add.s(1, 2) | described.s(), Canvas)
    made: Canvas = chain(add.s(1, 2), add.s(3))
    also: Canvas = group(add.s(i, i) for i in range(3))
    body: Canvas = chord([add.s(1, 1)], described.s())
    assert_type(made.clone(), Canvas)
    assert_type(also | body, Canvas)
    named: Canvas = signature("by.name", args=(1,))
    assert_type(named.to_dict(), dict[str, Any])


def groups_have_lists(result: GroupResult[int]) -> None:
    """A group's result is of a list."""
    assert_type(result.get(), list[int])
    assert_type(result.join(propagate=False), list[int])
    assert_type(result.results, Sequence[Result[int]])
    assert_type(result[0].get(), int)


def outcomes(outcome: Outcome) -> None:
    """An outcome says how a member ended."""
    assert_type(outcome.state, str)
    assert_type(outcome.error, BaseException | None)


async def asyncio_is_typed_alike() -> None:
    """`gesso.aio` has the same types, awaited."""
    result = await aio.delay(add, 1, 2)
    assert_type(result, aio.AsyncResult[int])
    assert_type(await result.get(timeout=1), int)
    assert_type(await result, int)
    assert_type(await result.state(), str)
    assert_type(await aio.apply_async(described, (1,)), aio.AsyncResult[str])
    assert_type(await aio.apply_async(add.s(1, 2)), aio.AsyncResult[int])
    assert_type(aio.canvases(stamps={"customer": 42}), AsyncIterator[CanvasInfo])
    assert_type(await result.date_ready(), datetime | None)
    assert_type(await result.waits_for(), str | None)


def what_runs_can_be_looked_at(result: AsyncResult[int]) -> None:
    """Lists and times are typed."""
    assert_type(app.control.canvases(state="ACTIVE", since=timedelta(hours=2)), Iterator[CanvasInfo])
    assert_type(result.date_started, datetime | None)
    assert_type(result.attempts, int)
    assert_type(result.waits_for, str | None)
