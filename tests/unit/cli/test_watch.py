"""How `gesso watch` shows events: as a tree, in lines, as JSON."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import StringIO

from rich.console import Console

from gesso import CanvasEvent, GroupEvent, NodeEvent, ResetEvent, SnapshotEvent
from gesso.cli.board import Board
from gesso.cli.told_events import Lines, canvas_line, json_line

ID = "0" * 32
START = datetime(2026, 11, 21, tzinfo=UTC)
CANVAS = CanvasEvent(
    id=ID, state="active", node_count=103, ended_count=37, last_id=f"{ID}-102", submitted=START, finished=None
)  # fmt: skip


def node(
    index: int, *, task: str = "", state: str = "waiting", members: int = 0, ended: int = 0
) -> NodeEvent:
    """Return a task, or a group."""
    return NodeEvent(
        id=f"{ID}-{index}", node_id=f"{ID}-{index}", task=task, state=state, error=None, parent_id="", groups=(),
        member_count=members, succeeded_count=ended, ended_count=ended, attempts=0, worker="", ran=None, finished=None,
    )  # fmt: skip


FAILED = replace(node(7, task="tasks.mail", state="failed"), error=ValueError("no"))
DONE = replace(node(0, task="tasks.begin", state="succeeded"), ran=timedelta(milliseconds=12))
GROUP = node(1, state="open", members=100, ended=37)
COUNTS = GroupEvent(
    node_id=f"{ID}-1", counts={"waiting": 60, "running": 3, "succeeded": 36, "failed": 1}, failures=(FAILED,)
)


def drawn(board: Board) -> list[str]:
    """Return what a board looks like."""
    console = Console(file=StringIO(), width=200)
    console.print(board)
    assert isinstance(console.file, StringIO)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def test_board_draws_steps_bars_times_and_errors() -> None:
    """The tree has steps in order, a bar and counts for a large group, and the members of it that failed."""
    board = Board()
    for event in (COUNTS, CANVAS, node(102, task="tasks.end"), GROUP, DONE, COUNTS, SnapshotEvent()):
        board.take(event)

    bar = "━" * 24
    assert drawn(board) == [
        f"canvas {ID}  ○ active, 37 of 103 ended",
        "├── tasks.begin  ✓ succeeded, 12.0 ms",
        f"├── group of 100  ○ open  {bar} 37/100  3 running, 36 succeeded, 1 failed",
        "│   └── tasks.mail  ✗ failed  ValueError: no",
        "└── tasks.end  ○ waiting",
    ]


def test_board_draws_members_under_their_group_until_it_is_counted() -> None:
    """What is inside a small group stands under it; when the group comes to be counted it is not drawn any more."""
    board = Board()
    inside = replace(node(2, task="tasks.part", state="running"), groups=(f"{ID}-1",), attempts=1)
    for event in (CANVAS, GROUP, inside):
        board.take(event)
    assert drawn(board)[2] == "    └── tasks.part  ▶ running, 0.00 ms"

    board.take(COUNTS)
    assert len(drawn(board)) == 3
    board.take(ResetEvent())
    assert drawn(board) == ["waiting for the coordinator"]


def test_lines_tell_each_step_once_and_a_group_by_its_tenths() -> None:
    """Elsewhere than on a terminal a line comes when a task begins or ends, and when a tenth of a group has ended."""
    lines = Lines()
    assert lines.line(CANVAS) == f"canvas {ID}: active, 37 of 103 ended"
    assert lines.line(replace(CANVAS, ended_count=38)) == ""
    assert lines.line(DONE) == f"tasks.begin {ID}-0: succeeded, 12.0 ms"
    assert lines.line(DONE) == ""
    assert lines.line(GROUP) == f"group of 100 {ID}-1: open, 37 ended"
    assert lines.line(replace(GROUP, ended_count=39)) == ""
    assert lines.line(replace(GROUP, ended_count=40)) == f"group of 100 {ID}-1: open, 40 ended"
    assert lines.line(COUNTS).splitlines() == [
        f"members of {ID}-1: 3 running, 36 succeeded, 1 failed",
        f"  tasks.mail {ID}-7: failed: ValueError: no",
    ]
    assert lines.line(COUNTS) == ""


def test_json_has_everything_of_an_event() -> None:
    """Each event is one object that says what it is, errors and times included."""
    found = json.loads(json_line(COUNTS))
    assert (found["event"], found["counts"]["succeeded"]) == ("group", 36)
    assert found["failures"][0]["error"] == {"type": "ValueError", "message": "no"}
    assert json.loads(json_line(DONE))["ran"] == 0.012
    assert json.loads(json_line(CANVAS))["submitted"] == START.isoformat()
    assert json.loads(json_line(SnapshotEvent())) == {"event": "snapshot"}
    ended = replace(CANVAS, state="failed", ended_count=103, finished=START + timedelta(seconds=2))
    assert canvas_line(ended) == f"canvas {ID}: failed, 103 of 103 ended, 2.00 s"
