"""What arrives once: who is told, and who waits."""

from __future__ import annotations

import logging
import signal
from concurrent.futures import ThreadPoolExecutor

import pytest

from gesso.connection.arrival import Arrival


def test_everyone_who_waits_gets_it() -> None:
    """One arrival ends the waits of all threads, and later ones do not wait."""
    arrival = Arrival[int]()

    with ThreadPoolExecutor(8) as threads:
        waits = [threads.submit(arrival.result, 30.0) for _ in range(8)]
        arrival.set_result(5)

        assert [wait.result(30.0) for wait in waits] == [5] * 8
    assert arrival.done()
    assert arrival.result() == 5


def test_none_is_a_value_too() -> None:
    """Whether it is there does not depend on what it is."""
    arrival = Arrival[None]()

    arrival.set_result(None)

    assert arrival.done()
    assert arrival.wait(0)


def test_wait_that_is_over_leaves_nothing_behind() -> None:
    """Asking again and again, with little time, does not pile anything up."""
    arrival = Arrival[int]()

    for _ in range(3):
        assert not arrival.wait(0.001)
        with pytest.raises(TimeoutError):
            arrival.result(0)

    assert arrival._listeners == []  # noqa: SLF001 - it shows nowhere else


def test_listeners_are_called_once_each_early_or_late() -> None:
    """Those that come before it are told in their order, those after it at once."""
    arrival = Arrival[int]()
    told: list[str] = []

    arrival.when_done(lambda: told.append("first"))
    arrival.when_done(lambda: told.append("second"))
    assert told == []
    arrival.set_result(5)
    arrival.when_done(lambda: told.append("late"))

    assert told == ["first", "second", "late"]


def test_listener_that_fails_keeps_nobody_from_being_told(caplog: pytest.LogCaptureFixture) -> None:
    """Its error is logged, and whoever put the value there does not see it."""
    arrival = Arrival[int]()
    told: list[str] = []
    arrival.when_done(lambda: 1 / 0)
    arrival.when_done(lambda: told.append("second"))

    with caplog.at_level(logging.ERROR):
        arrival.set_result(5)

    assert told == ["second"]
    assert "ZeroDivisionError" in caplog.text


def test_interrupted_wait_holds_up_nobody() -> None:
    """A signal's handler ends the wait of the main thread, whose limit is far away; the others go on."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    arrival = Arrival[int]()
    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        with ThreadPoolExecutor(1) as threads:
            other = threads.submit(arrival.result, 30.0)
            signal.setitimer(signal.ITIMER_REAL, 0.02)
            with pytest.raises(KeyboardInterrupt):
                arrival.wait(30.0)
            arrival.set_result(5)

            assert other.result(30.0) == 5
    finally:
        signal.signal(signal.SIGALRM, before)
    assert arrival.result() == 5
