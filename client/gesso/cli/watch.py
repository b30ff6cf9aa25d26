"""`gesso watch`: a canvas, or canvases, live."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import typer
from rich.console import Console
from rich.live import Live

from gesso.cli.board import Board, error_text
from gesso.cli.chosen import Since, Stamps, States, Task, Until, stamps_of
from gesso.cli.exits import Exit
from gesso.cli.feed import fed
from gesso.cli.moments import parsed_instant
from gesso.cli.options import Address, Output, OutputOption
from gesso.cli.reach import reached
from gesso.cli.told_events import Lines, canvas_line, json_line
from gesso.connection import DEFAULT_ADDRESS
from gesso.watching import CanvasEvent, WatchEvent

__all__ = ["command"]

_PER_SECOND = 8
"""How often it is drawn."""


def command(  # noqa: PLR0913 - each is an option
    *,
    of: Annotated[
        str | None,
        typer.Argument(
            metavar="[ID]", help="A canvas's id, or the id of a task or a group in it; none for all."
        ),
    ] = None,
    state: States = None,
    task: Task = None,
    stamp: Stamps = None,
    since: Since = None,
    until: Until = None,
    group_limit: Annotated[
        int, typer.Option(min=1, max=1000, metavar="COUNT", help="Groups with more members are counted.")
    ] = 50,
    address: Address = DEFAULT_ADDRESS,
    output: OutputOption = Output.TEXT,
) -> None:
    """Watch a canvas until it has ended, or without ID whichever canvases come, and end.

        gesso watch $(gesso submit --no-wait --canvas canvas.json)

        gesso watch --state failed --task tasks.mail

        gesso watch --stamp customer=42 -o json

    On a terminal it is drawn as a tree; elsewhere it is told in lines. It ends as the canvas does: with 0, or with 1
    when that failed or was cancelled. Ctrl-C ends the watch and leaves the canvas alone. After a lost connection it
    goes on. A stamp's value is JSON, or else a text.
    """
    if of is not None and (state or task or stamp or since or until):
        raise typer.BadParameter("Say an ID, or which canvases, not both.")
    try:
        with reached(address) as app:
            if of is None:
                events = app.watch_canvases(
                    state=[each.value for each in state or ()],
                    task=task,
                    stamps=stamps_of(stamp or ()),
                    since=None if since is None else parsed_instant(since),
                    until=None if until is None else parsed_instant(until),
                    snapshot=False,
                )
                _tell_canvases(fed(events), output)
            else:
                _end(_shown(fed(app.watch(of, group_limit=group_limit)), output))
    except KeyboardInterrupt:
        if of is not None:
            typer.echo(f"It goes on. To watch again: gesso watch {of}", err=True)
        raise typer.Exit(Exit.INTERRUPTED) from None


def _tell_canvases(events: Iterable[WatchEvent], output: Output) -> None:
    for event in events:
        if output is Output.JSON:
            typer.echo(json_line(event))
        elif isinstance(event, CanvasEvent):
            typer.echo(canvas_line(event))


def _shown(events: Iterable[WatchEvent], output: Output) -> Board:
    """Show a canvas until it has ended; return all that is known then."""
    board, console, lines = Board(), Console(highlight=False), Lines()
    if output is Output.TEXT and console.is_terminal:
        with Live(board, console=console, refresh_per_second=_PER_SECOND):
            for event in events:
                board.take(event)
        return board
    for event in events:
        board.take(event)
        told = json_line(event) if output is Output.JSON else lines.line(event)
        if told:
            typer.echo(told)
    return board


def _end(board: Board) -> None:
    """End the command as the canvas has ended."""
    if board.canvas is None or board.canvas.state == "succeeded":
        return
    error = board.last_error()
    told = error_text(error) if error is not None else f"the canvas was {board.canvas.state}"
    typer.echo(f"Error: {told}", err=True)
    raise typer.Exit(Exit.FAILED)
