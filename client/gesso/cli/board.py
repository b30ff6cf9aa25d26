"""A canvas that is watched, as a tree that is drawn anew while it changes: steps, groups with bars, times, errors."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import timedelta

from rich.text import Text
from rich.tree import Tree

from gesso.cli.drawing.looks import look
from gesso.cli.drawing.picture import span_text
from gesso.watching import CanvasEvent, GroupEvent, NodeEvent, ResetEvent, SnapshotEvent, WatchEvent

__all__ = ["Board", "counted", "error_text"]

_BAR_WIDTH = 24
_MOST_ERROR = 200
"""Characters of an error's text."""
_WELL = frozenset({"succeeded", "ignored", "dropped"})


class Board:
    """What is known of a canvas.

    Attributes:
        canvas: The canvas; None before it is known.
        nodes: Its tasks and groups, by their own ids.
    """

    def __init__(self) -> None:
        self.canvas: CanvasEvent | None = None
        self.nodes: dict[str, NodeEvent] = {}
        self._groups: dict[str, GroupEvent] = {}
        self._running: dict[str, float] = {}
        """Since when each task runs, by this process's steady clock, as far as that was seen."""

    def take(self, event: WatchEvent) -> None:
        """Take an event over."""
        match event:
            case CanvasEvent():
                self.canvas = event
            case NodeEvent():
                self._take_node(event)
            case GroupEvent():
                if event.node_id not in self._groups:
                    self._drop_members(event.node_id)
                self._groups[event.node_id] = event
            case ResetEvent():
                self.__init__()  # type: ignore[misc]  # it knows nothing again
            case SnapshotEvent():
                pass

    def last_error(self) -> BaseException | None:
        """Return the error of the node whose value is the canvas's, None for none."""
        last = self.nodes.get(self.canvas.last_id) if self.canvas else None
        return last.error if last else None

    def __rich__(self) -> Tree:
        tree = Tree(self._title(), guide_style="dim")
        places = {node.id: node.node_id for node in self.nodes.values()}
        branches: dict[str, Tree] = {}
        for node in sorted(self.nodes.values(), key=_number):
            around = places.get(node.groups[-1], "") if node.groups else ""
            branch = branches.get(around, tree).add(self._line(node))
            branches[node.node_id] = branch
            for failed in self._failures(node):
                branch.add(_row(failed, span_text(failed.ran)))
        return tree

    def _take_node(self, node: NodeEvent) -> None:
        before = self.nodes.get(node.node_id)
        if node.state == "running" and (before is None or before.attempts != node.attempts):
            self._running[node.node_id] = time.monotonic()
        elif node.state != "running":
            self._running.pop(node.node_id, None)
        self.nodes[node.node_id] = node

    def _drop_members(self, join: str) -> None:
        """Forget what is inside a group that is counted from now on."""
        shown = self.nodes[join].id if join in self.nodes else join
        for node_id in [each for each, node in self.nodes.items() if {join, shown} & set(node.groups)]:
            del self.nodes[node_id]

    def _failures(self, node: NodeEvent) -> Sequence[NodeEvent]:
        group = self._groups.get(node.node_id)
        return group.failures if group else ()

    def _title(self) -> Text:
        canvas = self.canvas
        if canvas is None:
            return Text("waiting for the coordinator", "dim")
        shown = look(canvas.state)
        span = canvas.finished - canvas.submitted if canvas.finished else None
        facts = [
            f"{shown.sign} {canvas.state}",
            f"{canvas.ended_count:,} of {canvas.node_count:,} ended",
            span_text(span),
        ]
        return Text.assemble((f"canvas {canvas.id}  ", "bold"), (", ".join(filter(None, facts)), shown.style))

    def _line(self, node: NodeEvent) -> Text:
        if node.task:
            since = self._running.get(node.node_id)
            running = timedelta(seconds=int(time.monotonic() - since)) if since is not None else None
            return _row(node, span_text(node.ran or running))
        group = self._groups.get(node.node_id)
        counts = counted(group.counts) if group else ""
        ended = node.ended_count
        bar = _bar(ended, node.member_count)
        told = f" {ended:,}/{node.member_count:,}" + (f"  {counts}" if counts else "")
        return Text.assemble(_row(node, ""), "  ", bar, told)


def counted(counts: Mapping[str, int]) -> str:
    """Return how many members are in which state, without those that wait."""
    return ", ".join(f"{count:,} {state}" for state, count in counts.items() if state != "waiting")


def error_text(error: BaseException) -> str:
    """Return an error in one line."""
    text = f"{type(error).__name__}: {error}".partition("\n")[0]
    return text if len(text) <= _MOST_ERROR else text[: _MOST_ERROR - 3] + "..."


def _row(node: NodeEvent, took: str) -> Text:
    shown = look(node.state)
    facts = ", ".join(filter(None, (f"{shown.sign} {node.state}", took)))
    row = Text.assemble(f"{node.task or f'group of {node.member_count:,}'}  ", (facts, shown.style))
    if node.error is not None:
        row.append(f"  {error_text(node.error)}", "red")
    return row


def _bar(done: int, total: int) -> Text:
    full = _BAR_WIDTH * done // total if total else 0
    return Text.assemble(("━" * full, "green"), ("━" * (_BAR_WIDTH - full), "dim"))


def _number(node: NodeEvent) -> int:
    return int(node.node_id.rpartition("-")[2])
