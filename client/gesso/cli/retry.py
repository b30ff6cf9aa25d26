"""`gesso retry`: run what failed of a canvas again."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from gesso.cli.ending import tell_end
from gesso.cli.options import Address, Output, OutputOption, Timeout
from gesso.cli.reach import reached
from gesso.connection import DEFAULT_ADDRESS

__all__ = ["command"]


def command(
    *,
    of: Annotated[
        str, typer.Argument(metavar="ID", help="A canvas's id, or the id of a task or a group in it.")
    ],
    wait: Annotated[
        bool, typer.Option("--wait/--no-wait", help="Wait for the value, or print the new id only.")
    ] = True,
    timeout: Timeout = None,
    address: Address = DEFAULT_ADDRESS,
    output: OutputOption = Output.TEXT,
) -> None:
    """Run what failed or was cancelled of a canvas again, wait for it and print its value as JSON.

        gesso retry 0123456789abcdef0123456789abcdef

    It is a new canvas, in which what succeeded has ended already. The old one stays as it is.
    """
    with reached(address) as app:
        result = app.control.retry(of)
        if result is None:
            typer.echo("null")
        elif wait:
            tell_end(app, result.id, timeout, output)
        elif output is Output.JSON:
            typer.echo(json.dumps({"canvas_id": result.canvas_id, "last": result.id}))
        else:
            typer.echo(result.id)
