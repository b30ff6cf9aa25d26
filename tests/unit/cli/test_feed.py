"""What a command reads in a thread comes as if it read it itself."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator

import pytest

from gesso.cli.feed import fed


def test_everything_comes_in_order_and_then_the_end() -> None:
    """None of it is lost, nothing that says nothing either."""
    assert list(fed(range(1000))) == list(range(1000))
    assert list(fed([None, 0, None])) == [None, 0, None]


def test_nothing_is_read_before_it_is_asked_for() -> None:
    """Who is slow lets the stream wait, which then tells less."""
    read: list[int] = []

    def events() -> Iterator[int]:
        for number in range(5):
            read.append(number)
            yield number

    assert [len(read) for _ in fed(events())] == [1, 2, 3, 4, 5]


def test_what_reading_raises_is_raised_behind_what_was_read() -> None:
    """As it was raised."""
    error = LookupError("gone")

    def events() -> Iterator[int]:
        yield 1
        raise error

    reading = fed(events())

    assert next(reading) == 1
    with pytest.raises(LookupError) as raised:
        next(reading)
    assert raised.value is error


def test_interrupt_reaches_who_waits_and_not_who_reads() -> None:
    """The main thread waits for a queue; the other one may hold whatever lock it likes."""
    lock, reading, over = threading.Lock(), threading.Event(), threading.Event()

    def events() -> Iterator[int]:
        with lock:
            reading.set()
            over.wait(20)
        yield 1

    def interrupt() -> None:
        reading.wait(20)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        next(fed(events()))
    over.set()

    assert lock.acquire(timeout=20)
