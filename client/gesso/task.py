"""A task: a function with a name that workers know it by, and the ways to call it."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Generic, NoReturn, ParamSpec, TypeVar, cast, overload

from gesso.canvas import Chunks, Map, Sender, Signature, Starmap
from gesso.errors import Retry
from gesso.request import Request, current_request
from gesso.result import AsyncResult

__all__ = ["AsyncTask", "Task"]

P = ParamSpec("P")
R = TypeVar("R")


class Task(Generic[P, R]):
    """A task of an app. Calling it runs the function here; `delay` and `apply_async` send it.

    Args:
        app: Whose it is.
        function: What workers run.
        name: Its name.
        bind: Whether the function's first argument is this task, as `self`.
        typing: Whether arguments are checked against the function when it is sent.
        options: Given to every signature of it, such as `queue`, `priority`, `time_limit`.
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
    ) -> None:
        self.app = app
        self.name = name
        self.bound = bind
        self.typing = typing
        self.options: dict[str, Any] = dict(options or {})
        self.function = function
        self.run: Callable[..., R] = functools.partial(function, self) if bind else function
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
        return cast("AsyncResult[R]", self.signature(args, kwargs).apply_async(**options))

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
        countdown: float | None = None,
        eta: datetime | None = None,
        max_retries: int | None = None,
    ) -> NoReturn:
        """End this attempt, and have the task run again under the same id.

        Args:
            exc: What it ends with when there are no more attempts. None means the error being handled.
            countdown: Seconds until then. None means as its retry policy says.
            eta: When, instead of a countdown.
            max_retries: How many retries at the most. None means as its retry policy says.

        Raises:
            Retry: Always; let it pass.
        """
        raise Retry(exc=exc, when=eta if eta is not None else countdown, max_retries=max_retries) from exc

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

    def check_arguments(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        """Check arguments against the function, if the task asks for it.

        Raises:
            TypeError: If it does not take them.
        """
        taken = self.parameters if self.typing else None
        if taken is None:
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
