"""Instants and spans as people write and read them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import typer

__all__ = ["parsed_instant", "shown_instant", "shown_span"]

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_AGO = re.compile(r"(\d{1,6})([smhd])", re.ASCII)
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
_SHOWN = (
    (1, "ms", 0.001, "", 1),
    (_MINUTE, "s", 1, "", 1),
    (_HOUR, "min", _MINUTE, "s", 1),
    (_DAY, "h", _HOUR, "min", _MINUTE),
)
"""Below how many seconds what is shown: a unit and its seconds, and a smaller one and its seconds."""


def parsed_instant(text: str) -> datetime | timedelta:
    """Return an instant, or how long ago it was: `2h`, `30m`, `2026-11-21`, `2026-11-21T18:00:00+01:00`.

    What has no zone is of the local one.

    Raises:
        typer.BadParameter: If it is neither.
    """
    if found := _AGO.fullmatch(text):
        return timedelta(**{_UNITS[found[2]]: int(found[1])})
    try:
        return datetime.fromisoformat(text).astimezone()
    except ValueError:
        raise typer.BadParameter(
            f"{text} is no time: say how long ago, such as 2h or 30m, or when, such as 2026-11-21T18:00."
        ) from None


def shown_instant(instant: datetime | None) -> str:
    """Return an instant for a person; empty for none."""
    return "" if instant is None else f"{instant.astimezone(UTC):%Y-%m-%d %H:%M:%S}Z"


def shown_span(span: timedelta | None) -> str:
    """Return how long something took, for a person; empty for none."""
    if span is None:
        return ""
    seconds = max(0.0, span.total_seconds())
    for below, unit, size, part, length in _SHOWN:
        if seconds < below:
            rest = f" {seconds % size // length:.0f} {part}" if part else ""
            return f"{int(seconds // size) if part else round(seconds / size, 1):g} {unit}{rest}"
    return f"{seconds // _DAY:.0f} d {seconds % _DAY // _HOUR:.0f} h"
