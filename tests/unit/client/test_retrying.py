"""When a task is run again: what it declares, what it asks for, and the policy that it is sent with."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from gesso import App, RetryPolicy, Task
from gesso.canvas import set_current_app
from gesso.errors import MaxRetriesExceededError, Retry
from gesso.failure import base_types
from gesso.request import Request, current_request
from gesso.retrying import Retrying


@pytest.fixture
def app() -> Iterator[App]:
    """Return an app of the test's own."""
    yield App("unit")
    set_current_app(None)


def asked(task: Task[..., Any], retries: int = 0, policy: RetryPolicy | None = None) -> Retry:
    """Return the Retry that an attempt of a task ends with."""
    token = current_request.set(Request(called_directly=False, retries=retries, retry=policy))
    try:
        with pytest.raises(Retry) as caught:
            task.run()
        return caught.value
    finally:
        current_request.reset(token)


def failing(app: App, **options: Any) -> Task[..., Any]:
    """Return a task that raises ConnectionError."""

    def fail() -> None:
        raise ConnectionError("gone")

    made: Task[..., Any] = app.task(name="fail", **options)(fail)
    return made


def test_declared_errors_and_those_derived_from_them_are_retried(app: App) -> None:
    """`autoretry_for` names classes; the error is what the task ends with in the end."""
    retry = asked(failing(app, autoretry_for=(OSError,), max_retries=7, default_retry_delay=9))

    assert isinstance(retry.exc, ConnectionError)
    assert (retry.when, retry.max_retries, retry.unlimited) == (9, 7, False)


def test_errors_declared_as_final_are_not_retried(app: App) -> None:
    """`dont_autoretry_for` wins."""
    task = failing(app, autoretry_for=(OSError,), dont_autoretry_for=(ConnectionError,))
    current = current_request.set(Request(called_directly=False))

    with pytest.raises(ConnectionError):
        task.run()
    current_request.reset(current)


async def test_coroutines_are_retried_too(app: App) -> None:
    """Their error comes when they are awaited."""

    @app.task(name="later", autoretry_for=(OSError,), retry_kwargs={"countdown": 2})
    async def later() -> None:
        raise OSError

    token = current_request.set(Request(called_directly=False))
    with pytest.raises(Retry) as caught:
        await later.run()
    current_request.reset(token)
    assert caught.value.when == 2


def test_backoff_doubles_up_to_its_maximum() -> None:
    """The first wait is a second, or what `retry_backoff` says."""
    plain = Retrying(retry_backoff=True, retry_jitter=False, retry_backoff_max=60)
    longer = Retrying(retry_backoff=5, retry_jitter=False, retry_backoff_max=60)

    assert [plain.arguments(count)["countdown"] for count in (0, 1, 2, 5, 6, 5000)] == [1, 2, 4, 32, 60, 60]
    assert [longer.arguments(count)["countdown"] for count in (0, 1)] == [5, 10]
    assert all(0 <= Retrying(retry_backoff=8).arguments(0)["countdown"] <= 8 for _ in range(50))


def test_no_maximum_means_any_number(app: App) -> None:
    """`max_retries=None` is for ever, as in Celery."""
    assert asked(failing(app, autoretry_for=(OSError,), max_retries=None), retries=10_000).unlimited


def test_task_that_was_retried_often_enough_ends_with_its_error(app: App) -> None:
    """With the one that is given, else with MaxRetriesExceededError; no policy retries that."""

    @app.task(name="ask", bind=True, max_retries=2)
    def ask(self: Task[..., Any], error: Exception | None) -> None:
        self.retry(exc=error)

    request = Request(called_directly=False, retries=2)
    token = current_request.set(request)
    with pytest.raises(KeyError):
        ask.run(KeyError("x"))
    assert isinstance(request.asked.spent, KeyError)
    with pytest.raises(MaxRetriesExceededError):
        ask.run(None)
    current_request.reset(token)


def test_policy_of_the_signature_takes_the_place_of_the_declaration(app: App) -> None:
    """The coordinator retries what it says; what the task asks for itself takes its limits from there."""
    policy = RetryPolicy(max_retries=9)
    token = current_request.set(Request(called_directly=False, retry=policy))
    with pytest.raises(ConnectionError):
        failing(app, autoretry_for=(OSError,)).run()
    current_request.reset(token)

    @app.task(name="ask", bind=True)
    def ask(self: Task[..., Any]) -> None:
        self.retry(exc=KeyError())

    assert (asked(ask, 8, policy).max_retries, asked(ask, 8, policy).when) == (9, None)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"autoretry_for": ("OSError",)}, TypeError),
        ({"max_retries": "3"}, TypeError),
        ({"max_retries": -1}, ValueError),
    ],
)
def test_wrong_declaration_is_refused_at_once(
    app: App, options: dict[str, Any], error: type[Exception]
) -> None:
    """Not when the task first fails."""
    with pytest.raises(error):
        app.task(name="wrong", **options)(lambda: None)


def test_policy_is_sent_under_either_name(app: App) -> None:
    """`retry=` is Gesso's; Celery's `retry_policy=` takes one, too."""
    policy = RetryPolicy(max_retries=1, initial_delay=timedelta(seconds=2))
    sig = failing(app).s()

    chosen = [
        sig.clone().set(retry=policy),
        sig.clone(retry_policy=policy),
        sig.clone().set(retry_policy=policy),
    ]

    assert [each.options["retry"] for each in chosen] == [policy.to_dict()] * 3


def test_policy_matches_classes_and_those_derived_from_them() -> None:
    """What is never retried wins."""
    types = ["builtins.ConnectionError", *base_types(ConnectionError)]

    assert types[1:] == ["builtins.OSError", "builtins.Exception", "builtins.BaseException"]
    assert RetryPolicy().retries(types)
    assert RetryPolicy(retried_types=("builtins.OSError",)).retries(types)
    assert not RetryPolicy(retried_types=("builtins.ValueError",)).retries(types)
    assert not RetryPolicy(final_types=("builtins.OSError",)).retries(types)


def test_policy_delays_grow_to_the_longest() -> None:
    """Whatever the number of failures; jitter takes away at most its part."""
    policy = RetryPolicy(initial_delay=2, factor=3, max_delay=timedelta(seconds=20), jitter=0)

    assert [policy.delay(failures) for failures in (1, 2, 3, 100_000)] == [2, 6, 18, 20]
    assert all(0.5 <= RetryPolicy(jitter=0.5).delay(1) <= 1 for _ in range(50))


def test_eager_canvas_is_retried_by_its_policy(app: App) -> None:
    """At once, as often as the policy says, and then it fails with the error."""
    attempts: list[int] = []

    @app.task(name="flaky", bind=True)
    def flaky(self: Task[..., Any], good: int) -> int:
        attempts.append(self.request.retries)
        if len(attempts) < good:
            raise ConnectionError("gone")
        return good

    policy = RetryPolicy(max_retries=2, retried_types=("builtins.OSError",))
    assert flaky.s(3).set(retry=policy).apply().get() == 3
    assert attempts == [0, 1, 2]
    attempts.clear()
    result = flaky.s(9).set(retry=policy).apply()
    assert result.failed()
    assert result.retries == 2
    assert attempts == [0, 1, 2]


def test_eager_task_is_retried_as_it_declares(app: App) -> None:
    """`autoretry_for` means the same without a worker."""
    attempts: list[int] = []

    @app.task(name="flaky", autoretry_for=(OSError,), max_retries=1)
    def flaky() -> None:
        attempts.append(1)
        raise ConnectionError("gone")

    assert isinstance(flaky.s().apply().result, ConnectionError)
    assert len(attempts) == 2
