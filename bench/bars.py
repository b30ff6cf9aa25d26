"""The picture of a comparison: a panel for each measure, a bar for each system, with the range as a whisker."""

from __future__ import annotations

from bench.drawing import SERIES, Drawing
from bench.measures import MEASURES, Measure
from bench.results import Results
from bench.table import number, ratio_text

_COLUMNS, _PANEL_WIDTH, _PANEL_GAP = 2, 440, 30
_MARGIN, _TOP = 24, 84
_BAR, _BAR_GAP, _HEAD, _FOOT = 18, 8, 26, 22
_NAME_WIDTH, _VALUE_WIDTH = 92, 130


def draw(results: Results) -> str:
    """Return the picture as SVG."""
    panel_height = _HEAD + len(results.systems) * (_BAR + _BAR_GAP) + _FOOT
    rows = -(-len(MEASURES) // _COLUMNS)
    width = 2 * _MARGIN + _COLUMNS * _PANEL_WIDTH + (_COLUMNS - 1) * _PANEL_GAP
    drawing = Drawing(
        width, _TOP + rows * panel_height + _MARGIN, "Gesso and its peers, side by side", _described(results)
    )
    drawing.text((_MARGIN, 34), "Gesso and its peers, side by side, in one run", "title")
    told = results.conditions
    drawing.text((_MARGIN, 56), f"{told.get('machine', '')} · {told.get('when', '')}", "soft")
    drawing.text((_MARGIN, 73), "Medians; the thin lines are the ranges. × is Gesso to each peer.", "soft")
    for at, measure in enumerate(MEASURES):
        x = _MARGIN + at % _COLUMNS * (_PANEL_WIDTH + _PANEL_GAP)
        _panel(drawing, results, measure, (x, _TOP + at // _COLUMNS * panel_height))
    return drawing.finished()


def _panel(drawing: Drawing, results: Results, measure: Measure, at: tuple[float, float]) -> None:
    x, y = at
    better = "less is better" if measure.is_time else "more is better"
    drawing.text((x, y + 14), results.title(measure), "head")
    drawing.text((x + _PANEL_WIDTH, y + 14), f"{measure.unit}, {better}", "soft", "end")
    spreads = [results.spread(system, measure.key) for system in results.systems]
    most = max((spread.high for spread in spreads if spread), default=0.0)
    scale = (_PANEL_WIDTH - _NAME_WIDTH - _VALUE_WIDTH) / most if most else 0.0
    own = spreads[0]
    for place, (system, spread) in enumerate(zip(results.systems, spreads, strict=True)):
        top = y + _HEAD + place * (_BAR + _BAR_GAP)
        middle, left = top + _BAR / 2, x + _NAME_WIDTH
        drawing.text((x, middle + 4), system.capitalize())
        if spread is None:
            drawing.text((left, middle + 4), f"n/a: {results.fault(system, measure.key)}"[:58], "soft")
            continue
        text = number(spread.median)
        if system in results.peers and own is not None:
            text += f" · {ratio_text(own.to(spread))}"
        drawing.box((left, top), (max(spread.median * scale, 1), _BAR), SERIES[place], f"{system}: {text}")
        drawing.line((left + spread.low * scale, middle), (left + spread.high * scale, middle), "range")
        drawing.text((left + spread.high * scale + 6, middle + 4), text)


def _described(results: Results) -> str:
    parts = []
    for measure in MEASURES:
        found = ((system, results.spread(system, measure.key)) for system in results.systems)
        texts = (
            f"{system.capitalize()} {number(spread.median)} {measure.unit}"
            for system, spread in found
            if spread
        )
        parts.append(f"{results.title(measure)}: {', '.join(texts) or 'not measured'}.")
    return " ".join(parts)
