"""What a command lists: columns for people, one JSON object a line for programs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

import typer

from gesso.cli.options import Output

__all__ = ["told_rows"]


def told_rows(heads: Sequence[str], rows: Iterable[object], output: Output) -> None:
    """Print rows: sequences of texts under `heads`, or with JSON whatever each is."""
    if output is Output.JSON:
        for row in rows:
            typer.echo(json.dumps(row))
        return
    table = [tuple(heads), *(tuple(map(str, row)) for row in rows if isinstance(row, Sequence))]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for cells in table:
        line = "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
        typer.echo(line.rstrip())
