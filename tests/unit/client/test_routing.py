"""`task_routes`: which queue is sent for a task that names none."""

from __future__ import annotations

import re
from typing import Any

import pytest

from gesso import App, chain, chord, group
from gesso.canvas import Canvas, wire
from gesso.v1.canvas_pb2 import Canvas as Message

ROUTES: dict[Any, Any] = {
    "m.*": "many",
    "m.one": {"queue": "one", "routing_key": "x"},
    re.compile(r"r\.\d+$"): "numbers",
}


def queue(app: App, canvas: Canvas) -> str:
    """Return the queue that is sent for a signature."""
    return wire.encode(canvas, route=app.route).signature.options.queue


@pytest.mark.parametrize("routes", [ROUTES, list(ROUTES.items()), [ROUTES], (list(ROUTES.items()),)])
def test_name_wins_over_patterns(routes: Any) -> None:
    """As in Celery: a task's own name, then the first pattern that fits, then nothing."""
    app = App("p", task_routes=routes)

    found = [queue(app, app.signature(task)) for task in ("m.one", "m.two", "r.12", "r.x", "other")]

    assert found == ["one", "many", "numbers", "", ""]


def test_task_wins_over_routes_and_the_call_over_both() -> None:
    """The order of Celery: options of the call, of the task, the routes."""
    app = App("p", task_routes={"*": "routed"})

    @app.task(name="declared", queue="own")
    def declared() -> None: ...

    @app.task(name="plain")
    def plain() -> None: ...

    found = [queue(app, sig) for sig in (plain.s(), declared.s(), declared.s().set(queue="called"))]

    assert found == ["routed", "own", "called"]


def test_every_task_of_a_canvas_is_routed() -> None:
    """Steps, members, bodies, links and what is mapped over: each by its own name, but where a queue is handed down."""
    app = App("p", task_routes={"a": "qa", "b": "qb"})
    a, b = app.signature("a"), app.signature("b")
    canvas = chain(a, chord([a, b], b), group(a, b).set(queue="given"))
    a.link(b)

    message = wire.encode(canvas, route=app.route)

    chord_message, last = message.steps[1], message.steps[2]
    assert message.steps[0].signature.options.queue == "qa"
    assert [_queue(member) for member in (*chord_message.header, chord_message.body)] == ["qa", "qb", "qb"]
    assert [_queue(member) for member in last.members] == ["given", "given"]


def test_routes_are_left_to_the_coordinator_by_default() -> None:
    """Without `task_routes` no queue is sent."""
    assert queue(App("p"), App("p").signature("m.one")) == ""


@pytest.mark.parametrize(
    "routes", ["x", {"x": 5}, {"x": {"queue": "q", "priority": 3}}, [lambda: None], {3: "q"}]
)
def test_routes_that_say_something_else_are_refused(routes: Any) -> None:
    """Router functions and anything but queues are refused when the app is made."""
    with pytest.raises(TypeError, match="task_routes"):
        App("p", task_routes=routes)


def _queue(message: Message) -> str:
    return message.signature.options.queue
