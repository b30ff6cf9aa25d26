"""Every node knows the joins that wait for it."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

from hypothesis import given

from gesso_server.plan import Arrive, Element, JoinNode, Plan, TaskNode, compile_canvas
from gesso_server.store.records import Place, parse_join_body, parse_task_body, stored_nodes
from support.trees import call, canvases, chain, chord, group


def places(element: Element) -> dict[str, tuple[int, ...]]:
    """Return the joins around each task of a canvas, by its name."""
    nodes = compile_canvas(element, node_limit=1000).nodes
    return {node.call.body.decode(): node.groups for node in nodes if isinstance(node, TaskNode)}


def waiting(plan: Plan) -> list[set[int]]:
    """Return the joins that wait for each node, found by following the plan: it arrives there, or what is behind it."""
    behind: list[list[int]] = [[] for _ in plan.nodes]
    for index, node in enumerate(plan.nodes):
        if node.source is not None:
            behind[node.source.index].append(index)

    @cache
    def found(number: int) -> frozenset[int]:
        joins = {edge.join for edge in plan.nodes[number].edges if isinstance(edge, Arrive)}
        around = joins.union(*(found(join) for join in joins))
        # A join that begins behind a node waits for what is in it; those around a node come before the node.
        return frozenset(
            around.union(*({join for join in found(each) if join < number} for each in behind[number]))
        )

    return [set(found(number)) for number in range(len(plan.nodes))]


def test_steps_of_a_member_stand_in_its_group() -> None:
    """Not only the first and the last: the group waits for each of them, and so do those around it."""
    inner = group(call("b"), chain(call("c"), call("d"), call("e")))

    assert places(group(call("a"), chain(inner, call("f")))) == {
        "a": (0,), "b": (0, 2), "c": (0, 2), "d": (0, 2), "e": (0, 2), "f": (0,),
    }  # fmt: skip


def test_a_body_stands_outside_of_its_header() -> None:
    """And inside whatever the chord stands in."""
    assert places(chord([call("a")], call("b"))) == {"a": (0,), "b": ()}
    assert places(group(chord([call("a")], call("b")), call("c"))) == {"a": (0, 1), "b": (0,), "c": (0,)}


def test_no_group_waits_for_a_link() -> None:
    """A link of a member stands in none of its groups; a group that is linked has its own."""
    linked = group(call("a", call("b"), group(call("c"), call("d"))), call("e"))

    assert places(linked) == {"a": (0,), "b": (), "c": (3,), "d": (3,), "e": (0,)}


@given(canvases())
def test_places_are_the_joins_that_wait(element: Element) -> None:
    """However canvases are nested: exactly those joins wait for a node that it is said to stand in."""
    plan = compile_canvas(element, node_limit=1_000_000)

    assert [set(node.groups) for node in plan.nodes] == waiting(plan)


@given(canvases())
def test_places_are_stored_and_read(element: Element) -> None:
    """What is read of a stored node is what was compiled."""
    plan = compile_canvas(element, node_limit=1_000_000)

    for node, (_, _, body) in zip(plan.nodes, stored_nodes(plan), strict=True):
        found = parse_join_body(body).place if isinstance(node, JoinNode) else parse_task_body(body).place
        ends = any(isinstance(edge, Arrive) for edge in node.edges)
        assert found == Place(node.groups, node.group is not None, ends)


def test_members_of_one_group_store_no_more_than_its_index() -> None:
    """The common case costs nothing: a task in no group stores an empty line, a member of one the group's index."""
    plan = compile_canvas(chain(call("a"), group(call("b"), call("c"))), node_limit=1000)

    assert [body for *_, body in stored_nodes(plan)] == [b"\na", b"|0a||2,2,1", b"1\nb", b"1\nc"]


def test_any_id_is_stored_and_read() -> None:
    """An id may hold whatever separates the parts of a body."""
    for task_id in ("plain", "a|b|c", "3.17<", "|"):
        named = replace(group(call("a"), call("b")), task_id=task_id)
        plan = compile_canvas(named, node_limit=1000)
        name, _, body = next(stored_nodes(plan))

        assert name == f"0 {task_id}"
        assert parse_join_body(body).task_id == task_id
        place = Place((3, 17), begins=True, ends=True)
        assert parse_task_body(f"3.17|{task_id}\nrest".encode()) == (place, task_id, b"rest")
