"""Drawings of canvases: pure functions from a `Picture` to text, to Graphviz and to SVG."""

from __future__ import annotations

from gesso.cli.drawing.dot import dot
from gesso.cli.drawing.picture import Box, Picture, Step, Strand
from gesso.cli.drawing.svg import svg
from gesso.cli.drawing.text import Row, text_rows

__all__ = [
    # what is drawn
    "Box",
    "Picture",
    "Row",
    "Step",
    "Strand",
    # as what
    "dot",
    "svg",
    "text_rows",
]
