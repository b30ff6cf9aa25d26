"""What the documentation tells of metrics is what there is."""

from __future__ import annotations

import re
from pathlib import Path

from gesso_server.dispatch import metrics
from gesso_worker.metrics import PROCESS_DURATION, SLOTS

ROOT = Path(__file__).parents[3]
ROW = re.compile(
    r"^\| `([a-z._]+)` \| ([a-z -]+), `([^`]+)` \|([^|]*)\| ([^|]+) \| ([^|]+) \|$", re.MULTILINE
)


def test_page_tells_of_every_metric() -> None:
    """Each metric stands on the page with its kind, unit, attributes and meaning, and no other one does."""
    rows = ROW.findall((ROOT / "docs" / "metrics.md").read_text())

    told = [
        (name, kind, unit, tuple(re.findall("`([^`]+)`", labels)), text)
        for name, kind, unit, labels, text, _ in rows
    ]

    assert told == [
        (metric.name, metric.kind.value, metric.unit, metric.labels, metric.text)
        for metric in (*metrics.OWN, *metrics.SHARED, PROCESS_DURATION, SLOTS)
    ]
