"""The picture of scale: a panel for each question, with both axes logarithmic."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from bench.drawing import SERIES, Drawing
from bench.scale_report import MB
from bench.scale_run import PARTS, Outcome
from bench.table import number

_COLUMNS, _WIDTH, _HEIGHT, _GAP = 2, 440, 260, 40
_MARGIN, _TOP = 24, 84
_LEFT, _PLOT_TOP, _PLOT_BOTTOM, _RIGHT = 56, 48, 30, 10

_FINE = 30
"""Values further apart than this have powers of ten alone as ticks."""
_EXACT = 1 + 1e-9
_LEAST_S, _LEAST_MB = 0.001, 0.1
"""What is shown of less: a logarithm has no nothing."""

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One plot."""

    title: str
    across: str
    """What the horizontal axis is."""
    lines: Mapping[str, Points]
    """By name; those without points are left out. All values are positive."""
    target: float | None = None
    """A height that is not to be exceeded."""


def panels(outcomes: Sequence[Outcome], grid: Sequence[Outcome], payloads: Sequence[Outcome]) -> list[Panel]:
    """Return what is to be drawn.

    Args:
        outcomes: Groups, chords and backlogs of all sizes.
        grid: Groups of one size by different numbers of processes.
        payloads: Echoes of all payloads.
    """
    kinds = {
        kind: [each for each in outcomes if each.plan.kind == kind] for kind in ("group", "chord", "backlog")
    }
    size = "members"
    found = [
        Panel(
            title="time a task, µs", across=size,
            lines={kind: _points(runs, lambda each: each.us_a_task) for kind, runs in kinds.items()},
        ),
        Panel(
            title="chord: seconds from its last member to its body", across=size, target=1,
            lines={
                "handed over": _points(kinds["chord"], lambda each: _at_least(each.handover_s, _LEAST_S)),
                "called": _points(kinds["chord"], lambda each: each.call_s),
            },
        ),
        Panel(title="backlog, all waiting: MB over idle", across=size, lines=_memory(kinds["backlog"], _waiting)),
        Panel(title="chord: most MB over idle", across=size, lines=_memory(kinds["chord"], _most)),
        Panel(
            title="backlog: bytes in the store for a waiting node", across=size, target=300,
            lines={"store": _points(kinds["backlog"], lambda each: each.store_bytes_a_node)},
        ),
        Panel(
            title="group: time a task by worker processes, µs", across="worker processes",
            lines={
                f"{count} coordinator{'s' if count > 1 else ''}": _points(
                    [each for each in grid if each.plan.coordinators == count],
                    lambda each: each.us_a_task,
                    lambda each: each.plan.workers,
                )
                for count in sorted({each.plan.coordinators for each in grid})
            },
        ),
        Panel(
            title="echo: time a task by payload, µs", across="bytes each way",
            lines={"echo": _points(payloads, lambda each: each.us_a_task, lambda each: each.plan.payload)},
        ),
    ]  # fmt: skip
    return [panel for panel in found if any(panel.lines.values())]


def draw(found: Sequence[Panel], conditions: Mapping[str, str]) -> str:
    """Return the picture as SVG."""
    rows = -(-len(found) // _COLUMNS)
    width = 2 * _MARGIN + _COLUMNS * _WIDTH + (_COLUMNS - 1) * _GAP
    height = _TOP + rows * (_HEIGHT + _GAP) + _MARGIN
    drawing = Drawing(width, height, "Gesso as it grows", " ".join(map(_described, found)))
    drawing.text((_MARGIN, 34), "Gesso as it grows", "title")
    drawing.text((_MARGIN, 56), f"{conditions.get('machine', '')} · {conditions.get('when', '')}", "soft")
    drawing.text(
        (_MARGIN, 73),
        f"Both axes are logarithmic; what is under {_LEAST_S} s or {_LEAST_MB} MB is shown there. Dashed: a target.",
        "soft",
    )
    for at, panel in enumerate(found):
        x = _MARGIN + at % _COLUMNS * (_WIDTH + _GAP)
        _draw(drawing, panel, (x, _TOP + at // _COLUMNS * (_HEIGHT + _GAP)))
    return drawing.finished()


@dataclass(frozen=True, slots=True)
class Scale:
    """A logarithmic axis: from the first tick to the last one, onto pixels."""

    ticks: Sequence[float]
    """Powers of ten, or numbers that begin with 1, 2 or 5; at least two, growing."""
    begin: float
    end: float

    def at(self, value: float) -> float:
        """Return where a value stands."""
        part = math.log(value / self.ticks[0]) / math.log(self.ticks[-1] / self.ticks[0])
        return self.begin + part * (self.end - self.begin)


def scale_of(values: Iterable[float], begin: float, end: float) -> Scale:
    """Return an axis with room for all values, which are positive and at least one."""
    held = list(values)
    low, high = min(held), max(held)
    leads = (1,) if high / low >= _FINE else (1, 2, 5)
    first, last = math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 1
    marks = [lead * 10.0**power for power in range(first, last + 1) for lead in leads]
    below = max(at for at, mark in enumerate(marks) if mark <= low * _EXACT)
    above = min(at for at, mark in enumerate(marks) if mark * _EXACT >= high)
    if below == above:
        below, above = below - 1, above + 1
    return Scale(marks[below : above + 1], begin, end)


def tick_text(value: float) -> str:
    """Return a short text for a tick."""
    for unit, letter in ((1e6, "M"), (1e3, "k")):
        if value >= unit:
            return f"{value / unit:g}{letter}" if value / unit >= 100 else f"{value / unit:.3g}{letter}"  # noqa: PLR2004
    return f"{value:.3g}"


def _draw(drawing: Drawing, panel: Panel, at: tuple[float, float]) -> None:
    x, y = at
    points = [point for line in panel.lines.values() for point in line]
    across = scale_of((value for value, _ in points), x + _LEFT, x + _WIDTH - _RIGHT)
    heights = [value for _, value in points] + ([panel.target] if panel.target else [])
    up = scale_of(heights, y + _HEIGHT - _PLOT_BOTTOM, y + _PLOT_TOP)
    drawing.text((x, y + 14), panel.title, "head")
    for tick in up.ticks:
        drawing.line((across.begin, up.at(tick)), (across.end, up.at(tick)), "grid")
        drawing.text((across.begin - 6, up.at(tick) + 4), tick_text(tick), "soft", "end")
    for value in sorted({value for value, _ in points}):
        drawing.text((across.at(value), up.begin + 16), tick_text(value), "soft", "middle")
    drawing.line((across.begin, up.begin), (across.end, up.begin), "axis")
    drawing.text((across.end, up.begin + 30), panel.across, "soft", "end")
    if panel.target:
        drawing.line((across.begin, up.at(panel.target)), (across.end, up.at(panel.target)), "target")
    left = x
    for series, (name, line) in zip(
        SERIES, ((n, each) for n, each in panel.lines.items() if each), strict=False
    ):
        drawing.box((left, y + 24), (10, 10), series)
        drawing.text((left + 15, y + 33), name, "soft")
        left += 30 + 7 * len(name)
        hints = [f"{name}, {value:,.0f} {panel.across}: {number(height)}" for value, height in line]
        drawing.curve([(across.at(value), up.at(height)) for value, height in line], series, hints)


def _points(
    outcomes: Iterable[Outcome],
    height: Callable[[Outcome], float | None],
    across: Callable[[Outcome], float] = lambda each: each.plan.size,
) -> Points:
    """Return the points that are known and positive, from left to right."""
    found = ((across(each), height(each)) for each in outcomes)
    return sorted((value, known) for value, known in found if known is not None and known > 0)


def _memory(outcomes: Sequence[Outcome], grown: Callable[[Outcome, str], int | None]) -> dict[str, Points]:
    def megabytes(part: str) -> Callable[[Outcome], float | None]:
        return lambda each: _at_least(_divided(grown(each, part)), _LEAST_MB)

    return {part: _points(outcomes, megabytes(part)) for part in PARTS}


def _waiting(outcome: Outcome, part: str) -> int | None:
    return outcome.grown(outcome.submitting if part == "client" else outcome.waiting, part)


def _most(outcome: Outcome, part: str) -> int | None:
    phases = [outcome.grown(phase, part) for phase in (outcome.submitting, outcome.running)]
    return max((phase for phase in phases if phase is not None), default=None)


def _divided(size: int | None) -> float | None:
    return None if size is None else size / MB


def _at_least(value: float | None, least: float) -> float | None:
    """Return what a logarithmic axis can show of a value that may be next to nothing."""
    return None if value is None else max(value, least)


def _described(panel: Panel) -> str:
    lines = (
        f"{name}: " + ", ".join(f"{number(height)} at {value:,.0f}" for value, height in line)
        for name, line in panel.lines.items()
        if line
    )
    return f"{panel.title}, by {panel.across}. {'; '.join(lines)}."
