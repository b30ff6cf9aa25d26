"""Signals: who is called, with what, and what it cannot break."""

from __future__ import annotations

import gc
import logging
from typing import Any

import pytest

from gesso import App, chain, chord, group, signals
from gesso.canvas import wire
from gesso.publishing import publish
from gesso.signals import Signal
from gesso.task import AsyncTask, Task


@pytest.fixture
def signal() -> Signal:
    """A signal that nobody is connected to."""
    return Signal("unit", "value")


def test_receiver_gets_what_is_sent(signal: Signal) -> None:
    """It is called with the signal, the sender and what the signal provides."""
    seen: list[dict[str, Any]] = []

    @signal.connect
    def receive(**given: Any) -> int:
        seen.append(given)
        return 7

    assert signal
    assert signal.send("someone", value=1) == [(receive, 7)]
    assert seen == [{"signal": signal, "sender": "someone", "value": 1}]


def test_receiver_of_one_sender_hears_no_other(signal: Signal) -> None:
    """A task and its name stand for each other."""
    app = App("unit")
    task, other = app.task(len, name="unit.one"), app.task(max, name="unit.other")
    heard: list[str] = []

    def by_task(**_more: Any) -> None:
        heard.append("task")

    def by_name(**_more: Any) -> None:
        heard.append("name")

    signal.connect(by_task, sender=task)
    signal.connect(by_name, sender="unit.one")
    for sender in (task, "unit.one", other, "unit.other"):
        signal.send(sender)

    assert heard == ["task", "name"] * 2


def test_receiver_is_forgotten_with_its_owner(signal: Signal) -> None:
    """Only weak references are kept, unless it is said otherwise; methods are receivers, too."""

    class Owner:
        def receive(self, **_more: Any) -> None:
            """Receive."""

    owner = Owner()
    signal.connect(owner.receive)
    signal.connect(Owner().receive, weak=False)
    assert len(signal.send(None)) == 2

    del owner
    gc.collect()

    assert len(signal.send(None)) == 1


def test_receiver_is_connected_once(signal: Signal) -> None:
    """Connecting it again changes nothing; disconnecting it says whether it was connected."""

    def receive(**_more: Any) -> None:
        """Receive."""

    signal.connect(receive)
    signal.connect(receive)
    signal.connect(receive, dispatch_uid="x")
    signal.connect(receive, dispatch_uid="x")

    assert len(signal.send(None)) == 2
    assert signal.disconnect(receive)
    assert signal.disconnect(dispatch_uid="x")
    assert not signal.disconnect(receive)
    assert not signal


def test_error_of_a_receiver_is_logged(signal: Signal, caplog: pytest.LogCaptureFixture) -> None:
    """The others are called all the same, and the sender goes on."""

    @signal.connect
    def fail(**_more: Any) -> None:
        raise ValueError("mine")

    @signal.connect
    def work(**_more: Any) -> int:
        return 1

    with caplog.at_level(logging.ERROR):
        (_, error), (_, value) = signal.send(None)

    assert isinstance(error, ValueError)
    assert value == 1
    assert "mine" in caplog.text


def test_every_task_of_a_canvas_is_published() -> None:
    """Each is told with its name and arguments; a text put into its headers travels with it."""
    app = App("unit")
    add = app.task(lambda x, y: x + y, name="unit.add", typing=False)
    message = wire.encode(chain(add.s(1, 1), group(add.s(2), add.s(3)), chord([add.s(4)], add.s(5))))
    seen: list[Any] = []

    def receive(sender: str, body: Any, headers: dict[str, Any], **_more: Any) -> None:
        seen.append((sender, body[0]))
        headers["tenant"] = "kiln"

    signals.before_task_publish.connect(receive)
    try:
        publish(message)
    finally:
        signals.before_task_publish.disconnect(receive)

    assert [name for name, _ in seen] == ["unit.add"] * len(seen)
    assert {tuple(args) for _, args in seen} == {(1, 1), (2,), (3,), (4,), (5,)}
    assert str(message).count("kiln") == len(seen)


def test_coroutine_task_may_have_a_base() -> None:
    """A task made of a class of the user's is awaited if its function is a coroutine function."""

    class Base(Task[..., Any]):
        """A user's."""

    app = App("unit")

    async def soon() -> int:
        return 1

    assert isinstance(app.task(base=Base)(soon), Base)
    assert isinstance(app.task(base=Base, name="unit.again")(soon), AsyncTask)
    with pytest.raises(TypeError, match="base= is a subclass"):
        app.task(base=int)(soon)  # type: ignore[arg-type]  # that is the point
