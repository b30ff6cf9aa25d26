"""The dashboard shows what there is: every metric of a coordinator, and no other."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

from gesso_server.dispatch import metrics
from gesso_telemetry.metering import Kind, Metric

DASHBOARD = Path(__file__).parents[3] / "deploy" / "grafana" / "gesso.json"


def test_dashboard_shows_every_metric_of_a_coordinator() -> None:
    """Its queries name every metric that there is, each once at least, and no other; their labels are the metric's."""
    known = {name: metric for metric in (*metrics.OWN, *metrics.SHARED) for name in page_names(metric)}
    named: set[Metric] = set()
    for query in queries():
        for name in re.findall(r"gesso_[a-z_]+(?=\{)", query):
            assert name in known, query
            named.add(known[name])
        labels = {label.replace(".", "_") for metric in known.values() for label in metric.labels}
        used = {word for words in re.findall(r"by \(([^)]*)\)", query) for word in words.split(", ")}
        assert used <= labels | {"le", "instance"}, query

    assert named == set(known.values())


def test_dashboard_has_its_data_source_as_a_variable() -> None:
    """Every panel takes its data from the source that whoever imports it chooses, and has a place of its own."""
    board = json.loads(DASHBOARD.read_text())
    panels = board["panels"]

    assert [each["type"] for each in board["templating"]["list"]] == ["datasource", "query"]
    assert {each["datasource"]["uid"] for each in panels if each["type"] != "row"} == {"${datasource}"}
    assert len({each["id"] for each in panels}) == len(panels)
    assert len({(each["gridPos"]["x"], each["gridPos"]["y"]) for each in panels}) == len(panels)
    assert all(each["description"] for each in panels if each["type"] != "row")


def queries() -> Iterator[str]:
    """Return every query of the dashboard."""
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        for target in panel.get("targets", ()):
            yield target["expr"]


def page_names(metric: Metric) -> list[str]:
    """Return what a metric's series are called on the page for Prometheus."""
    name = metric.name.replace(".", "_") + {"s": "_seconds", "By": "_bytes"}.get(metric.unit, "")
    match metric.kind:
        case Kind.COUNTER:
            return [f"{name}_total"]
        case Kind.HISTOGRAM:
            return [f"{name}_{part}" for part in ("bucket", "count", "sum")]
        case _:
            return [name]
