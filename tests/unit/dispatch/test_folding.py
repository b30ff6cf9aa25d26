"""Which nodes a watch shows, and how it counts the others: canvases are compiled as they are, and their nodes told."""

from __future__ import annotations

import pytest

from gesso_server.dispatch.folding import MOST_FAILURES, Folding, GroupCounts, Ranges
from gesso_server.plan import Element, compile_canvas
from gesso_server.store.calls import Looked
from gesso_server.store.records import State, stored_nodes
from support.trees import call, calls, chain, chord, group


def looked(element: Element) -> list[Looked]:
    """Return the nodes of a canvas as they are at its start."""
    nodes = stored_nodes(compile_canvas(element, node_limit=10_000))
    return [Looked(node.record, node.body, b"", "", b"", "", {}) for node in nodes]


def shown(element: Element, limit: int, *expanded: int) -> tuple[list[int], Folding]:
    """Return the nodes of a canvas that are shown, and what folds the others."""
    folding = Folding(limit, expanded)
    nodes = enumerate(looked(element))
    return [index for index, node in nodes if folding.take(index, node, due=True)], folding


def test_small_canvas_is_shown_whole() -> None:
    """Where no group is large nothing is folded."""
    found, folding = shown(chain(call("a"), group(*calls(3)), call("b")), 3)
    assert found == [0, 1, 2, 3, 4, 5]
    assert folding.changed() == []


@pytest.mark.parametrize(
    "member",
    [
        call("m"),
        chain(call("m"), call("n")),
        chain(group(*calls(2)), call("n")),
        chord(calls(5), call("m", call("linked"))),
    ],
)
def test_nothing_inside_a_large_group_is_shown(member: Element) -> None:
    """Of a large group its join is shown, and what stands before and behind it."""
    element = chain(call("a"), group(*[member] * 10), call("b"))
    found, folding = shown(element, 9)
    assert len(found) == 3
    (counts,) = folding.changed()
    assert (counts.index, sum(counts.counts.values())) == (found[1], 10)


def test_large_group_inside_a_small_one_is_folded_there() -> None:
    """Around a folded group everything is shown."""
    found, folding = shown(group(call("a"), chain(group(*calls(10)), call("b"))), 9)
    assert len(found) == 4
    assert [sum(counts.counts.values()) for counts in folding.changed()] == [10]


def test_group_that_is_asked_for_is_shown() -> None:
    """An expanded group is not folded."""
    found, folding = shown(group(*calls(10)), 9, 0)
    assert len(found) == 11
    assert folding.changed() == []


def test_members_are_counted_once_each_in_their_last_state() -> None:
    """A member that changes goes from one count to the other; told twice it is no change."""
    _, folding = shown(group(*calls(10)), 5)
    folding.changed()

    folding.count(3, State.RUNNING)
    folding.count(4, State.RUNNING)
    folding.count(3, State.SUCCEEDED)
    assert folding.changed() == [GroupCounts(0, {State.WAITING: 8, State.RUNNING: 1, State.SUCCEEDED: 1}, ())]
    folding.count(3, State.SUCCEEDED)
    assert folding.changed() == []


def test_first_failures_in_member_order_are_named() -> None:
    """However failures come, the first few of the members are named."""
    _, folding = shown(group(*calls(20)), 5)
    for index in range(20, 4, -1):
        folding.count(index, State.FAILED)
    (counts,) = folding.changed()
    assert counts.failures == tuple(range(5, 5 + MOST_FAILURES))


def test_join_that_is_not_due_only_says_what_is_inside() -> None:
    """A join that comes later is not shown now, but folds its members already."""
    folding = Folding(5)
    nodes = looked(group(*calls(10)))
    assert not folding.take(0, nodes[0], due=False)
    assert folding.ranges.pairs(10) == [(1, 10)]
    assert not folding.take(1, nodes[1], due=True)


def test_ranges_know_which_group_a_node_is_in() -> None:
    """Runs of one group that meet are one; those of two groups stay apart; a run takes over what is in it."""
    ranges = Ranges()
    ranges.add(10, 19, 1)
    ranges.add(20, 29, 1)
    ranges.add(30, 39, 2)
    assert ranges.pairs(10) == [(10, 29), (30, 39)]
    assert [ranges.group_of(index) for index in (9, 10, 29, 30, 39, 40)] == [None, 1, 1, 2, 2, None]

    ranges.add(5, 50, 0)
    assert ranges.pairs(10) == [(5, 50)]
    assert ranges.group_of(30) == 0
