"""`gesso list`: canvases, the newest first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

import typer

from gesso.cli.chosen import Since, Stamps, States, Task, Until, stamps_of
from gesso.cli.moments import parsed_instant, shown_instant, shown_span
from gesso.cli.options import Address, Output, OutputOption
from gesso.cli.reach import reached
from gesso.cli.rows import told_rows
from gesso.connection import DEFAULT_ADDRESS
from gesso.listing import CanvasInfo

__all__ = ["command"]

_HEADS = ("CANVAS", "STATE", "ENDED", "SUBMITTED", "TOOK", "TASKS")
_LIMIT = 20


def command(  # noqa: PLR0913 - each is a filter
    *,
    state: States = None,
    task: Task = None,
    stamp: Stamps = None,
    since: Since = None,
    until: Until = None,
    limit: Annotated[int, typer.Option(min=1, metavar="COUNT", help="How many at the most.")] = _LIMIT,
    everything: Annotated[bool, typer.Option("--all", help="All of them, however many.")] = False,
    address: Address = DEFAULT_ADDRESS,
    output: OutputOption = Output.TEXT,
) -> None:
    """List canvases, the newest first, by state, task, stamp and time.

        gesso list

        gesso list --state failed --task tasks.mail --since 2h

        gesso list --stamp customer=42 --all -o json

    A canvas is listed for as long as its results are kept. A stamp's value is JSON, or else a text.
    """
    with reached(address) as app:
        found = app.control.canvases(
            state=[each.value for each in state or ()],
            task=task,
            stamps=stamps_of(stamp or ()),
            since=None if since is None else parsed_instant(since),
            until=None if until is None else parsed_instant(until),
            limit=None if everything else limit,
        )
        told_rows(_HEADS, _rows(found, output), output)


def _rows(canvases: Iterator[CanvasInfo], output: Output) -> Iterator[object]:
    for canvas in canvases:
        if output is Output.JSON:
            yield {
                key: value.isoformat(timespec="milliseconds") if isinstance(value, datetime) else value
                for key, value in asdict(canvas).items()
            }
        else:
            end = canvas.date_done or datetime.now(UTC)
            yield (
                canvas.id, canvas.state.lower(), f"{canvas.ended_count:,}/{canvas.node_count:,}",
                shown_instant(canvas.date_submitted), shown_span(end - canvas.date_submitted), " ".join(canvas.tasks),
            )  # fmt: skip
