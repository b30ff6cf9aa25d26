"""The table for the terminal."""

from __future__ import annotations

import pytest

from bench import table
from bench.results import Results
from bench.targets import judge


@pytest.mark.parametrize(
    ("value", "text"), [(0.123, "0.12"), (12.34, "12.3"), (999.6, "1,000"), (1_234_567.0, "1,234,567")]
)
def test_figures_have_three_digits_that_matter(value: float, text: str) -> None:
    """Or all those before the point."""
    assert table.number(value) == text


def test_columns_are_as_wide_as_their_widest_text() -> None:
    """Names stand to the left, figures to the right."""
    assert table.columns([["", "ab"], ["name", "c"]]) == ["      ab", "name   c"]


def test_a_row_has_each_system_and_the_ratios_to_the_peers(results: Results) -> None:
    """Median, range, and Gesso to each other one."""
    line = next(line for line in table.comparison(results) if line.startswith("a group of 10,000"))
    for part in ("5,000 tasks/s (3,333–10,000)", "500 tasks/s (500–500)", "10 ×", "5.00 ×"):
        assert part in line


def test_an_empty_cell_has_its_reason_below(results: Results) -> None:
    """The column says n/a, and a line says why."""
    lines = table.comparison(results)
    assert "n/a" in next(line for line in lines if line.startswith("a chord of 10,000"))
    assert lines[-1] == "n/a Dramatiq: no <callback> [chord]"


def test_limits_say_what_part_of_them_a_group_reaches(results: Results) -> None:
    """Half of the loop's 10,000 a second."""
    assert "0.50 ×" in table.limits(results)[1]


def test_targets_are_shown_with_their_verdicts(results: Results) -> None:
    """Missed ones stand out."""
    lines = table.verdicts({"gesso": judge(results, "gesso")})
    assert next(line for line in lines if line.startswith("group: 20")).endswith("NOT reached")
    assert next(line for line in lines if line.startswith("chord: 25")).endswith("NOT reached")
    assert next(line for line in lines if line.startswith("chain")).endswith("  reached")


def test_gesso_run_otherwise_has_a_column_and_verdicts(results: Results) -> None:
    """Ratios are of Gesso to its peers; each of its own systems is judged by itself."""
    otherwise = Results(["gesso", "gesso-placed", "celery"], results.sizes)
    for system, seconds in (("gesso", 2.0), ("gesso-placed", 0.5), ("celery", 20.0)):
        otherwise.add(system, "group", [seconds])

    head, *_ = table.comparison(otherwise)
    judged = {system: judge(otherwise, system) for system in otherwise.own}
    line = next(line for line in table.verdicts(judged) if line.startswith("group: 20"))

    assert head.split() == ["Gesso", "Gesso-placed", "Celery", "to", "Celery"]
    assert line.split()[-7:] == ["10", "×", "NOT", "reached", "40", "×", "reached"]
