"""When a worker counts as one that does not work, and when not."""

from __future__ import annotations

from datetime import timedelta

from gesso_server.dispatch.standstill import Standstill
from gesso_server.store.calls import TokenRef

FIRST, SECOND = TokenRef("a" * 32, 0, 1, "0" * 12), TokenRef("a" * 32, 1, 1, "1" * 12)
LIMIT_S = 15.0


def standing(*, slots: int = 1) -> Standstill:
    """Return what watches a worker that was just given two tasks."""
    standstill = Standstill(slots=slots, limit=timedelta(seconds=LIMIT_S))
    standstill.holds((FIRST, SECOND))
    assert standstill.overdue(0.0) == []
    return standstill


def test_worker_that_begins_nothing_is_found_in_time() -> None:
    """What it holds goes elsewhere after the limit, not before."""
    standstill = standing()

    assert standstill.overdue(LIMIT_S - 0.1) == []
    assert standstill.overdue(LIMIT_S) == [FIRST, SECOND]


def test_worker_with_full_slots_works() -> None:
    """However long a task runs, what waits for its slot does so by right; when it ended, the time begins anew."""
    standstill = standing()
    standstill.began((FIRST,))

    assert standstill.overdue(LIMIT_S * 100) == []
    standstill.parted((FIRST,))
    assert standstill.overdue(LIMIT_S * 101) == []
    assert standstill.overdue(LIMIT_S * 102) == [SECOND]


def test_each_deed_begins_the_time_anew() -> None:
    """A worker with a free slot that begins, ends or returns something works."""
    standstill = standing(slots=2)
    standstill.began((FIRST,))

    assert standstill.overdue(LIMIT_S) == []
    assert standstill.overdue(2 * LIMIT_S - 0.1) == []
    assert standstill.overdue(2 * LIMIT_S) == [SECOND]


def test_worker_that_holds_nothing_may_rest() -> None:
    """An idle worker is none that stands still."""
    standstill = standing()
    standstill.parted((FIRST, SECOND))

    assert standstill.overdue(LIMIT_S * 100) == []
