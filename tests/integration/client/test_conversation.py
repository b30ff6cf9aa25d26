"""The synchronous client against a peer that does what real coordinators do only at times."""

from __future__ import annotations

import functools
import gc
import itertools
import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import pytest

import gesso
from gesso import App, Task, group
from gesso.canvas import set_current_app
from gesso.errors import InvalidArgument
from gesso.failure import to_task_error
from gesso.v1 import coordinator_service_pb2 as pb
from gesso.v1 import payload_pb2, task_error_pb2
from integration.client.peer import Peer

ELSEWHERE = payload_pb2.Payload(encoding="elsewhere")


@pytest.fixture
def peer() -> Iterator[Peer]:
    """Return a peer that listens."""
    started = Peer().start()
    yield started
    started.stop()


@pytest.fixture
def app(peer: Peer) -> Iterator[App]:
    """Return an app that talks to the peer."""
    with App("tests", peer.address, submit_timeout=10) as made:
        yield made
    set_current_app(None)


@pytest.fixture
def echo(app: App) -> Task[[object], object]:
    """Return a task that gives its argument back."""

    @app.task
    def echo(x: object) -> object:
        return x

    return echo


def in_thread(function: Callable[[], Any]) -> Callable[[], Any]:
    """Run a function in a thread; return what waits for its value."""
    box: list[Any] = []

    def run() -> None:
        try:
            box.append(function())
        except BaseException as error:  # noqa: BLE001 - handed on
            box.append(error)

    thread = threading.Thread(target=run)
    thread.start()

    def value() -> Any:
        thread.join(20)
        assert box, "the thread did not end"
        return box[0]

    return value


# --- opening ---------------------------------------------------------------------------------


def test_nothing_is_opened_before_it_is_needed(peer: Peer) -> None:
    """An app, its tasks, canvases and results cost no connection and no thread."""
    before = threading.active_count()
    app = App("tests", peer.address)

    @app.task
    def add(x: int, y: int) -> int:
        return x + y

    (group(add.s(1, 2), add.s(3, 4)) | add.si(0, 0)).freeze()
    app.AsyncResult("x")

    assert threading.active_count() == before
    assert not peer.streams


def test_address_comes_from_the_environment_at_first_use(peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    """`GESSO_ADDRESS` may be set after the app is made."""
    app = App("tests")
    monkeypatch.setenv("GESSO_ADDRESS", peer.address)

    app.send_task("n")

    assert app.address == peer.address
    app.close()


# --- one stream ------------------------------------------------------------------------------


def test_submission_and_end_are_one_call(peer: Peer, echo: Task[..., Any]) -> None:
    """A round trip takes one frame out; the value comes without being asked for."""
    peer.echo = True

    assert echo.delay({"a": [1, None]}).get(timeout=5) == {"a": [1, None]}
    assert [call.WhichOneof("method") for call in peer.streams[0].calls] == ["submit"]


def test_threads_and_apps_share_one_stream(peer: Peer, echo: Task[..., Any]) -> None:
    """However many threads send, there is one stream for the process and address."""
    peer.echo = True
    other = App("other", peer.address)

    def ten(start: int) -> list[Any]:
        return [echo.delay(number).get(timeout=10) for number in range(start, start + 10)]

    waits = [in_thread(functools.partial(ten, 10 * number)) for number in range(20)]
    values = [wait() for wait in waits]
    other.send_task("n", (1,)).get(timeout=5)

    assert values == [list(range(10 * i, 10 * i + 10)) for i in range(20)]
    assert len(peer.streams) == 1


def test_submission_over_the_limit_goes_by_itself(peer: Peer, echo: Task[..., Any]) -> None:
    """A large canvas does not stand in the way of small ones."""
    result = echo.delay("x" * 300_000)
    peer.finish(peer.node_of(0), "done")

    assert result.get(timeout=5) == "done"
    assert peer.unary_count == 1


def test_waiting_for_what_was_sent_elsewhere(peer: Peer, app: App, echo: Task[..., Any]) -> None:
    """An id is enough to wait."""
    node_id = echo.delay(1).id
    value = in_thread(app.AsyncResult(node_id).get)

    peer.until(lambda: any(call.WhichOneof("method") == "wait" for call in peer.streams[0].calls))
    peer.finish(node_id, 5)

    assert value() == 5


def test_timeout_says_so_and_the_canvas_goes_on(peer: Peer, echo: Task[..., Any]) -> None:
    """The error is the builtin TimeoutError, too; the result can be asked again."""
    result = echo.delay(1)

    with pytest.raises(TimeoutError):
        result.get(timeout=0.05)
    peer.finish(result.id, "late")

    assert result.get(timeout=5) == "late"


def test_unknown_id_is_not_found_when_waited_for(app: App) -> None:
    """An id that was never submitted raises at once; its state is PENDING, as in Celery."""
    unknown = app.AsyncResult("f" * 32 + "-0")

    with pytest.raises(gesso.NotFound):
        unknown.get(timeout=5)
    assert unknown.state == "PENDING"
    assert not unknown.ready()


# --- results ---------------------------------------------------------------------------------


def test_failure_is_raised_anew_each_time(peer: Peer, echo: Task[..., Any]) -> None:
    """The class and args are the original's, the remote traceback is shown, and no object is shared."""
    result = echo.delay(1)
    peer.finish(result.id, to_task_error(ZeroDivisionError("by zero")))

    errors = []
    for _ in range(2):
        with pytest.raises(ZeroDivisionError, match="by zero") as caught:
            result.get(timeout=5)
        errors.append(caught.value)

    assert errors[0] is not errors[1]
    assert isinstance(result.get(propagate=False), ZeroDivisionError)
    assert result.failed()
    assert result.traceback is not None
    assert "ZeroDivisionError" in result.traceback


def test_chord_error_is_for_those_who_did_not_send(peer: Peer, app: App, echo: Task[..., Any]) -> None:
    """Whoever sent the canvas gets the original error."""
    result = echo.delay(1)
    error = task_error_pb2.TaskError(type="gesso.ChordError", message="Dependency x raised KeyError('k')")
    error.cause.CopyFrom(to_task_error(KeyError("k")))
    peer.finish(result.id, error)

    with pytest.raises(KeyError):
        result.get(timeout=5)
    with pytest.raises(gesso.ChordError, match="Dependency x"):
        app.AsyncResult(result.id).get(timeout=5)


def test_group_result_asks_for_members_when_they_are_used(peer: Peer, echo: Task[..., Any]) -> None:
    """The handle of a group is its id and count; members come in pages, large values as a stream."""
    result = group(echo.s(i) for i in range(8)).delay()
    canvas_id = result.id.partition("-")[0]
    assert (len(result), result.completed_count(), result.waiting()) == (8, 0, True)

    for index in range(8):
        peer.finish(f"{canvas_id}-{index}", index * index)
    peer.finish(result.id, ELSEWHERE)

    assert result.get(timeout=5) == [0, 1, 4, 9, 16, 25, 36, 49]
    assert result.ready()
    assert result.successful()
    assert [member.id for member in result.results[2:4]] == [f"{canvas_id}-2", f"{canvas_id}-3"]
    assert result[-1].get(timeout=5) == 49
    assert sorted(result.iterate(timeout=5)) == [0, 1, 4, 9, 16, 25, 36, 49]


def test_group_failure_is_raised_or_stands_in_its_place(peer: Peer, echo: Task[..., Any]) -> None:
    """`get` raises the first failure; `join(propagate=False)` waits for every member."""
    result = group(echo.s(i) for i in range(3)).delay()
    canvas_id = result.id.partition("-")[0]
    error = to_task_error(ValueError("x"))
    peer.finish(f"{canvas_id}-1", error)
    peer.finish(result.id, error)

    with pytest.raises(ValueError, match="x"):
        result.get(timeout=5)
    values = in_thread(lambda: result.join(timeout=5, propagate=False))
    peer.finish(f"{canvas_id}-0", "a")
    peer.finish(f"{canvas_id}-2", "c")

    first, second, third = values()
    assert (first, third) == ("a", "c")
    assert isinstance(second, ValueError)


def test_callback_is_called_when_the_end_comes(peer: Peer, echo: Task[..., Any]) -> None:
    """`then` needs nobody to wait, and may itself wait."""
    called = threading.Event()
    values: list[Any] = []

    def callback(result: Any) -> None:
        values.append(result.get(timeout=5))
        called.set()

    node_id = echo.delay(1).then(callback).id
    gc.collect()
    peer.finish(node_id, 3)

    assert called.wait(5)
    assert values == [3]


# --- lost connections ------------------------------------------------------------------------


def test_unanswered_submission_is_sent_again_under_its_request_id(peer: Peer, echo: Task[..., Any]) -> None:
    """A connection that is lost before the answer submits nothing twice."""
    peer.answering = False
    result = in_thread(lambda: echo.delay(1))
    peer.until(lambda: len(peer.requests) == 1)

    peer.answering = True
    peer.break_streams()

    assert result().id == peer.node_of(0)
    assert len(peer.requests) == 2
    assert peer.requests[0].request_id == peer.requests[1].request_id
    assert len(peer.canvases) == 1


def test_waits_go_on_over_a_lost_connection(peer: Peer, echo: Task[..., Any]) -> None:
    """Ends that are waited for arrive over the next stream."""
    results = [echo.delay(i) for i in range(5)]
    values = [in_thread(lambda r=r: r.get(timeout=20)) for r in results]  # type: ignore[misc]

    peer.break_streams()
    peer.until(lambda: len(peer.streams) == 2)
    for number, result in enumerate(results):
        peer.finish(result.id, number)

    assert [value() for value in values] == [0, 1, 2, 3, 4]


def test_coordinator_that_comes_back_is_found(
    peer: Peer, echo: Task[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    """A submission made while nobody listens succeeds when somebody does, and the log says what happens."""
    echo.delay(0)
    peer.stop()
    with caplog.at_level(logging.WARNING):
        result = in_thread(lambda: echo.delay(1))
        deadline = time.monotonic() + 10
        while not caplog.records and time.monotonic() < deadline:
            threading.Event().wait(0.01)
        peer.start()

        assert isinstance(result(), gesso.AsyncResult)
    assert "trying again" in caplog.text


def test_nobody_listens() -> None:
    """The error says where nobody answered, after the time that sending may take."""
    app = App("tests", "127.0.0.1:1", submit_timeout=0.3)

    with pytest.raises(gesso.Unavailable, match=r"127\.0\.0\.1:1 in time"):
        app.send_task("n")
    assert app.coordinator.unanswered_count() == 0


def test_large_submission_is_repeated_too(peer: Peer, echo: Task[..., Any]) -> None:
    """A call of its own is made again when no coordinator took it."""
    peer.aborts = [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.UNAVAILABLE]

    echo.delay("x" * 300_000)

    assert peer.unary_count == 1


def test_draining_coordinator_is_left(peer: Peer, echo: Task[..., Any]) -> None:
    """What it has not answered goes to the next stream, and the old one is half-closed."""
    result = echo.delay(1)
    value = in_thread(lambda: result.get(timeout=10))

    peer.streams[0].send(draining=True)
    peer.until(lambda: len(peer.streams) == 2 and peer.streams[1].calls)
    peer.finish(result.id, "over the second")

    assert peer.streams[0].ended.wait(5)
    assert peer.streams[1].calls[0].wait.node_id == result.id
    assert value() == "over the second"


def test_endless_draining_is_not_a_busy_loop(peer: Peer, echo: Task[..., Any]) -> None:
    """A coordinator that drains each stream at once is asked again after growing pauses."""
    peer.answering = False
    value = in_thread(lambda: echo.delay(1))

    for number in range(3):
        peer.until(lambda number=number: len(peer.streams) > number)  # type: ignore[misc]
        peer.streams[number].send(draining=True)
    time_of_third = time.monotonic()
    peer.until(lambda: len(peer.streams) == 4)
    peer.answering = True
    peer.break_streams()

    assert isinstance(value(), gesso.AsyncResult)
    assert time.monotonic() - time_of_third > 0.1
    assert len(peer.streams) < 10


# --- refusals --------------------------------------------------------------------------------


def test_generator_waits_for_a_coordinator_that_takes_nothing(peer: Peer, echo: Task[..., Any]) -> None:
    """Only so many members are read ahead of what is sent, and none is lost or comes out of turn."""
    count, quiet = 0, threading.Event()

    def members() -> Iterator[Any]:
        nonlocal count
        while not quiet.is_set():
            count += 1
            yield echo.s(count)

    peer.taking.clear()
    sent = in_thread(lambda: group(members()).delay())
    known, until = 0, time.monotonic() + 30
    while count == 0 or count != known:
        assert time.monotonic() < until, f"{count} members were read, and it goes on"
        known = count
        quiet.wait(0.3)
    quiet.set()
    peer.taking.set()

    assert len(sent()) == count < 100_000
    assert [member.signature.args.data for member in peer.streamed] == [
        b"[%d]" % (number + 1) for number in range(count)
    ]


def test_refused_generator_is_not_read_on(peer: Peer, echo: Task[..., Any]) -> None:
    """It is one without an end, so sending it would not come back."""
    peer.aborts.append(grpc.StatusCode.INVALID_ARGUMENT)

    with pytest.raises(InvalidArgument):
        group(echo.s(number) for number in itertools.count()).delay()


def test_refusal_is_raised_and_not_repeated(peer: Peer, echo: Task[..., Any]) -> None:
    """What is wrong with a canvas is told once, with its fields."""
    refusal = pb.CallError(code=3, reason="ERROR_REASON_BAD_QUEUE_NAME", message="A queue has a bad name.")
    refusal.violations.add(field="canvas.signature.options.queue", description="has a space")
    peer.refusals = [refusal]

    with pytest.raises(gesso.InvalidCanvas, match="has a space"):
        echo.apply_async((1,), queue="a b")
    assert len(peer.requests) == 1


def test_passing_refusal_is_repeated_in_its_time(peer: Peer, echo: Task[..., Any]) -> None:
    """A store that does not answer for a moment is not the caller's trouble."""
    refusal = pb.CallError(code=14, reason="ERROR_REASON_STORE_UNAVAILABLE", message="The store is away.")
    refusal.retry_delay.FromMilliseconds(100)
    peer.refusals = [refusal, refusal]

    echo.delay(1)

    assert len({request.request_id for request in peer.requests}) == 1
    assert len(peer.requests) == 3


# --- memory ----------------------------------------------------------------------------------


def test_canvases_sent_and_forgotten_leave_nothing(peer: Peer, app: App, echo: Task[..., Any]) -> None:
    """A process that only sends does not grow, though no canvas ever ends."""
    for number in range(2_000):
        echo.delay(number)
    gc.collect()

    assert app.coordinator.unanswered_count() == 0
    assert len(peer.requests) == 2_000


def test_results_that_are_held_are_waited_for_in_bounds(peer: Peer, app: App, echo: Task[..., Any]) -> None:
    """Holding thousands of results keeps few waits; each value is still there for the asking."""
    results = [echo.delay(number) for number in range(1_000)]

    assert app.coordinator.unanswered_count() <= 250
    peer.finish(results[999].id, "last")
    peer.finish(results[0].id, "first")
    assert (results[999].get(timeout=5), results[0].get(timeout=5)) == ("last", "first")


def test_wait_given_up_is_stopped(peer: Peer, app: App, echo: Task[..., Any]) -> None:
    """The coordinator is told when nobody waits any more, also while the error is kept."""
    node_id = echo.delay(1).id
    with pytest.raises(TimeoutError) as kept:
        app.AsyncResult(node_id).get(timeout=0.05)

    echo.delay(2)

    peer.until(lambda: node_id in peer.stopped)
    assert app.coordinator.unanswered_count() == 0
    assert node_id in str(kept.value)


def test_closing_fails_what_is_waited_for(peer: Peer, app: App, echo: Task[..., Any]) -> None:
    """Nobody waits for an app that is closed; using it again connects again."""
    peer.answering = False
    waiting = in_thread(lambda: echo.delay(1))
    peer.until(lambda: peer.requests)
    app.submit_timeout = 0

    app.close()
    peer.answering = True

    assert isinstance(waiting(), gesso.Unavailable | gesso.AsyncResult)
    app.submit_timeout = 10
    assert isinstance(echo.delay(1), gesso.AsyncResult)
