"""When a task is run again by its own declaration: the options of `@app.task` that Celery has for it.

    @app.task(autoretry_for=(OSError,), retry_backoff=True, max_retries=5)
    def fetch(url): ...

A task asks to be retried by raising `Retry`, and what waits is the coordinator. A retry policy that a signature is
sent with takes the place of what its task declares.

Source: Celery 5, `celery/app/autoretry.py` and `celery/utils/time.py`.
"""

from __future__ import annotations

import functools
import inspect
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, Protocol

from gesso.errors import Retry, TaskPredicate
from gesso.request import Request

__all__ = ["Retrying", "retried", "taken"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Retrying:
    """What a task declares of its retries. Names and defaults are Celery's; spans are in seconds."""

    autoretry_for: tuple[type[BaseException], ...] = ()
    """Errors after which it is run again, by their classes."""
    dont_autoretry_for: tuple[type[BaseException], ...] = ()
    """Errors after which it is not; they win."""
    retry_backoff: bool | float = False
    """Whether each wait is twice the one before, from 1 s on; or the first wait."""
    retry_backoff_max: float = 600
    """The longest wait of a backoff."""
    retry_jitter: bool = True
    """Whether the wait of a backoff is drawn by chance, from none to all of it."""
    retry_kwargs: Mapping[str, Any] = field(default_factory=dict)
    """For `Task.retry`: `countdown`, `max_retries`."""
    max_retries: int | None = 3
    """How many retries at the most. None means any number."""
    default_retry_delay: float = 180
    """The wait, where nothing else says."""

    def arguments(self, retries: int) -> dict[str, Any]:
        """Return what `Task.retry` is called with after an error, the task having been retried so often."""
        arguments = dict(self.retry_kwargs)
        if self.retry_backoff:
            first = max(1, int(self.retry_backoff))
            # Capped before it is counted: 2 ** retries is beyond any float where there is no maximum.
            countdown = min(int(self.retry_backoff_max), first * 2 ** min(retries, 64))
            arguments["countdown"] = random.randrange(countdown + 1) if self.retry_jitter else countdown  # noqa: S311
        return arguments


_NAMES = frozenset(each.name for each in fields(Retrying))


def taken(options: dict[str, Any]) -> Retrying:
    """Take what concerns retries out of a task's options.

    Raises:
        TypeError: If an option is of the wrong type.
        ValueError: If `max_retries` is negative.
    """
    found = {name: options.pop(name) for name in _NAMES & options.keys()}
    for name in ("autoretry_for", "dont_autoretry_for"):
        if name in found:
            found[name] = _classes(name, found[name])
    most = found.get("max_retries")
    if most is not None and (isinstance(most, bool) or not isinstance(most, int)):
        raise TypeError(f"max_retries= is a number, or None for any number, not {most!r}.")
    if most is not None and most < 0:
        raise ValueError(f"max_retries= is not negative, and {most} is.")
    return Retrying(**found)


def _classes(name: str, given: Any) -> tuple[type[BaseException], ...]:
    classes = (given,) if isinstance(given, type) else tuple(given)
    for each in classes:
        if not (isinstance(each, type) and issubclass(each, BaseException)):
            raise TypeError(f"{name}= holds classes of errors, not {each!r}.")
    return classes


class Retriable(Protocol):
    """A task, as far as this module needs to know it."""

    @property
    def request(self) -> Request:
        """The attempt that runs."""
        ...

    def retry(
        self,
        exc: BaseException | None = None,
        throw: bool = True,  # noqa: FBT001, FBT002 - Celery's
        countdown: float | None = None,
        eta: datetime | None = None,
        max_retries: int | None = None,
    ) -> Retry:
        """Return what ends the attempt, or raise what it ends with for good."""
        ...


def retried(task: Retriable, run: Callable[..., Any], declared: Retrying) -> Callable[..., Any]:
    """Return a task's function, which asks to be retried after the errors that the task declares."""
    if not declared.autoretry_for:
        return run

    def asking(error: BaseException) -> BaseException:
        request = task.request
        if isinstance(error, (TaskPredicate, *declared.dont_autoretry_for)) or (
            request.called_directly or request.retry is not None
        ):
            return error
        return task.retry(error, throw=False, **declared.arguments(request.retries))

    @functools.wraps(run)
    def plain(*args: Any, **kwargs: Any) -> Any:
        try:
            return run(*args, **kwargs)
        except declared.autoretry_for as error:
            raise asking(error)  # noqa: B904 - often it is the error itself

    @functools.wraps(run)
    async def awaited(*args: Any, **kwargs: Any) -> Any:
        try:
            return await run(*args, **kwargs)
        except declared.autoretry_for as error:
            raise asking(error)  # noqa: B904 - as above

    return awaited if inspect.iscoroutinefunction(run) else plain
