"""Results as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain

from bench.measures import LIMIT_MEASURES, MEASURES, Measure
from bench.results import LIMITS_SYSTEM, Results
from bench.spread import Spread
from bench.targets import Verdict

_WIDEST_NAME = 14


def number(value: float) -> str:
    """Return a figure with three digits that matter, or all before the point."""
    digits = 2 if abs(value) < 10 else 1 if abs(value) < 100 else 0  # noqa: PLR2004
    return f"{value:,.{digits}f}"


def spread_text(spread: Spread, unit: str) -> str:
    """Return a median and its range."""
    return f"{number(spread.median)} {unit} ({number(spread.low)}–{number(spread.high)})"


def ratio_text(ratio: float | None) -> str:
    """Return how often, or which part of, another figure this one is."""
    if ratio is None:
        return "–"
    return f"{ratio:,.0f} ×" if ratio >= 10 else f"{ratio:.2f} ×"  # noqa: PLR2004


def columns(rows: Iterable[Sequence[str]]) -> list[str]:
    """Return rows as lines, each column as wide as its widest text, the first to the left, the others to the right."""
    held = [list(row) for row in rows]
    widths = [max(len(row[at]) for row in held) for at in range(len(held[0]))]
    return [
        "  ".join(
            text.ljust(width) if at == 0 else text.rjust(width)
            for at, (text, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in held
    ]


def facts(told: Mapping[str, str]) -> list[str]:
    """Return names and what is said of them as lines."""
    return [f"{name:{_WIDEST_NAME}}  {text}" for name, text in told.items()]


def comparison(results: Results) -> list[str]:
    """Return the table of all systems, with what Gesso is to each other one, and why cells are empty."""
    others = results.peers
    head = [
        "",
        *(name.capitalize() for name in results.systems),
        *(f"to {name.capitalize()}" for name in others),
    ]
    rows = [[results.title(measure), *_cells(results, measure, others)] for measure in MEASURES]
    return [*columns([head, *rows]), *_reasons(results)]


def limits(results: Results) -> list[str]:
    """Return the limits of the same run, and the part of them that a group reaches."""
    rows = [["limits, in the same run", "", "a group's part"]]
    group = results.spread("gesso", "group")
    for measure in LIMIT_MEASURES:
        spread = results.spread(LIMITS_SYSTEM, measure.key)
        if spread is None:
            rows.append([results.title(measure), results.fault(LIMITS_SYSTEM, measure.key), "–"])
        else:
            part = group.to(spread) if group else None
            rows.append([results.title(measure), spread_text(spread, measure.unit), ratio_text(part)])
    return columns(rows)


def verdicts(judged: Mapping[str, Iterable[Verdict]]) -> list[str]:
    """Return each target, what each of Gesso's own systems reached and whether that is enough."""
    words = {True: "reached", False: "NOT reached", None: "unknown"}
    rows = [["to reach", "bound", *chain.from_iterable((name.capitalize(), "") for name in judged)]]
    for standing in zip(*judged.values(), strict=True):
        target = standing[0].target
        bound = f"{'≤' if target.at_most else '≥'} {ratio_text(target.factor)}"
        found = [(ratio_text(verdict.ratio), words[verdict.reached]) for verdict in standing]
        rows.append([target.text, bound, *chain.from_iterable(found)])
    return columns(rows)


def _cells(results: Results, measure: Measure, others: Sequence[str]) -> list[str]:
    own = results.spread("gesso", measure.key)
    cells = []
    for system in results.systems:
        spread = results.spread(system, measure.key)
        cells.append("n/a" if spread is None else spread_text(spread, measure.unit))
    for system in others:
        other = results.spread(system, measure.key)
        cells.append(ratio_text(own.to(other) if own and other else None))
    return cells


def _reasons(results: Results) -> list[str]:
    """Return why cells are empty, each reason once."""
    reasons: dict[str, list[str]] = {}
    for system in results.systems:
        for measure in MEASURES:
            reason = results.fault(system, measure.key)
            if reason:
                reasons.setdefault(f"{system.capitalize()}: {reason}", []).append(measure.key)
    return [f"n/a {reason} [{', '.join(keys)}]" for reason, keys in reasons.items()]
