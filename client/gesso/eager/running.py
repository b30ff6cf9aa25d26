"""The way from a canvas to its result."""

from __future__ import annotations

from typing import Protocol

from gesso.canvas import Canvas
from gesso.eager.attempts import current_node
from gesso.eager.evaluator import Evaluator, Project
from gesso.eager.result import EagerGroupResult, EagerResult, result_of
from gesso.home import Home


class Here(Project, Home, Protocol):
    """An app, as far as it is needed to run a canvas here."""


def applied(
    canvas: Canvas, app: Here, *, throw: bool
) -> EagerResult[object] | EagerGroupResult[object] | None:
    """Run a canvas and return its result; None for a canvas of nothing.

    Args:
        canvas: Is not changed, but its lazy groups are read.
        app: Has the tasks.
        throw: Whether what it failed with is raised: the very exception, with its traceback.

    Raises:
        LookupError: If one of its tasks does not exist here.
        EncodeError: If an argument could not be sent.
    """
    last = Evaluator(app).evaluate(canvas)
    if last is None:
        return None
    submitter = current_node.get()
    if submitter is not None:
        submitter.children.append(last)
    result = result_of(last, app)
    result.submitted()
    if throw and last.cause is not None and last.cause.raised is not None:
        raise last.cause.raised
    if throw:
        result.get(disable_sync_subtasks=False)
    return result
