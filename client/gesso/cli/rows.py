"""What a command lists: a table for people, lines for pipes, one JSON object a line for programs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from gesso.cli.options import Output

__all__ = ["table_of", "told_rows"]


def told_rows(heads: Sequence[str], rows: Iterable[object], output: Output) -> None:
    """Print rows: sequences of texts under `heads`, or with JSON whatever each is."""
    if output is Output.JSON:
        for row in rows:
            typer.echo(json.dumps(row))
        return
    cells = [tuple(map(str, row)) for row in rows if isinstance(row, Sequence)]
    console = Console()
    if console.is_terminal:
        console.print(table_of(heads, cells))
        return
    table = [tuple(heads), *cells]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for line in table:
        text = "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        typer.echo(text.rstrip())


def table_of(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    """Return a table to draw, its first column whole."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for number, head in enumerate(heads):
        table.add_column(head, no_wrap=True, overflow="ellipsis" if number else "ignore")
    for row in rows:
        table.add_row(*map(Text, row))
    return table
