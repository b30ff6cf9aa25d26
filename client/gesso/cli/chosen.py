"""Options that say which canvases are meant, for the commands that show several."""

from __future__ import annotations

import json
from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, Any

import typer

__all__ = ["Since", "Stamps", "State", "States", "Task", "Until", "stamps_of"]


class State(StrEnum):
    """The states of a canvas, as they are typed."""

    EXPANDING = "expanding"
    ACTIVE = "active"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


States = Annotated[list[State] | None, typer.Option(help="In this state; several are alternatives.")]
Task = Annotated[str | None, typer.Option(metavar="NAME", help="Has this task.")]
Stamps = Annotated[
    list[str] | None,
    typer.Option(metavar="KEY[=VALUE]", help="Bears this stamp; several must all be there."),
]
Since = Annotated[
    str | None, typer.Option(metavar="TIME", help="Submitted then or later: 2h, 30m, 2026-11-21T18:00.")
]
Until = Annotated[str | None, typer.Option(metavar="TIME", help="Submitted before then.")]


def stamps_of(texts: Sequence[str]) -> dict[str, Any]:
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
