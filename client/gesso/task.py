"""A task: a function with a name that workers know it by, and the ways to call it."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Generic, NoReturn, ParamSpec, TypeVar, cast, overload

from gesso.canvas import Chunks, Map, Sender, Signature, Starmap
from gesso.canvas.base import Element, as_canvas
from gesso.errors import MaxRetriesExceededError, Replace, Retry
from gesso.lifecycle import Hooks
from gesso.limits import Limit
from gesso.request import Asked, Request, current_request
from gesso.result import AsyncResult
from gesso.retrying import Retrying, retried

__all__ = ["AsyncTask", "Task"]

P = ParamSpec("P")
R = TypeVar("R")


class Task(Hooks, Generic[P, R]):
    """A task of an app. Calling it runs the function here; `delay` and `apply_async` send it.

    A subclass that overrides some of `Hooks`, given as `@app.task(base=...)`, is told what becomes of each attempt.

    Args:
        app: Whose it is.
        function: What workers run.
        name: Its name.
        bind: Whether the function's first argument is this task, as `self`.
        typing: Whether arguments are checked against the function when it is sent.
        options: Given to every signature of it, such as `queue`, `priority`, `time_limit`.
        retrying: When it is run again.

    Attributes:
        limit: How much of it may be done at a time; workers tell the coordinator.
    """

    def __init__(  # what one declares about a task
        self,
        app: Sender,
        function: Callable[..., R],
        *,
        name: str,
        bind: bool = False,
        typing: bool = True,
        options: Mapping[str, Any] | None = None,
        retrying: Retrying = Retrying(),  # noqa: B008 - it is frozen
    ) -> None:
        self.app = app
        self.name = name
        self.bound = bind
        self.typing = typing
        self.options: dict[str, Any] = dict(options or {})
        self.limit = Limit(key=name, declared=True)
        self.function = function
        self.retrying = retrying
        self.run: Callable[..., R] = retried(
            self, functools.partial(function, self) if bind else function, retrying
        )
        functools.update_wrapper(self, function)

    def __repr__(self) -> str:
        return f"<@task: {self.name}>"

    def __reduce__(self) -> str:
        # By its module and name, as the function it stands in the place of.
        return self.function.__qualname__

    # --- signatures --------------------------------------------------------------------------

    # The first says what the function takes. The second allows a partial, which types cannot describe.
    @overload
    def s(self, *args: P.args, **kwargs: P.kwargs) -> Signature[R]: ...
    @overload
    def s(self, *args: Any, **kwargs: Any) -> Signature[R]: ...
    def s(self, *args: Any, **kwargs: Any) -> Signature[R]:
        """Return a signature with these arguments, or some of them."""
        return self.signature(args, kwargs)

    def si(self, *args: P.args, **kwargs: P.kwargs) -> Signature[R]:
        """Return an immutable signature: it takes nothing from the step before."""
        return self.signature(args, kwargs, immutable=True)

    def signature(
        self,
        args: Iterable[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
        *,
        immutable: bool = False,
        **more: Any,
    ) -> Signature[R]:
        """Return a signature; see `gesso.signature`. The task's own options come with it."""
        chosen = {**self.options, **(options or {}), **more}
        return Signature(self, args, kwargs, chosen, immutable=immutable, app=self.app)

    subtask = signature

    def map(self, it: Iterable[Any]) -> Map:
        """Return one task that calls this one with each item."""
        return Map(self.s(), it, app=self.app)

    def starmap(self, it: Iterable[Iterable[Any]]) -> Starmap:
        """Return one task that calls this one with each item's elements as arguments."""
        return Starmap(self.s(), it, app=self.app)

    def chunks(self, it: Iterable[Iterable[Any]], n: int) -> Chunks:
        """Return a group of starmaps, each over `n` items."""
        return Chunks(self.s(), it, n, app=self.app)

    # --- calling -----------------------------------------------------------------------------

    def delay(self, *args: P.args, **kwargs: P.kwargs) -> AsyncResult[R]:
        """Send it with these arguments.

        Raises:
            TypeError: If the function does not take them.
        """
        return self.apply_async(args, kwargs)

    def apply_async(
        self, args: Iterable[Any] | None = None, kwargs: Mapping[str, Any] | None = None, **options: Any
    ) -> AsyncResult[R]:
        """Send it.

        Args:
            options: As `Canvas.apply_async` takes them: `countdown`, `queue`, `link`, ...

        Raises:
            TypeError: If the function does not take the arguments.
        """
        result: AsyncResult[R] = self.signature(args, kwargs).apply_async(**options)
        return result

    def apply(
        self, args: Iterable[Any] | None = None, kwargs: Mapping[str, Any] | None = None, **options: Any
    ) -> AsyncResult[R]:
        """Run it here and now; see `Canvas.apply`."""
        return cast("AsyncResult[R]", self.signature(args, kwargs).apply(**options))

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run the function here, as a plain one."""
        token = current_request.set(self._direct(args, kwargs))
        try:
            return self.run(*args, **kwargs)
        finally:
            current_request.reset(token)

    def _direct(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Request:
        return Request(task=self.name, args=args, kwargs=kwargs, caller=current_request.get())

    # --- inside the function -----------------------------------------------------------------

    @property
    def request(self) -> Request:
        """The attempt that runs here; an empty one outside of tasks."""
        return current_request.get() or Request()

    def retry(
        self,
        exc: BaseException | None = None,
        throw: bool = True,  # noqa: FBT001, FBT002 - Celery's
        countdown: float | None = None,
        eta: datetime | None = None,
        max_retries: int | None = None,
    ) -> Retry:
        """End this attempt, and have the task run again under the same id.

        Args:
            exc: What it ends with when there are no more attempts. None means a MaxRetriesExceededError.
            throw: Whether the Retry is raised. Otherwise it is returned, for the task to raise.
            countdown: Seconds until then. None means as the retry policy says that it was sent with, or else the task's
                `default_retry_delay`.
            eta: When, instead of a countdown.
            max_retries: How many retries at the most. None means as that policy says, or else the task.

        Raises:
            Retry: Let it pass.
            MaxRetriesExceededError: If it was retried so often already, and `exc` is None.
            Exception: `exc` in that case; or what it would end with, when the task was called as a plain function.
        """
        request, handled = self.request, sys.exc_info()[1]
        last = exc if exc is not None else handled
        if request.called_directly and last is not None:
            raise last
        most = self._most_retries(max_retries)
        if most is not None and request.retries >= most and not request.called_directly:
            raise self._spent(exc, most)
        if last is None:
            last = MaxRetriesExceededError(f"{self.name} asked to be run again more often than it may.")
        when = eta if eta is not None else countdown
        if when is None and request.retry is None:
            when = self.retrying.default_retry_delay
        retry = Retry(exc=last, when=when, max_retries=most, unlimited=most is None)
        if throw:
            raise retry from exc
        return retry

    @property
    def max_retries(self) -> int | None:
        """How many retries at the most. None means any number."""
        return self.retrying.max_retries

    @property
    def default_retry_delay(self) -> float:
        """How many seconds a retry waits, where nothing else says."""
        return self.retrying.default_retry_delay

    def _most_retries(self, given: int | None) -> int | None:
        if given is not None:
            return given
        policy = self.request.retry
        return self.max_retries if policy is None else policy.most

    def _spent(self, exc: BaseException | None, most: int) -> BaseException:
        """Return what the attempt ends with for good."""
        error = exc
        if error is None:
            error = MaxRetriesExceededError(
                f"{self.name}[{self.request.id}] was retried {most} times already."
            )
        self.request.asked.spent = error
        return error

    def replace(self, canvas: Element) -> NoReturn:
        """End this attempt, and have `canvas` take the task's place.

        It has the task's id, links, place in a group and rest of the chain; its value is the task's.

        Raises:
            Replace: Let it pass.
            TypeError: If it is neither a canvas nor the plain dict of one.
            ValueError: If it is a chain of nothing.
            RuntimeError: If the task was called as a plain function.
        """
        self._asked("replace")
        replacement = as_canvas(canvas)
        if replacement.known_empty:
            raise ValueError("A task cannot be replaced with a chain of nothing.")
        raise Replace(replacement)

    def add_to_chord(self, canvas: Element) -> None:
        """Add a member to the group or chord header that this task is a member of, when it ends.

        Its value comes last. If the join has what it needs by then, it runs and its value is dropped.

        Raises:
            ValueError: If the task is no member of a join.
            RuntimeError: If the task was called as a plain function.
        """
        asked = self._asked("add_to_chord")
        if self.request.group is None:
            raise ValueError(f"{self.name} is no member of a group or chord, so there is nothing to add to.")
        asked.members.append(as_canvas(canvas))

    def update_state(
        self,
        task_id: str | None = None,
        state: str | None = None,
        meta: Any = None,
    ) -> None:
        """Set a state of the task's own, which `AsyncResult.state` and `.info` show while it runs.

        The last one is kept. How the task ends takes its place, unless that is by raising `Ignore`.

        Args:
            task_id: Accepted for Celery's sake. It is this task's.
            state: Its name, in upper case, such as `PROGRESS`. None changes nothing.
            meta: What to say about it: what a result may be, at most 64 KiB.

        Raises:
            ValueError: If the name is none, `meta` is too large, or the id is another task's.
        """
        if task_id is not None and task_id != self.request.id:
            raise ValueError("A task sets its own state only.")
        if state is not None:
            self.request.asked.set_state(state, meta)

    def is_aborted(self) -> bool:
        """Return whether its end is no longer awaited: it was revoked. See `Request.is_aborted`."""
        return self.request.is_aborted()

    def _asked(self, what: str) -> Asked:
        request = self.request
        if request.called_directly:
            raise RuntimeError(
                f"{self.name} was called as a function, and so has no place in a canvas to {what}."
            )
        return request.asked

    # --- checking ----------------------------------------------------------------------------

    @functools.cached_property
    def parameters(self) -> inspect.Signature | None:
        """What the function takes, `self` of a bound one left out; None when it does not tell."""
        try:
            taken = inspect.signature(self.function)
        except (TypeError, ValueError):  # some that are written in C
            return None
        listed = list(taken.parameters.values())
        if self.bound and listed and listed[0].kind is not inspect.Parameter.VAR_POSITIONAL:
            listed = listed[1:]
        return taken.replace(parameters=listed)

    @functools.cached_property
    def _counts(self) -> range:
        """How many arguments fit when none has a name: what most calls come to, and quick to look at."""
        listed = self.parameters.parameters.values() if self.parameters is not None else ()
        if any(each.kind is each.KEYWORD_ONLY and each.default is each.empty for each in listed):
            return range(0)
        placed = [each for each in listed if each.kind in {each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD}]
        open_ended = any(each.kind is each.VAR_POSITIONAL for each in listed)
        needed = sum(each.default is each.empty for each in placed)
        return range(needed, sys.maxsize if open_ended else len(placed) + 1)

    def check_arguments(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        """Check arguments against the function, if the task asks for it.

        Raises:
            TypeError: If it does not take them.
        """
        taken = self.parameters if self.typing else None
        if taken is None or (not kwargs and len(args) in self._counts):
            return
        try:
            taken.bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(f"{self.name}() takes {taken}: {error}") from None


class AsyncTask(Task[P, R]):
    """A task whose function is a coroutine function."""

    async def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:  # type: ignore[override]  # it is awaited
        """Run the function here, as a plain one."""
        token = current_request.set(self._direct(args, kwargs))
        try:
            return await cast("Coroutine[Any, Any, R]", self.run(*args, **kwargs))
        finally:
            current_request.reset(token)
