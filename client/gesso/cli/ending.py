"""Waiting for a node's end, and telling what it ended with."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import typer

from gesso import AsyncResult, codec
from gesso.app import App
from gesso.cli.exits import CommandError, Exit
from gesso.cli.options import Output
from gesso.cli.progress import Bar
from gesso.deadline import Deadline
from gesso.errors import TimeoutError  # noqa: A004 - Celery's name
from gesso.failure import failure_of
from gesso.v1 import coordinator_service_pb2 as pb

__all__ = ["tell_end"]

_LOOK = timedelta(seconds=0.25)
"""How often the bar is moved."""


def tell_end(app: App, node_id: str, timeout: float | None, output: Output) -> None:
    """Wait for a node's end, print what it ended with, and end the command if that is an error.

    Raises:
        CommandError: If it did not end in time; it goes on.
        typer.Exit: If it ended with an error, or the wait was interrupted.
    """
    result: AsyncResult[Any] = app.AsyncResult(node_id)
    deadline = Deadline(timeout)
    try:
        _watch(result, deadline)
        value = result.get(timeout=deadline.left())
    except KeyboardInterrupt:
        typer.echo(f"It goes on. To see what came of it: gesso result {node_id}", err=True)
        raise typer.Exit(Exit.INTERRUPTED) from None
    except Exception as error:
        if failure_of(error) is not None:
            _tell_failure(node_id, result, error, output)
            raise typer.Exit(Exit.FAILED) from None
        if isinstance(error, TimeoutError):
            raise CommandError(
                f"{node_id} has not ended in time, and goes on. To see what came of it: gesso result {node_id}",
                Exit.TIMEOUT,
            ) from error
        raise
    _tell_value(node_id, result, value, output)


def _watch(result: AsyncResult[Any], deadline: Deadline) -> None:
    """Show how many nodes of the canvas have ended, until the result is there or the time is over."""
    end = result.arrival()
    result.submitted(end)
    with Bar() as bar:
        if not bar.shown:
            return
        while not end.done() and deadline.left() != 0:
            end.wait(deadline.at_most(_LOOK))
            canvas_id = result.id.rpartition("-")[0]
            canvas = result.app.coordinator.get_canvas(pb.GetCanvasRequest(canvas_id=canvas_id)).canvas
            bar.move(canvas.ended_count, canvas.node_count)


def _tell_value(node_id: str, result: AsyncResult[Any], value: Any, output: Output) -> None:
    try:
        text = codec.encode(value).data.decode()
    except codec.EncodeError as error:
        raise CommandError(
            f"The value of {node_id} cannot be written as JSON: {error}", Exit.FAILED
        ) from error
    if output is Output.JSON:
        known = json.dumps({"node_id": node_id, "state": result.state, **_metadata(result)})
        text = f'{known[:-1]}, "value": {text}}}'
    typer.echo(text)


def _metadata(result: AsyncResult[Any]) -> dict[str, Any]:
    """Return where, how often and when it ran, as `gesso show` says it to a person."""
    known = result.facts()
    if known is None:
        return {}
    dates = {
        "submitted": known.date_submitted, "ready": known.date_ready, "started": known.date_started,
        "finished": known.date_done,
    }  # fmt: skip
    return {
        "task": known.task or None, "queue": known.queue or None, "worker": known.worker or None,
        "attempts": known.attempts, "trace_id": known.trace_id, "span_id": known.span_id, "stamps": known.stamps,
        **{key: date and date.isoformat(timespec="milliseconds") for key, date in dates.items()},
    }  # fmt: skip


def _tell_failure(node_id: str, result: AsyncResult[Any], error: Exception, output: Output) -> None:
    failure = failure_of(error)
    origin = (failure and failure.node_id) or node_id
    kind = failure.type if failure else type(error).__name__
    remote = failure.traceback if failure else ""
    if output is Output.JSON:
        told = {"type": kind, "message": str(error), "node_id": origin, "traceback": remote}
        known = {"node_id": node_id, "state": result.state, **_metadata(result), "error": told}
        typer.echo(json.dumps(known, ensure_ascii=False))
        return
    if remote:
        typer.echo(remote.rstrip(), err=True)
    typer.echo(f"Error: {origin} ended with {kind.removeprefix('builtins.')}: {error}", err=True)
