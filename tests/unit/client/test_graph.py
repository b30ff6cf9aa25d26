"""Graphs of results."""

from __future__ import annotations

from dataclasses import dataclass, field
from io import StringIO

import pytest

from gesso import IncompleteStream
from gesso.graph import DependencyGraph, graph_of, walk


@dataclass(eq=False)
class Node:
    """A result made by hand."""

    name: str
    children: list[Node] = field(default_factory=list)
    ended: bool = True

    def __str__(self) -> str:
        return self.name

    def ready(self) -> bool:
        """Return whether it has ended."""
        return self.ended


def made() -> DependencyGraph[str]:
    """Return a graph of three: `a` before `b` before `c`."""
    return graph_of([(None, "a"), ("a", "b"), ("b", "c")])


def test_walking_yields_the_nearest_first() -> None:
    """A result comes before what stands behind it, and all of one distance before those further away."""
    root = Node("a", [Node("b", [Node("d")]), Node("c")])

    assert [(str(above), str(node)) for above, node in walk(root, intermediate=False)] == [
        ("None", "a"),
        ("a", "b"),
        ("a", "c"),
        ("b", "d"),
    ]


def test_walking_stops_at_what_has_not_ended() -> None:
    """What has not ended has no children yet: an error, unless it may be passed over."""
    root = Node("a", [Node("b", [Node("c")], ended=False), Node("d")])

    with pytest.raises(IncompleteStream, match="b has not ended"):
        list(walk(root, intermediate=False))
    assert [str(node) for _, node in walk(root, intermediate=True)] == ["a", "b", "d"]


def test_valency_counts_everything_behind() -> None:
    """The number of a node is how many stand behind it, at any distance."""
    graph = made()

    assert [graph.valency_of(node) for node in ("a", "b", "c", "elsewhere")] == [2, 1, 0, 0]


def test_text_is_as_the_guide_shows_it() -> None:
    """Nodes that something stands behind are shown, those with the least first."""
    assert repr(made()) == "b(1)\n    c(0)\na(2)\n    b(1)\n        c(0)"


def test_text_of_a_node_alone() -> None:
    """A graph of one node shows it."""
    assert repr(graph_of([(None, "a")])) == "a(0)"


def test_topological_order_ends_with_what_is_first() -> None:
    """Every node comes after everything that stands behind it."""
    assert made().topsort() == ["c", "b", "a"]


def test_a_long_chain_is_no_trouble() -> None:
    """Nothing recurses."""
    graph: DependencyGraph[int] = graph_of([(None, 0), *((i, i + 1) for i in range(3_000))])

    assert graph.valency_of(0) == 3_000
    assert graph.topsort()[-1] == 0


def test_dot_quotes_names() -> None:
    """A name with a quote in it is written so that Graphviz reads it."""
    written = StringIO()

    graph_of([(None, 'a"b')]).to_dot(written)

    assert '"a\\"b"' in written.getvalue()


def test_a_graph_is_a_collection_of_nodes() -> None:
    """It has a length, is asked what it contains, and gives what stands directly behind a node."""
    graph = made()

    assert list(graph) == ["a", "b", "c"]
    assert len(graph) == 3
    assert "b" in graph
    assert graph["a"] == ["b"]
    assert list(graph.edges()) == ["a", "b"]
