"""`gesso list`: canvases, the newest first."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any

import typer

from gesso.cli.moments import parsed_instant, shown_instant, shown_span
from gesso.cli.options import Address, Output, OutputOption
from gesso.cli.reach import reached
from gesso.cli.rows import told_rows
from gesso.connection import DEFAULT_ADDRESS
from gesso.listing import CanvasInfo

__all__ = ["State", "command", "stamps_of"]

_HEADS = ("CANVAS", "STATE", "ENDED", "SUBMITTED", "TOOK", "TASKS")
_LIMIT = 20


class State(StrEnum):
    """The states of a canvas, as they are typed."""

    EXPANDING = "expanding"
    ACTIVE = "active"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


def command(  # noqa: PLR0913 - each is a filter
    *,
    state: Annotated[
        list[State] | None, typer.Option(help="In this state; several are alternatives.")
    ] = None,
    task: Annotated[str | None, typer.Option(metavar="NAME", help="Has this task.")] = None,
    stamp: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY[=VALUE]", help="Bears this stamp; several must all be there."),
    ] = None,
    since: Annotated[
        str | None, typer.Option(metavar="TIME", help="Submitted then or later: 2h, 30m, 2026-11-21T18:00.")
    ] = None,
    until: Annotated[str | None, typer.Option(metavar="TIME", help="Submitted before then.")] = None,
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
            stamps=stamps_of(stamp or []),
            since=None if since is None else parsed_instant(since),
            until=None if until is None else parsed_instant(until),
            limit=None if everything else limit,
        )
        told_rows(_HEADS, _rows(found, output), output)


def stamps_of(texts: list[str]) -> dict[str, Any]:
    """Return stamps that were typed as `key=value` or `key`; of one key's several values one will do."""
    stamps: dict[str, Any] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not key:
            raise typer.BadParameter(f"{text} is no stamp: say KEY or KEY=VALUE.")
        if not equals:
            stamps.setdefault(key, None)
        else:
            stamps[key] = [*(stamps.get(key) or []), _value(value)]
    return stamps


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


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
