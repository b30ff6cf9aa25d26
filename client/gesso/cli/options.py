"""Options that several commands have, spelt once."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

__all__ = ["Address", "Output", "OutputOption", "Timeout"]


class Output(StrEnum):
    """How a command says what it has to say."""

    TEXT = "text"
    JSON = "json"


Address = Annotated[
    str,
    typer.Option(
        envvar="GESSO_ADDRESS", metavar="HOST:PORT", help="The coordinator; several with commas between."
    ),
]
Timeout = Annotated[
    float | None,
    typer.Option(
        min=0, metavar="SECONDS", help="How long to wait; it goes on after that.", show_default="no limit"
    ),
]
OutputOption = Annotated[
    Output, typer.Option("--output", "-o", help="For people, or one JSON object a line.")
]
