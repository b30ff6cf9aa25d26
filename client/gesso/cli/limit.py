"""`gesso limit`: how much of a kind of work is done at a time."""

from __future__ import annotations

from typing import Annotated

import typer

from gesso.cli.exits import CommandError
from gesso.cli.options import Address
from gesso.cli.reach import reached
from gesso.connection import DEFAULT_ADDRESS

__all__ = ["command"]


def command(
    *,
    key: Annotated[str, typer.Argument(metavar="KEY", help="A task's name, or a concurrency key.")],
    rate: Annotated[
        str | None,
        typer.Option(
            metavar="RATE", help="How many are handed to workers: 10/s, 10/m, 10/h.", show_default="no limit"
        ),
    ] = None,
    concurrency: Annotated[
        int | None,
        typer.Option(
            min=0, metavar="COUNT", help="How many workers hold at one time.", show_default="no limit"
        ),
    ] = None,
    address: Address = DEFAULT_ADDRESS,
) -> None:
    """Limit rate and concurrency of a task, or of a key, over all workers together.

        gesso limit tasks.mail --rate 10/m --concurrency 4

    It takes the place of the limit that the key has; with neither option that is removed. `gesso limits` lists them.
    """
    with reached(address) as app:
        try:
            app.control.limit(key, rate=rate, concurrency=concurrency)
        except ValueError as error:
            raise CommandError(str(error)) from error
