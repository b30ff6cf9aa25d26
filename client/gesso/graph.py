"""Graphs of results: which result stands behind which, as text and for Graphviz.

    graph = result.graph
    graph.to_dot(file)

A graph maps each node to the nodes behind it, in the order they were found.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, ItemsView, Iterable, Iterator, Sequence
from typing import Generic, Protocol, Self, TypeVar

from gesso.errors import IncompleteStream

__all__ = ["DependencyGraph", "Writer", "graph_of", "walk"]

N = TypeVar("N", bound=Hashable)
T = TypeVar("T", bound="Tree")

_HEAD = 'digraph dependencies {\n    graph [bgcolor="mintcream"]'
_NODE = 'arrowhead="vee", fontname="HelveticaNeue", shape="oval", style="filled"'
_INNER = f'{_NODE}, color="palegreen4", fillcolor="palegreen3"'
_LEAF = f'{_NODE}, color="palegreen2", fillcolor="palegreen1"'
_EDGE = 'arrowcolor="black", arrowsize="0.7", color="darkseagreen4"'


class Tree(Protocol):
    """What can be walked: a result."""

    @property
    def children(self) -> Sequence[Self]:
        """What stands directly behind it."""
        ...

    def ready(self) -> bool:
        """Return whether it has ended, so that its children are known."""
        ...


def walk(root: T, *, intermediate: bool) -> Iterator[tuple[T | None, T]]:
    """Yield a result and what stands behind it, each with what it is a child of; the nearest first.

    Args:
        intermediate: Whether what has not ended is passed over.

    Raises:
        IncompleteStream: If something has not ended and is not to be passed over.
    """
    todo: deque[tuple[T | None, T]] = deque([(None, root)])
    while todo:
        above, node = todo.popleft()
        yield above, node
        if node.ready():
            todo.extend((node, child) for child in node.children)
        elif not intermediate:
            raise IncompleteStream(f"{node} has not ended.")


class Writer(Protocol):
    """What a graph is written to: a file opened for text."""

    def write(self, text: str, /) -> object:
        """Write a text."""


class DependencyGraph(Generic[N]):
    """Nodes, and those that stand behind each. A tree, or several; never a circle.

    Its text has each node that something stands behind, those with the least first, and under each what follows;
    the number of a node is how many stand behind it, at any distance.
    """

    def __init__(self) -> None:
        self._behind: dict[N, list[N]] = {}

    def add_arc(self, node: N) -> None:
        """Add a node, unless it is there."""
        self._behind.setdefault(node, [])

    def add_edge(self, node: N, behind: N) -> None:
        """Say that `behind`, which is added, too, stands behind `node`, which is there.

        Raises:
            KeyError: If `node` is not there.
        """
        self._behind[node].append(behind)
        self.add_arc(behind)

    def valency_of(self, node: N) -> int:
        """Return how many nodes stand behind one, at any distance; 0 for one that is not there."""
        return sum(1 for _ in self._below(node))

    def edges(self) -> Iterator[N]:
        """Yield the nodes that something stands behind."""
        return (node for node, behind in self._behind.items() if behind)

    def items(self) -> ItemsView[N, list[N]]:
        """Return the nodes with those directly behind each."""
        return self._behind.items()

    def topsort(self) -> list[N]:
        """Return the nodes such that each comes after everything that stands behind it."""
        order: dict[N, None] = {}
        for root in self._behind:
            todo = [(root, False)]
            while todo:
                node, left = todo.pop()
                if left:
                    order.setdefault(node)
                elif node not in order:
                    todo.append((node, True))
                    todo.extend((behind, False) for behind in reversed(self._behind[node]))
        return list(order)

    def to_dot(self, fh: Writer) -> None:
        """Write it in Graphviz's language."""
        fh.write(f"{_HEAD}\n")
        for node, behind in self._behind.items():
            fh.write(f"    {_quoted(node)} [{_INNER if behind else _LEAF}]\n")
        for node, behind in self._behind.items():
            for each in behind:
                fh.write(f"    {_quoted(node)} -> {_quoted(each)} [{_EDGE}]\n")
        fh.write("}\n")

    def __iter__(self) -> Iterator[N]:
        return iter(self._behind)

    def __len__(self) -> int:
        return len(self._behind)

    def __contains__(self, node: object) -> bool:
        return node in self._behind

    def __getitem__(self, node: N) -> list[N]:
        return self._behind[node]

    def __repr__(self) -> str:
        valencies = {node: self.valency_of(node) for node in self._behind}
        shown = sorted(self.edges(), key=valencies.__getitem__) or list(self._behind)
        return "\n".join(line for root in shown for line in self._lines(root, valencies))

    def _lines(self, root: N, valencies: dict[N, int]) -> Iterable[str]:
        yield f"{root}({valencies[root]})"
        for depth, node in self._below(root):
            yield f"{'    ' * depth}{node}({valencies[node]})"

    def _below(self, root: N) -> Iterator[tuple[int, N]]:
        """Yield what stands behind a node, depth first, with its distance."""
        todo = [(1, node) for node in reversed(self._behind.get(root, []))]
        while todo:
            depth, node = todo.pop()
            yield depth, node
            todo.extend((depth + 1, each) for each in reversed(self._behind[node]))


def graph_of(pairs: Iterable[tuple[N | None, N]]) -> DependencyGraph[N]:
    """Return the graph of nodes, each given with what it stands behind."""
    graph: DependencyGraph[N] = DependencyGraph()
    for above, node in pairs:
        graph.add_arc(node)
        if above is not None:
            graph.add_edge(above, node)
    return graph


def _quoted(node: object) -> str:
    text = str(node).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'
