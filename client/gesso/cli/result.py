"""`gesso result`: what came of a node."""

from __future__ import annotations

from typing import Annotated

import typer

from gesso.cli.ending import tell_end
from gesso.cli.options import Address, Output, OutputOption, Timeout
from gesso.cli.reach import reached
from gesso.connection import DEFAULT_ADDRESS
from gesso.v1 import coordinator_service_pb2 as pb

__all__ = ["command"]


def command(
    *,
    node_id: Annotated[
        str,
        typer.Argument(metavar="NODE_ID", help="As `gesso submit --no-wait` printed it; or a canvas's id."),
    ],
    timeout: Timeout = None,
    address: Address = DEFAULT_ADDRESS,
    output: OutputOption = Output.TEXT,
) -> None:
    """Wait for the end of a task, a group or a canvas and print its value as JSON.

        gesso result $(gesso submit --no-wait tasks.add '[1, 2]') --timeout 10

    With --timeout 0 it only looks. A canvas's id stands for its last node.
    """
    with reached(address) as app:
        last = (
            node_id
            if "-" in node_id
            else _last(app.coordinator.get_canvas(pb.GetCanvasRequest(canvas_id=node_id)))
        )
        if last:
            tell_end(app, last, timeout, output)
        else:
            typer.echo("null")


def _last(response: pb.GetCanvasResponse) -> str:
    """Return the id of a canvas's last node; empty for an empty chain, which has none."""
    return response.canvas.last.node_id
