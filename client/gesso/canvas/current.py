"""The app that canvases without one of their own are sent by."""

from __future__ import annotations

from typing import Any

from gesso.canvas.sender import Route, Sender

_current: Sender | None = None


class NoAppError(RuntimeError):
    """A canvas was to be sent, and no App exists."""


def set_current_app(app: Sender | None) -> None:
    """Make `app` the one that canvases without an app are sent by. None takes it away."""
    global _current  # noqa: PLW0603 - there is one per process, as in Celery
    _current = app


def route_of(canvas: Any) -> Route | None:
    """Return what says the queues of a canvas's tasks: its own app's routes, or the current app's."""
    app = canvas.found_app() or _current
    return None if app is None else app.route


def current_app() -> Sender:
    """Return the current app.

    Raises:
        NoAppError: If none was set.
    """
    if _current is None:
        raise NoAppError("There is no App to send this by: make one first, as in app = gesso.App('proj').")
    return _current
