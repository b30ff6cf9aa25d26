"""Sending a canvas: what a call adds to it, and whom it goes to."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any, Self

from gesso.canvas import current
from gesso.canvas.sender import Sender
from gesso.deadline import Timeout


class Running(ABC):
    """What can be called: submitted with more arguments and options."""

    __slots__ = ()

    task: str

    @property
    @abstractmethod
    def args(self) -> tuple[Any, ...]:
        """The positional arguments."""

    @property
    @abstractmethod
    def kwargs(self) -> dict[str, Any]:
        """The keyword arguments."""

    @property
    def app(self) -> Sender:
        """The app that sends it.

        Raises:
            NoAppError: If it has none and there is none.
        """
        return self.found_app() or current.current_app()

    @abstractmethod
    def found_app(self) -> Sender | None:
        """Return its own app, or that of something in it."""

    @abstractmethod
    def clone(
        self, args: Iterable[Any] | None = None, kwargs: Mapping[str, Any] | None = None, **options: Any
    ) -> Self:
        """Return a copy with more arguments, put in front, and more options."""

    def apply_async(
        self,
        args: Iterable[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        *,
        deadline: Timeout = None,
        **options: Any,
    ) -> Any:
        """Submit it and return its AsyncResult or GroupResult.

        Args:
            args: Go before the stored ones, of the first tasks of a canvas.
            kwargs: Win over the stored ones, likewise.
            deadline: How long the whole canvas may take; what has not ended then is cancelled, and `get` raises
                `DeadlineExceeded`. None for no limit.
            options: Win over the stored ones: `countdown`, `eta`, `expires`, `queue`, `priority`,
                `retry`, `task_id`, `link`, `link_error`, `headers`, ... None changes nothing.

        Raises:
            TypeError: If a task that is local does not take its arguments.
            ValueError: If an option is out of bounds.
        """
        return self.called(args, kwargs, options).submit(wait=False, deadline=deadline)

    def delay(self, *args: Any, **kwargs: Any) -> Any:
        """Submit it with more arguments; the short form of `apply_async`."""
        return self.called(args, kwargs, {}).submit(wait=False)

    def apply(
        self,
        args: Iterable[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        *,
        throw: bool | None = None,
        **options: Any,
    ) -> Any:
        """Run it in this process, one task after the other, and return its result, which is ready.

        It means the same as in the live system; nothing is sent, and nothing waits for its time.

        Args:
            args: As for `apply_async`.
            kwargs: As for `apply_async`.
            throw: Whether what it failed with is raised here. None means as the app's `eager_propagates`.
            options: As for `apply_async`.

        Raises:
            LookupError: If one of its tasks does not exist in this process.
            TypeError: If a task does not take its arguments.
        """
        called = self.called(args, kwargs, options)
        app = called.app
        called.check_heads(app)
        return app.apply(called, throw=throw)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Submit it with more arguments; a signature is run in this process instead."""
        return self.called(args, kwargs, {}).submit(wait=False)

    def __invert__(self) -> Any:
        """Submit it and return its value, as in `~add.s(2, 2)`."""
        result = self.submit(wait=True)
        return None if result is None else result.get()

    def called(
        self, args: Iterable[Any] | None, kwargs: Mapping[str, Any] | None, options: dict[str, Any]
    ) -> Self:
        """Return what is sent for a call: this very canvas when the call adds nothing."""
        return self.clone(args, kwargs, **options) if args or kwargs or options else self

    def submit(self, *, wait: bool, deadline: Timeout = None) -> Any:
        """Send it as it is."""
        app = self.app
        self.check_heads(app)
        return app.send(self, wait=wait, deadline=deadline)

    def check_heads(self, app: Sender) -> None:
        """Check the arguments of the first tasks, where `app` knows these and they ask for it.

        Raises:
            TypeError: If one does not take its arguments.
        """
        for head in self.heads():
            app.check_arguments(head.task, head.args, head.kwargs)

    @abstractmethod
    def heads(self) -> Iterable[Running]:
        """Return the tasks that call-time arguments go to, as far as they are known."""
