"""`gesso graph`: a canvas as a drawing."""

from __future__ import annotations

import re
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from gesso.cli.drawing import Picture, dot, svg, text_rows
from gesso.cli.options import Address
from gesso.cli.reach import reached
from gesso.cli.survey import survey
from gesso.connection import DEFAULT_ADDRESS, Coordinator
from gesso.v1 import coordinator_service_pb2 as pb

__all__ = ["command"]

_CANVAS_ID = re.compile("[0-9a-f]{32}")


def command(
    *,
    of: Annotated[str, typer.Argument(metavar="ID", help="A canvas's id, or the id of a node in it.")],
    as_dot: Annotated[bool, typer.Option("--dot", help="For Graphviz.")] = False,
    as_svg: Annotated[bool, typer.Option("--svg", help="As an SVG; Graphviz is not needed.")] = False,
    as_text: Annotated[bool, typer.Option("--text", help="As a tree; this is the default.")] = False,
    address: Address = DEFAULT_ADDRESS,
) -> None:
    """Draw a canvas: its steps and groups, how each stands and how long it took.

        gesso graph $(gesso submit --no-wait --canvas canvas.json)

        gesso graph ID --svg > canvas.svg

    It is drawn on the standard output, as it stands now. Groups of more than 50 are one box, their members counted.
    """
    if as_dot + as_svg + as_text > 1:
        raise typer.BadParameter("Say one of --dot, --svg and --text.")
    with reached(address) as app:
        picture = survey(app.coordinator, _canvas_id(app.coordinator, of))
    if as_dot:
        typer.echo(dot(picture), nl=False)
    elif as_svg:
        typer.echo(svg(picture), nl=False)
    else:
        _print(picture)


def _canvas_id(coordinator: Coordinator, of: str) -> str:
    """Return the id of a canvas, or of the one that a node belongs to."""
    if _CANVAS_ID.fullmatch(of):
        return of
    node = coordinator.get_node(pb.GetNodeRequest(node_id=of)).node
    return node.handle.node_id.rpartition("-")[0]


def _print(picture: Picture) -> None:
    """Print the tree: in colour on a terminal, as plain text elsewhere."""
    console = Console(highlight=False, soft_wrap=True)
    console.print(Text(picture.title, "bold"))
    for row in text_rows(picture):
        console.print(
            Text.assemble(f"{row.label}  ", (row.facts, row.style)) if row.facts else row.label.rstrip()
        )
    if picture.note:
        console.print(Text(picture.note, "dim"))
