"""`gesso limits`: the limits that are set."""

from __future__ import annotations

import json
from dataclasses import asdict

import typer

from gesso.cli.options import Address, Output, OutputOption
from gesso.cli.reach import reached
from gesso.connection import DEFAULT_ADDRESS
from gesso.limits import Limit

__all__ = ["command"]


def command(*, address: Address = DEFAULT_ADDRESS, output: OutputOption = Output.TEXT) -> None:
    """List the limits of rate and concurrency.

    gesso limits --output json
    """
    with reached(address) as app:
        for limit in app.control.limits():
            typer.echo(json.dumps(asdict(limit)) if output is Output.JSON else _line(limit))


def _line(limit: Limit) -> str:
    parts = [limit.key]
    if limit.rate is not None:
        parts.append(f"rate {limit.rate}")
    if limit.concurrency is not None:
        parts.append(f"concurrency {limit.concurrency}")
    return "  ".join(parts) + ("  (declared by the task)" if limit.declared else "")
