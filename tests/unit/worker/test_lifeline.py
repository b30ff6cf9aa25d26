"""What a parent and a child tell each other."""

from __future__ import annotations

import pytest

from gesso_worker.blame import DeadSession
from gesso_worker.config import WorkerConfig
from gesso_worker.lifeline import Farewell, Note, Orders, Ready, Refused, Unloadable, note_line, parse_note
from gesso_worker.token import Token


def test_orders_survive_the_way() -> None:
    """A child reads what its parent wrote, in one line."""
    crashed = (Token("node-1", 2, 2**64 - 1), Token("knöten", 1, 0))
    orders = Orders(
        config=WorkerConfig(app="proj", queues=("a", "b")),
        worker="host:1/2",
        session_id="s" * 32,
        page=9,
        dead_sessions=(
            DeadSession(session_id="d" * 32, crashed=crashed),
            DeadSession(session_id="e", crashed=()),
        ),
    )

    line = orders.to_line()

    assert Orders.from_line(line) == orders
    assert (line.count(b"\n"), line[-1:]) == (1, b"\n")


@pytest.mark.parametrize(
    "note",
    [Ready(task_count=5), Unloadable(reason="line 1\nline 2"), Refused(reason="no"), Farewell()],
    ids=repr,
)
def test_notes_survive_the_way(note: Note) -> None:
    """A parent reads what its child wrote, in one line."""
    line = note_line(note)

    assert parse_note(line) == note
    assert line.count(b"\n") == 1


@pytest.mark.parametrize("line", [b"{}", b"[]", b'{"note":"ready"}', b"x"])
def test_anything_else_is_no_note(line: bytes) -> None:
    """It is refused."""
    with pytest.raises(ValueError, match=r"note|Expecting"):
        parse_note(line)
