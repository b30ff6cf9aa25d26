"""Places for boxes in layers, from left to right.

A box stands in the layer of the longest path that leads to it. An edge over several layers bends in a place of its
own in each layer between, so that it does not run through a box. In a layer everything keeps the tree's order, and
stands as near to the middle of its neighbours as the order and one row's distance allow.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean

from gesso.cli.drawing.picture import Edge, Flow

__all__ = ["Layout", "Place", "layers", "layout", "spread"]

_SWEEPS = 4


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands: a layer from 0, and a row from 0 that may lie between two."""

    layer: int
    row: float


@dataclass(frozen=True, slots=True)
class Layout:
    """Where everything stands."""

    boxes: Mapping[str, Place]
    """By the box's id."""
    ways: Sequence[Sequence[Place]]
    """Of each edge, in the flow's order: where it begins, bends and ends."""


def layers(drawn: Flow) -> dict[str, int]:
    """Return the layer of each box: how many edges the longest path to it has."""
    behind: dict[str, list[str]] = {box.id: [] for box in drawn.boxes}
    open_count = dict.fromkeys(behind, 0)
    for edge in drawn.edges:
        behind[edge.source].append(edge.target)
        open_count[edge.target] += 1
    found = dict.fromkeys(behind, 0)
    todo = [box for box, count in open_count.items() if not count]
    while todo:
        source = todo.pop()
        for target in behind[source]:
            found[target] = max(found[target], found[source] + 1)
            open_count[target] -= 1
            if not open_count[target]:
                todo.append(target)
    return found


def spread(wanted: Sequence[float]) -> list[float]:
    """Return rows as near to the wanted ones as possible, in the same order and at least 1 apart.

    Source: pool adjacent violators, the exact answer for least squares.
    """
    pools: list[tuple[float, int]] = []  # the mean, and of how many
    for place, row in enumerate(wanted):
        mean, count = row - place, 1
        while pools and pools[-1][0] >= mean:
            other, others = pools.pop()
            mean, count = (mean * count + other * others) / (count + others), count + others
        pools.append((mean, count))
    means = [mean for mean, count in pools for _ in range(count)]
    return [mean + place for place, mean in enumerate(means)]


def layout(drawn: Flow) -> Layout:
    """Return where the boxes stand and the edges run."""
    layer = layers(drawn)
    order = {box.id: number for number, box in enumerate(drawn.boxes)}
    ways = [_way(edge, layer) for edge in drawn.edges]
    columns: list[set[tuple[int, str]]] = [set() for _ in range(max(layer.values(), default=-1) + 1)]
    for box, number in layer.items():
        columns[number].add((order[box], box))
    for edge, way in zip(drawn.edges, ways, strict=True):
        for number, stop in list(enumerate(way, layer[edge.source]))[1:-1]:
            columns[number].add((order[edge.source], stop))
    rows = _rows([[stop for _, stop in sorted(column)] for column in columns], ways)
    places = {stop: Place(number, rows[stop]) for number, column in enumerate(columns) for _, stop in column}
    return Layout({box: places[box] for box in layer}, [[places[stop] for stop in way] for way in ways])


def _way(edge: Edge, layer: Mapping[str, int]) -> list[str]:
    """Return the stops of an edge, one for each layer."""
    between = range(layer[edge.source] + 1, layer[edge.target])
    bends = [f"{edge.source} to {edge.target} in {number}" for number in between]
    return [edge.source, *bends, edge.target]


def _rows(columns: Sequence[Sequence[str]], ways: Sequence[Sequence[str]]) -> dict[str, float]:
    """Return the row of each stop, the topmost 0."""
    before: dict[str, list[str]] = {}
    behind: dict[str, list[str]] = {}
    for source, target in (pair for way in ways for pair in pairwise(way)):
        before.setdefault(target, []).append(source)
        behind.setdefault(source, []).append(target)
    rows = {stop: float(place) for column in columns for place, stop in enumerate(column)}
    for sweep in range(_SWEEPS):
        near, swept = (behind, columns[::-1]) if sweep % 2 else (before, columns)
        for column in swept:
            wanted = [fmean(rows[stop] for stop in near.get(each, [each])) for each in column]
            rows.update(zip(column, spread(wanted), strict=True))
    top = min(rows.values(), default=0.0)
    return {stop: row - top for stop, row in rows.items()}
