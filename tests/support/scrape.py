"""A page of metrics, read as Prometheus reads it."""

from __future__ import annotations

import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

LIMIT_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Page:
    """A page as it was at one time."""

    kinds: Mapping[str, str]
    """By metric, what it is."""
    samples: Mapping[tuple[str, frozenset[tuple[str, str]]], float]
    """By name and labels; an empty one is none."""

    def value(self, name: str, **labels: str) -> float:
        """Return a sample, 0 if there is none."""
        return self.samples.get((name, frozenset(labels.items())), 0.0)

    def by(self, name: str, *labels: str) -> dict[str, float]:
        """Return the samples of a metric that are not 0, by the values of labels with colons between."""
        found: dict[str, float] = {}
        for (sample, pairs), value in self.samples.items():
            if sample == name and value:
                known = dict(pairs)
                found[":".join(known[label] for label in labels if label in known)] = value
        return found

    def fell(self, before: Page) -> list[str]:
        """Return what only grows and is less than on a page before."""
        return [
            name
            for (name, labels), value in before.samples.items()
            if name.endswith(("_total", "_count", "_sum", "_bucket"))
            and self.samples.get((name, labels), 0.0) < value
        ]


def scrape(address: str) -> Page:
    """Read the page of a coordinator, given by its HTTP address."""
    text = fetch(address, "/metrics")[1]
    families = list(text_string_to_metric_families(text))
    return Page(
        {family.name: family.type for family in families},
        {
            (sample.name, frozenset(pair for pair in sample.labels.items() if pair[1])): sample.value
            for family in families
            for sample in family.samples
        },
    )


def fetch(address: str, path: str) -> tuple[int, str]:
    """Return status and text of a page."""
    request = urllib.request.Request(f"http://{address}{path}")
    opener = urllib.request.build_opener(_Every())
    with opener.open(request, timeout=LIMIT_SECONDS) as response:
        return response.status, response.read().decode()


class _Every(urllib.request.HTTPErrorProcessor):
    """Takes every status as an answer."""

    def http_response(self, request: object, response: object) -> object:
        del request
        return response
