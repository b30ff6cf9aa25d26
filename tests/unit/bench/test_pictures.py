"""The pictures."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from bench import bars, curves
from bench.results import Results
from bench.scale_run import Outcome, Plan

_SVG = "{http://www.w3.org/2000/svg}"


def _texts(picture: str) -> list[str]:
    return [each.text or "" for each in ET.fromstring(picture).iter(f"{_SVG}text")]  # noqa: S314 - our own


def test_bars_show_every_measure_and_every_system(results: Results) -> None:
    """It is well-formed, with what was said escaped, and says n/a where there is nothing."""
    texts = _texts(bars.draw(results))
    assert texts.count("Gesso") == texts.count("Celery") == texts.count("Dramatiq") == 8
    assert "n/a: no <callback>" in texts
    assert any("a <machine> & more" in text for text in texts)


def test_bars_are_as_long_as_their_figures(results: Results) -> None:
    """Gesso's rate is ten times Celery's, and so is its bar."""
    lengths = {}
    for box in ET.fromstring(bars.draw(results)).iter(f"{_SVG}rect"):  # noqa: S314
        hint = box.find(f"{_SVG}title")
        lengths[hint.text if hint is not None else ""] = float(box.attrib["width"])
    assert lengths["gesso: 5,000"] == pytest.approx(10 * lengths["celery: 500 · 10 ×"], rel=0.01)


def test_pictures_can_be_read_in_light_and_dark(results: Results) -> None:
    """They have colours for both, and a text for those who do not see them."""
    picture = bars.draw(results)
    root = ET.fromstring(picture)  # noqa: S314
    assert "prefers-color-scheme: dark" in picture
    assert root.attrib["role"] == "img"
    described = root.find(f"{_SVG}desc")
    assert described is not None
    assert "a group of 10,000 and its values: Gesso 5,000 tasks/s" in (described.text or "")


@pytest.mark.parametrize(
    ("values", "ticks"),
    [
        ([1_000, 1_000_000], [1e3, 1e4, 1e5, 1e6]),
        ([120, 450], [100, 200, 500]),
        ([300], [200, 500]),
        ([1], [0.5, 1, 2]),
        ([0.003, 0.9], [0.001, 0.01, 0.1, 1]),
    ],
)
def test_axes_have_room_for_all_values(values: list[float], ticks: list[float]) -> None:
    """They begin and end at a tick, whatever the values are."""
    axis = curves.scale_of(values, 0, 100)
    assert list(axis.ticks) == pytest.approx(ticks)
    assert all(0 <= axis.at(value) <= 100 for value in values)
    assert axis.at(ticks[0]) == 0
    assert axis.at(ticks[-1]) == pytest.approx(100)


def test_curves_leave_out_what_was_not_measured() -> None:
    """A run that failed has no point, and a question without points no panel."""
    done = Outcome(plan=Plan(kind="group", size=1_000), total_s=0.2)
    failed = Outcome(plan=Plan(kind="group", size=10_000), fault="it broke")
    panels = curves.panels([done, failed], [], [])
    assert [(panel.title, dict(panel.lines)["group"]) for panel in panels] == [
        ("time a task, µs", [(1_000, 200.0)])
    ]
    assert "time a task, µs" in _texts(curves.draw(panels, {}))


def test_a_picture_of_nothing_is_a_picture() -> None:
    """When every run failed there is still a file."""
    assert "Gesso as it grows" in _texts(curves.draw([], {}))
