"""A picture as an SVG that needs nothing else: no Graphviz, no font of its own, no script, no address."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from itertools import pairwise

from gesso.cli.drawing.layout import Layout, Place, layout
from gesso.cli.drawing.looks import look
from gesso.cli.drawing.picture import Box, Edge, Flow, Picture, flow

__all__ = ["svg"]

# Lengths in pixels. Letters are of one width, so that a text's length is known without its font.
_LETTER = 7.3
_MOST_LETTERS = 36
_PADDING = 12
_HEIGHT = 46
_ROW = 62
_GAP = 56
_MARGIN = 24
_HEAD = 30
_LINE = 20
_ICON = 18

_STYLE = (
    "text{font:12px ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,monospace;fill:#1f2937}"
    ".name,.title{font-weight:bold}.edge{fill:none;stroke:#6b7280;stroke-width:1.4}.link{stroke-dasharray:5 4}"
)
_ARROW = (
    '<marker id="arrow" viewBox="0 0 8 8" refX="7.5" refY="4" markerWidth="8" markerHeight="8" '
    'markerUnits="userSpaceOnUse" orient="auto"><path d="M0 0.5 8 4 0 7.5Z" fill="#6b7280"/></marker>'
)


def svg(picture: Picture) -> str:
    """Return a picture as an SVG document, whose last line ends with a newline."""
    drawn = flow(picture)
    return "\n".join(_Sheet(picture, drawn, layout(drawn)).lines()) + "\n"


class _Sheet:
    """Knows where on the sheet a place is."""

    def __init__(self, picture: Picture, drawn: Flow, placed: Layout) -> None:
        self._picture = picture
        self._drawn = drawn
        self._placed = placed
        self._heads = [part for part in (picture.title, picture.note) if part]
        self._top = _MARGIN + _HEAD + _LINE * (len(self._heads) - 1)
        self._lefts: list[float] = []
        self._widths: list[float] = []
        left = float(_MARGIN)
        for width in _widths(drawn, placed):
            self._lefts.append(left)
            self._widths.append(width)
            left += width + _GAP
        self._right = left - _GAP if self._lefts else left

    def lines(self) -> Iterator[str]:
        rows = [place.row for place in self._placed.boxes.values()]
        rows += [place.row for way in self._placed.ways for place in way]
        height = self._top + (max(rows) * _ROW + _HEIGHT if rows else 0) + _MARGIN
        written = max(len(text) for text in self._heads) * _LETTER + _MARGIN
        width = max(self._right, written) + _MARGIN
        yield (
            f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-labelledby="title description" '
            f'width="{width:.0f}" height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}">'
        )
        yield f'<title id="title">{escape(self._picture.title)}</title>'
        yield f'<desc id="description">{escape(_description(self._drawn.boxes, self._picture.note))}</desc>'
        yield f"<style>{_STYLE}</style>"
        yield f"<defs>{_ARROW}</defs>"
        yield '<rect width="100%" height="100%" fill="#ffffff"/>'
        for number, text in enumerate(self._heads):
            kind = ' class="title"' if not number else ""
            yield f'<text{kind} x="{_MARGIN}" y="{_MARGIN + 8 + number * _LINE}">{escape(text)}</text>'
        for edge, way in zip(self._drawn.edges, self._placed.ways, strict=True):
            yield self._edge(edge, way)
        for box in self._drawn.boxes:
            yield from self._box(box, self._placed.boxes[box.id])
        yield "</svg>"

    def _edge(self, edge: Edge, way: Sequence[Place]) -> str:
        """Return a curve; through a layer in which it only bends it runs level, from side to side."""
        y = self._middle(way[0])
        path = [f"M{self._after(way[0]):.1f} {y:.1f}"]
        for source, target in pairwise(way):
            x, end = self._after(source), self._lefts[target.layer]
            half, y1, y2 = (x + end) / 2, self._middle(source), self._middle(target)
            path.append(f"C{half:.1f} {y1:.1f} {half:.1f} {y2:.1f} {end:.1f} {y2:.1f}")
            if target is not way[-1]:
                path.append(f"H{self._after(target):.1f}")
        kind = "edge link" if edge.link else "edge"
        return f'<path class="{kind}" marker-end="url(#arrow)" d="{"".join(path)}"/>'

    def _box(self, box: Box, place: Place) -> Iterator[str]:
        looks = look(box.state)
        x, y = self._lefts[place.layer], self._middle(place) - _HEIGHT / 2
        yield f'<g transform="translate({x:.1f} {y:.1f})">'
        yield f"<title>{escape(f'{box.name}: {box.facts} ({box.id})')}</title>"
        frame = f'width="{self._widths[place.layer]:.1f}" height="{_HEIGHT}" rx="6"'
        if box.counts:  # a pile, not one sheet
            yield f'<rect x="4" y="4" {frame} fill="{looks.fill}" stroke="{looks.ink}"/>'
        yield f'<rect {frame} fill="{looks.fill}" stroke="{looks.ink}" stroke-width="1.4"/>'
        yield f'<text class="name" x="{_PADDING}" y="19">{escape(_short(box.name))}</text>'
        yield (
            f'<path transform="translate({_PADDING} 26)" d="{looks.path}" fill="none" stroke="{looks.ink}" '
            f'stroke-width="2"/>'
        )
        yield f'<text x="{_PADDING + _ICON}" y="36">{escape(box.facts)}</text>'
        yield "</g>"

    def _middle(self, place: Place) -> float:
        return self._top + place.row * _ROW + _HEIGHT / 2

    def _after(self, place: Place) -> float:
        return self._lefts[place.layer] + self._widths[place.layer]


def _widths(drawn: Flow, placed: Layout) -> list[float]:
    """Return how wide each layer is."""
    found: dict[int, float] = {}
    for box in drawn.boxes:
        number = placed.boxes[box.id].layer
        letters = max(len(_short(box.name)) * _LETTER, len(box.facts) * _LETTER + _ICON)
        found[number] = max(found.get(number, 0), letters + 2 * _PADDING)
    return [found[number] for number in sorted(found)]


def _short(text: str) -> str:
    """Return a text that fits into a box: of a name the end tells more, and the whole is in its title."""
    return text if len(text) <= _MOST_LETTERS else f"…{text[1 - _MOST_LETTERS :]}"


def _description(boxes: Sequence[Box], note: str) -> str:
    steps = "; ".join(f"{box.name}: {box.facts}" for box in boxes)
    return " ".join(part for part in (f"{steps}." if steps else "No nodes.", note) if part)
