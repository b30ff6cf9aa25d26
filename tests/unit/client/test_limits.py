"""How limits are written."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from gesso.app import App
from gesso.limits import Limit
from gesso.v1.limit_pb2 import Limit as Message

RATES: dict[Any, tuple[int, timedelta]] = {
    "10/s": (10, timedelta(seconds=1)),
    "10/m": (10, timedelta(minutes=1)),
    "3/h": (3, timedelta(hours=1)),
    "5": (5, timedelta(seconds=1)),
    "0.5/s": (1, timedelta(seconds=2)),
    "1.5/m": (3, timedelta(minutes=2)),
    7: (7, timedelta(seconds=1)),
    0.5: (1, timedelta(seconds=2)),
}


@pytest.mark.parametrize("rate", RATES)
def test_rates_are_written_as_for_celery(rate: Any) -> None:
    """A number and a unit, or a number for as many a second; a part of a task is one in a longer time."""
    message = Message()
    Limit(key="k", rate=rate).write(message)

    assert (message.rate_count, message.rate_period.ToTimedelta()) == RATES[rate]


@pytest.mark.parametrize("rate", [None, "0", "0/m", 0])
def test_no_rate_is_no_limit(rate: Any) -> None:
    """None and nothing are written as nothing."""
    message = Message()
    Limit(key="k", rate=rate).write(message)

    assert message == Message(key="k")


@pytest.mark.parametrize("rate", ["10/m", "3/h", "20/s", "0.5/s", "1.5/m"])
def test_rate_is_read_as_it_was_written(rate: str) -> None:
    """What is listed is what was set."""
    message = Message()
    Limit(key="k", rate=rate, concurrency=3, declared=True).write(message)
    message.declared = True

    assert Limit.read(message) == Limit(key="k", rate=rate, concurrency=3, declared=True)


@pytest.mark.parametrize("rate", ["ten", "10/x", "-1/s", "1e3", "nan", ""])
def test_what_is_no_rate_is_refused(rate: str) -> None:
    """The error says how a rate is written."""
    with pytest.raises(ValueError, match="'10/m'"):
        Limit(key="k", rate=rate)


def test_wrong_types_are_refused() -> None:
    """Neither a truth value nor half a task is a limit."""
    wrong: Any
    for wrong in (True, [10]):
        with pytest.raises(TypeError):
            Limit(key="k", rate=wrong)
    for wrong in (True, 1.5):
        with pytest.raises(TypeError):
            Limit(key="k", concurrency=wrong)


def test_task_declares_its_limits() -> None:
    """They belong to the task, not to its signatures."""
    app = App("t")

    @app.task(rate_limit="10/m", concurrency_limit=2)
    def limited() -> None:
        pass

    @app.task
    def free() -> None:
        pass

    assert limited.limit == Limit(key=limited.name, rate="10/m", concurrency=2, declared=True)
    assert limited.s().options == {}
    assert limited.limit
    assert not free.limit
