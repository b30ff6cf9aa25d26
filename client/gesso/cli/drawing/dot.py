"""A picture for Graphviz."""

from __future__ import annotations

from gesso.cli.drawing.looks import look
from gesso.cli.drawing.picture import Box, Picture, flow

__all__ = ["dot"]

_DASHED = ' [style="dashed"]'
_HEAD = """\
    graph [rankdir="LR", labelloc="t", fontname="sans-serif"]
    node [shape="box", style="rounded,filled", fontname="sans-serif"]
    edge [color="#6b7280", arrowsize="0.7"]
"""


def dot(picture: Picture) -> str:
    """Return a picture in Graphviz's language."""
    drawn = flow(picture)
    title = "\n".join(part for part in (picture.title, picture.note) if part)
    nodes = (f"    {_quoted(box.id)} [{_attributes(box)}]\n" for box in drawn.boxes)
    edges = (
        f"    {_quoted(edge.source)} -> {_quoted(edge.target)}{_DASHED if edge.link else ''}\n"
        for edge in drawn.edges
    )
    return "".join(["digraph canvas {\n", _HEAD, f"    label={_quoted(title)}\n", *nodes, *edges, "}\n"])


def _attributes(box: Box) -> str:
    looks = look(box.state)
    label = _quoted(f"{box.name}\n{looks.sign} {box.facts}")
    return f'label={label}, tooltip={_quoted(box.id)}, color="{looks.ink}", fillcolor="{looks.fill}"'


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
