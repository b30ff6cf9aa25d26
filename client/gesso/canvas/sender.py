"""What a canvas asks of an app: the one door between building and running."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeAlias

from gesso.deadline import Timeout

#: Says the queue of a task by its name, None where it has nothing to say.
Route: TypeAlias = Callable[[str], str | None]


class Sender(Protocol):
    """Runs what the canvas package builds. `gesso.App` is one.

    `canvas` is a `gesso.canvas.Canvas` everywhere; it is `Any` here because canvases hold senders.
    A sender reads a canvas and never changes it.
    """

    @property
    def route(self) -> Route | None:
        """What says the queues of tasks; None where there are no routes."""
        ...

    def send(self, canvas: Any, *, wait: bool = False, deadline: Timeout = None) -> Any:
        """Submit a canvas and return its AsyncResult or GroupResult.

        Args:
            canvas: Carries everything that is to be sent, call-time arguments and options included.
            wait: Whether the caller is going to wait for the value at once.
            deadline: How long the whole canvas may take. None for no limit.
        """
        ...

    def apply(self, canvas: Any, *, throw: bool | None = None) -> Any:
        """Run a canvas in this process and return its result.

        Args:
            canvas: As for `send`.
            throw: Whether what it failed with is raised. None means as the sender has it by default.
        """
        ...

    def result_for(self, canvas: Any) -> Any:
        """Return the handle of a frozen canvas, sent or not: an AsyncResult, a GroupResult or None.

        Args:
            canvas: Each of its tasks and groups has an id, see `Canvas.freeze`.
        """
        ...

    def call_inline(self, task_name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """Run a task's function in this process and return its value."""
        ...

    def check_arguments(self, task_name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        """Check arguments against a task's function, where it is local and asks for it.

        Raises:
            TypeError: If the function does not take them.
        """
        ...
