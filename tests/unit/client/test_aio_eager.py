"""`gesso.aio` has what the synchronous SDK has, and runs canvases here when an app asks for it."""

from __future__ import annotations

import threading
from typing import Any

import pytest

import gesso
from gesso import App, aio, chain, chord, group

WITHOUT = {"then"}
"""What a coroutine has no need of: what comes after an `await` comes after it."""


@pytest.fixture
def app() -> App:
    """Return an app that runs everything at once, with its tasks."""
    app = App("here", always_eager=True)

    @app.task(name="add")
    def add(x: int, y: int) -> int:
        return x + y

    @app.task(name="total")
    async def total(values: list[int]) -> int:
        return sum(values)

    @app.task(name="boom")
    def boom() -> None:
        raise ValueError(threading.current_thread().name)

    return app


def add(*args: int) -> Any:
    """Return a signature."""
    return gesso.signature("add", args)


@pytest.mark.parametrize("name", ["AsyncResult", "GroupResult"])
def test_results_have_everything_that_synchronous_ones_have(name: str) -> None:
    """A method that one gains the other gains, too."""
    here, there = (
        {each for each in dir(getattr(module, name)) if not each.startswith("_")} for module in (aio, gesso)
    )

    assert there - here == WITHOUT


async def test_always_eager_runs_canvases_here(app: App) -> None:
    """Sending one returns a result that is ready, and its value can be awaited."""
    result = await aio.delay(chord([add(1, 1), add(2, 2)], app.signature("total")))

    assert isinstance(result, aio.EagerResult)
    assert (await result, await result.state(), await result.ready()) == (6, "SUCCESS", True)
    assert await result.name() == "total"
    header = await result.parent()
    assert isinstance(header, aio.EagerGroupResult)
    assert [value async for value in header.iterate()] == [2, 4]
    assert [await member async for member in header] == await header.get() == [2, 4]
    assert await header.completed_count() == await header.member_count() == 2
    assert (await aio.delay(chain())) is None


async def test_what_runs_here_does_not_hold_the_event_loop(app: App) -> None:
    """It runs in a thread, and the error is shown where it is awaited."""
    result = await aio.delay(app.signature("boom"))

    with pytest.raises(ValueError, match="asyncio_0"):
        await result.get()
    assert await result.failed()
    assert "boom" in (await result.traceback() or "")


async def test_eager_propagates_raises_at_once(app: App) -> None:
    """The call itself raises what the canvas failed with."""
    app.eager_propagates = True

    with pytest.raises(ValueError, match="asyncio"):
        await aio.delay(app.signature("boom"))


async def test_apply_runs_here_whatever_the_app_says(app: App) -> None:
    """Arguments and options are those of the synchronous `apply`, and `throw` wins."""
    app.always_eager = False

    result = await aio.apply(chain(add(1), add(2)), (3,))
    grouped = await aio.apply(group(add(1, 1), app.signature("boom")))

    assert await result == 6
    assert [await each.state() for each in await grouped.results()] == ["SUCCESS", "FAILURE"]
    assert [each.id async for _, each in result.iterdeps()] == [result.id]
    with pytest.raises(ValueError, match="asyncio"):
        await aio.apply(app.signature("boom"), throw=True)
    with pytest.raises(TypeError):
        await aio.apply(add(1))


async def test_synchronous_apply_works_inside_a_coroutine(app: App) -> None:
    """Also for tasks that are coroutine functions."""
    assert app.signature("total", ([1, 2],)).apply().get() == 3
