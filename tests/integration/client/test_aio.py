"""The asyncio client against a peer that does what real coordinators do only at times."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest

import gesso
from gesso import App, Task, aio, chain, chord, group
from gesso.aio.registry import shared
from gesso.canvas import set_current_app
from gesso.failure import to_task_error
from gesso.v1 import payload_pb2
from integration.client.peer import Peer


@pytest.fixture
async def peer() -> AsyncIterator[Peer]:
    """Return a peer that listens."""
    started = Peer().start()
    yield started
    started.stop()


@pytest.fixture
async def app(peer: Peer) -> AsyncIterator[App]:
    """Return an app that talks to the peer."""
    made = App("tests", peer.address, submit_timeout=10)
    yield made
    await aio.close(made)
    set_current_app(None)


@pytest.fixture
def echo(app: App) -> Task[[object], object]:
    """Return a task that gives its argument back."""

    @app.task
    def echo(x: object) -> object:
        return x

    return echo


async def until(peer: Peer, condition: Any) -> None:
    """Wait until a condition on what arrived holds."""
    await asyncio.to_thread(peer.until, condition)


async def test_submission_and_end_are_one_call(peer: Peer, echo: Task[..., Any]) -> None:
    """A round trip takes one frame out; a result can be awaited as it is."""
    peer.echo = True

    result = await aio.delay(echo, [1, 2])

    assert await result == [1, 2]
    assert await result.get(timeout=5) == [1, 2]
    assert [call.WhichOneof("method") for call in peer.streams[0].calls] == ["submit"]


async def test_many_coroutines_share_one_stream(peer: Peer, echo: Task[..., Any]) -> None:
    """However many wait, there is one stream, and frames carry what has gathered."""
    peer.echo = True

    async def round_trip(number: int) -> Any:
        return await (await aio.delay(echo, number)).get(timeout=10)

    assert await asyncio.gather(*map(round_trip, range(500))) == list(range(500))
    assert len(peer.streams) == 1


async def test_canvases_are_sent_as_they_are(peer: Peer, echo: Task[..., Any]) -> None:
    """Every kind goes out with call-time arguments and options, and the caller's canvas does not change."""
    canvas = chain(echo.s(), echo.s())

    await aio.apply_async(canvas, (1,), queue="fast")
    await aio.delay(chord([echo.s(1), echo.s(2)], echo.s()))
    await aio.apply_async(echo.chunks(zip(range(4)), 2))

    kinds = [request.canvas.WhichOneof("kind") for request in peer.requests]
    assert kinds == ["chain", "chord", "group"]
    assert peer.requests[0].canvas.steps[0].signature.options.queue == "fast"
    assert canvas == chain(echo.s(), echo.s())
    assert canvas.app is echo.app
    assert await aio.apply_async(chain()) is None


async def test_arguments_are_checked(peer: Peer, echo: Task[..., Any]) -> None:
    """What the function does not take is a TypeError at the caller."""
    with pytest.raises(TypeError, match="echo"):
        await aio.delay(echo)
    assert not peer.requests


async def test_failure_and_timeout_are_raised(peer: Peer, app: App, echo: Task[..., Any]) -> None:
    """The same errors as from the synchronous client."""
    result = await aio.delay(echo, 1)
    with pytest.raises(TimeoutError):
        await result.get(timeout=0.05)
    assert not await result.ready()

    peer.finish(result.id, to_task_error(ZeroDivisionError("by zero")))

    with pytest.raises(ZeroDivisionError, match="by zero"):
        await result
    assert isinstance(await result.get(propagate=False), ZeroDivisionError)
    assert await result.failed()
    with pytest.raises(gesso.NotFound):
        await aio.AsyncResult("f" * 32 + "-0", app).get(timeout=5)


async def test_group_members_are_read_in_pages(peer: Peer, echo: Task[..., Any]) -> None:
    """`async for` gives the members' results, a large value comes as a stream."""
    result = await aio.delay(group(echo.s(i) for i in range(8)))
    canvas_id = result.id.partition("-")[0]
    for index in range(8):
        peer.finish(f"{canvas_id}-{index}", index)
    peer.finish(result.id, payload_pb2.Payload(encoding="elsewhere"))

    assert await result.get(timeout=5) == list(range(8))
    assert [await member async for member in result] == list(range(8))
    assert await result.completed_count() == 8


async def test_unanswered_submission_is_sent_again_under_its_request_id(
    peer: Peer, echo: Task[..., Any]
) -> None:
    """A connection that is lost before the answer submits nothing twice."""
    peer.answering = False
    sending = asyncio.create_task(aio.delay(echo, 1))
    await until(peer, lambda: len(peer.requests) == 1)

    peer.answering = True
    peer.break_streams()

    assert (await sending).id == peer.node_of(0)
    assert len({request.request_id for request in peer.requests}) == 1


async def test_waits_go_on_over_lost_and_draining_connections(peer: Peer, echo: Task[..., Any]) -> None:
    """Ends that are waited for arrive over the next stream."""
    result = await aio.delay(echo, 1)
    waiting = asyncio.create_task(result.get(timeout=20))

    peer.streams[0].send(draining=True)
    await until(peer, lambda: len(peer.streams) == 2 and peer.streams[1].calls)
    peer.break_streams()
    await until(peer, lambda: len(peer.streams) == 3 and peer.streams[2].calls)
    peer.finish(result.id, "at last")

    assert await waiting == "at last"


async def test_large_submission_is_repeated_too(peer: Peer, echo: Task[..., Any]) -> None:
    """A call of its own is made again when no coordinator took it."""
    peer.aborts = [grpc.StatusCode.UNAVAILABLE]

    await aio.delay(echo, "x" * 300_000)

    assert peer.unary_count == 1


async def test_nobody_listens() -> None:
    """The error says where nobody answered."""
    app = App("tests", "127.0.0.1:1", submit_timeout=0.3)

    with pytest.raises(gesso.Unavailable, match=r"127\.0\.0\.1:1 in time"):
        await aio.send(gesso.signature("n"), app)
    await aio.close(app)


async def test_cancelled_waiter_does_not_take_the_wait_from_others(peer: Peer, echo: Task[..., Any]) -> None:
    """Two coroutines wait for one result; one of them is cancelled."""
    result = await aio.delay(echo, 1)
    first, second = asyncio.create_task(result.get(timeout=10)), asyncio.create_task(result.get(timeout=10))
    await asyncio.sleep(0)

    first.cancel()
    peer.finish(result.id, 5)

    assert await second == 5
    assert first.cancelled() or await asyncio.gather(first, return_exceptions=True)


async def test_canvases_sent_and_forgotten_leave_nothing(app: App, echo: Task[..., Any]) -> None:
    """A process that only sends does not grow, though no canvas ever ends."""
    for number in range(500):
        await aio.delay(echo, number)
    gc.collect()

    assert shared(app.address).unanswered_count() == 0


def test_each_event_loop_has_its_own_connection() -> None:
    """One loop after the other, as `asyncio.run` makes them, with nothing closed by hand."""
    peer = Peer().start()
    peer.echo = True
    app = App("tests", peer.address)

    async def main() -> Any:
        return await (await aio.send(gesso.signature("n", (7,)), app))  # type: ignore[misc]  # not an empty chain

    assert asyncio.run(main()) == asyncio.run(main()) == 7
    gc.collect()
    peer.stop()
    set_current_app(None)
