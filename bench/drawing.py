"""SVG by hand: text, lines and boxes, in colours that can be told apart on light and on dark ground."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

SERIES = ("a", "b", "c", "d")
"""Names of the colours."""

# Ground, ink, soft ink, grid, and Okabe and Ito's hues for the series, told apart by people who see fewer colours.
_LIGHT = ("#ffffff", "#1b1f24", "#57606a", "#d0d7de", "#0072b2", "#b34f00", "#00775a", "#93458f")
_DARK = ("#0d1117", "#f0f3f6", "#9ea7b3", "#30363d", "#56b4e9", "#e69f00", "#2fc598", "#dd94c4")
# Colours are said twice, not as variables, which some programs that show pictures do not know.
_STYLE = (
    "text {{ font: 13px system-ui, sans-serif; }} .title {{ font-size: 17px; font-weight: 600; }} "
    ".head {{ font-weight: 600; }} .soft {{ font-size: 12px; }} .range {{ stroke-width: 1.5; }} "
    ".target {{ stroke-dasharray: 5 4; }} .line {{ fill: none; stroke-width: 2; }}\n{}\n"
    "@media (prefers-color-scheme: dark) {{\n{}\n}}"
)


def _colours(ground: str, ink: str, soft: str, grid: str, *series: str) -> str:
    rules = [
        f".ground {{ fill: {ground}; }} text {{ fill: {ink}; }} .soft {{ fill: {soft}; }} .grid {{ stroke: {grid}; }}",
        f".axis, .target {{ stroke: {soft}; }} .range {{ stroke: {ink}; }}",
        *(
            f".fill-{name} {{ fill: {colour}; }} .line-{name} {{ stroke: {colour}; }}"
            for name, colour in zip(SERIES, series, strict=True)
        ),
    ]
    return "\n".join(rules)


class Drawing:
    """A picture that grows; the origin is at the top left."""

    def __init__(self, width: int, height: int, title: str, description: str) -> None:
        """Begin it.

        Args:
            width: In pixels.
            height: In pixels.
            title: Said by screen readers, too.
            description: What is to be seen, for those who do not see it.
        """
        opening = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}"'
        self._parts = [
            f'{opening} height="{height}" role="img" aria-labelledby="title desc">',
            f'<title id="title">{escape(title)}</title>',
            f'<desc id="desc">{escape(description)}</desc>',
            f"<style>{_STYLE.format(_colours(*_LIGHT), _colours(*_DARK))}</style>",
            f'<rect class="ground" width="{width}" height="{height}"/>',
        ]

    def text(self, at: tuple[float, float], text: str, kind: str = "", anchor: str = "start") -> None:
        """Write a line; `at` is on its base line."""
        self._parts.append(
            f'<text x="{at[0]:.1f}" y="{at[1]:.1f}" class="{kind}" text-anchor="{anchor}">{escape(text)}</text>'
        )

    def box(self, at: tuple[float, float], size: tuple[float, float], series: str, hint: str = "") -> None:
        """Fill a box, with what a pointer on it is told."""
        self._parts.append(
            f'<rect x="{at[0]:.1f}" y="{at[1]:.1f}" width="{size[0]:.1f}" height="{size[1]:.1f}" rx="2" '
            f'class="fill-{series}"><title>{escape(hint)}</title></rect>'
        )

    def line(self, begin: tuple[float, float], end: tuple[float, float], kind: str) -> None:
        """Draw a straight line."""
        self._parts.append(
            f'<line x1="{begin[0]:.1f}" y1="{begin[1]:.1f}" x2="{end[0]:.1f}" y2="{end[1]:.1f}" class="{kind}"/>'
        )

    def curve(self, points: Sequence[tuple[float, float]], series: str, hints: Iterable[str]) -> None:
        """Draw a line through points, each with a dot and what a pointer on it is told."""
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self._parts.append(f'<polyline points="{path}" class="line line-{series}"/>')
        for (x, y), hint in zip(points, hints, strict=True):
            dot = f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" class="fill-{series}">'
            self._parts.append(f"{dot}<title>{escape(hint)}</title></circle>")

    def finished(self) -> str:
        """Return the file's text."""
        return "\n".join([*self._parts, "</svg>", ""])
