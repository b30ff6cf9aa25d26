"""Every shape of canvas compiles to what `semantics.md` says it means."""

from __future__ import annotations

import random
from typing import Any

import pytest

from gesso_server.plan import (
    CanvasTooLargeError,
    Element,
    Group,
    JoinNode,
    Open,
    Plan,
    Policy,
    Run,
    Start,
    TaskNode,
    Waiting,
    compile_canvas,
)
from support.plan_rule import PlanRun
from support.trees import call, calls, chain, chord, group

LIMIT = 1_000_000
a, b, c, d, e = (call(name) for name in "abcde")


def compiled(element: Element) -> Plan:
    """Compile without a limit that matters."""
    return compile_canvas(element, node_limit=LIMIT)


def outcome(element: Element) -> tuple[Any, list[str]]:
    """Return the value of a canvas whose tasks all succeed, and the names of those that ran, sorted."""
    plan = compiled(element)
    run = PlanRun(plan)
    run.run(lambda _: "S", random.Random(1).choice)  # noqa: S311  repeatable, no secret
    assert run.ends.keys() == set(range(len(plan.nodes)))
    return None if plan.last is None else run.value(plan.last), ran(run)


def ran(run: PlanRun) -> list[str]:
    """Return the names of the tasks that were started, sorted."""
    nodes = [run.plan.nodes[index] for index in run.started]
    return sorted(node.call.body.decode() for node in nodes if isinstance(node, TaskNode))


def v(name: str, takes: Any = None) -> list[Any]:
    """Return the value of a task."""
    return [name, takes]


CHAINS = {
    "one": (chain(a), v("a")),
    "two": (chain(a, b), v("b", v("a"))),
    "nested chains flatten": (chain(chain(a, chain(b)), c), v("c", v("b", v("a")))),
    "nothing": (chain(), None),
    "nothing in nothing": (chain(chain(), chain(chain())), None),
    "only empty groups": (chain(group(), group()), []),
    "empty group first": (chain(group(), a), v("a")),
    "empty group in between": (chain(a, group(), b), v("b", v("a"))),
    "empty group last": (chain(a, group()), v("a")),
    "empty chain in between": (chain(a, chain(), b), v("b", v("a"))),
    "group of one is a step": (chain(group(a), b), v("b", v("a"))),
    "group of one in the middle": (chain(a, group(b), c), v("c", v("b", v("a")))),
    "group of one at the end": (chain(a, group(b)), v("b", v("a"))),
    "group of one chain": (chain(a, group(chain(b, c))), v("c", v("b", v("a")))),
    "group of one group of one": (chain(a, group(group(b)), c), v("c", v("b", v("a")))),
    "kept group of one": (chain(group(a, keep=True), b), v("b", [v("a")])),
    "kept group of one, chained": (chain(chain(group(a, keep=True))), [v("a")]),
    "kept group of none, chained": (chain(chain(group(keep=True)), b), v("b", [])),
    "kept group of one in a chain": (chain(chain(group(a, keep=True)), b), v("b", [v("a")])),
    "kept group of one in a group": (chain(chain(group(group(a, keep=True))), b), v("b", [v("a")])),
    "kept group of none in a chain": (chain(chain(group(keep=True)), b), v("b", [])),
    "chord without anything behind": (chain(chain(chord([a], chain())), b), v("b", [v("a")])),
    "immutable step": (chain(a, call("b", immutable=True), c), v("c", v("b"))),
    "group at the end": (chain(a, group(b, c)), [v("b", v("a")), v("c", v("a"))]),
    "group at the start": (chain(group(a, b), c), v("c", [v("a"), v("b")])),
    "group in the middle": (chain(a, group(b, c), d), v("d", [v("b", v("a")), v("c", v("a"))])),
    "two groups": (
        chain(group(a, b), group(c, d)),
        [v("c", [v("a"), v("b")]), v("d", [v("a"), v("b")])],
    ),
    "immutable behind a group": (chain(group(a, b), call("c", immutable=True)), v("c")),
}
GROUPS = {
    "empty": (group(), []),
    "one": (group(a), [v("a")]),
    "group in a group": (group(a, group(b, group(c))), [v("a"), v("b"), v("c")]),
    "empty group in a group": (group(a, group()), [v("a")]),
    "empty chain in a group": (group(a, chain()), [v("a")]),
    "member chain": (group(a, chain(b, c)), [v("a"), v("c", v("b"))]),
    "member chain that ends in a group": (
        group(a, chain(b, group(c, d))),
        [v("a"), [v("c", v("b")), v("d", v("b"))]],
    ),
    "member chord": (group(chord([a, b], c), d), [v("c", [v("a"), v("b")]), v("d")]),
}
CHORDS = {
    "plain": (chord([a, b], c), v("c", [v("a"), v("b")])),
    "empty header": (chord([], a), v("a", [])),
    "one in the header": (chord([a], b), v("b", [v("a")])),
    "immutable body": (chord([a, b], call("c", immutable=True)), v("c")),
    "group directly in the header": (chord([group(a, b)], c), v("c", [v("a"), v("b")])),
    "chain in the header": (chord([chain(a, b)], c), v("c", [v("b", v("a"))])),
    "chain ending in a group in the header": (
        chord([chain(a, group(b, c)), d], e),
        v("e", [[v("b", v("a")), v("c", v("a"))], v("d")]),
    ),
    "chain as body": (chord([a], chain(b, c)), v("c", v("b", [v("a")]))),
    "group as body": (chord([a, b], group(c, d)), [v("c", [v("a"), v("b")]), v("d", [v("a"), v("b")])]),
    "group of one as body": (chord([a], group(b)), [v("b", [v("a")])]),
    "chord in a chord's header": (chord([chord([a], b), c], d), v("d", [v("b", [v("a")]), v("c")])),
    "chord as body": (chord([a], chord([b], c)), v("c", [v("b", [v("a")])])),
    "behind a step": (chain(a, chord([b, c], d)), v("d", [v("b", v("a")), v("c", v("a"))])),
    "in front of a step": (chain(chord([a, b], c), d), v("d", v("c", [v("a"), v("b")]))),
    "empty header behind a step": (chain(a, chord([], b)), v("b", [])),
}


@pytest.mark.parametrize(("element", "value"), CHAINS.values(), ids=CHAINS)
def test_chain_means_what_the_semantics_say(element: Element, value: Any) -> None:
    """Steps take the value before; nesting, empty elements and groups of one leave no trace."""
    assert outcome(element)[0] == value


@pytest.mark.parametrize(("element", "value"), GROUPS.values(), ids=GROUPS)
def test_group_means_what_the_semantics_say(element: Element, value: Any) -> None:
    """A group's value is the list of its members', in their order; groups directly inside are its members."""
    assert outcome(element)[0] == value


@pytest.mark.parametrize(("element", "value"), CHORDS.values(), ids=CHORDS)
def test_chord_means_what_the_semantics_say(element: Element, value: Any) -> None:
    """A body takes the list of the header's values, in their order."""
    assert outcome(element)[0] == value


LINKS = {
    "of a call": (call("a", b), ["a", "b"], {"b": "a"}),
    "of a chain: behind its last task": (chain(a, c, links=[b]), ["a", "b", "c"], {"b": "c"}),
    "of a chain in a chain: behind its own last task": (
        chain(chain(a, links=[b]), c),
        ["a", "b", "c"],
        {"b": "a"},
    ),
    "of a group: behind its first member": (group(a, c, links=[b]), ["a", "b", "c"], {"b": None}),
    "of a group whose first member is a chain": (
        group(chain(a, c), d, links=[b]),
        ["a", "b", "c", "d"],
        {"b": None},
    ),
    "of a chord: behind its body": (chord([a, d], c, links=[b]), ["a", "b", "c", "d"], {"b": "c"}),
    "of a chain that ends in a group": (chain(a, group(c, d), links=[b]), ["a", "b", "c", "d"], {"b": None}),
    "of a chord with a group as body": (
        chord([a], group(c, d), links=[b]),
        ["a", "b", "c", "d"],
        {"b": None},
    ),
    "an exact duplicate, of a call": (call("a", b, b), ["a", "b"], {"b": "a"}),
    "an exact duplicate, of a chain": (chain(a, links=[b, b]), ["a", "b"], {"b": "a"}),
    "an exact duplicate, of a chain and its last task": (
        chain(call("a", b), links=[b]),
        ["a", "b"],
        {"b": "a"},
    ),
    "a link of a link": (call("a", call("b", c)), ["a", "b", "c"], {"b": "a", "c": "b"}),
    "a chain as link": (call("a", chain(b, c)), ["a", "b", "c"], {"b": "a", "c": "b"}),
    "a group as link": (call("a", group(b, c)), ["a", "b", "c"], {"b": "a", "c": "a"}),
    "a group as link of a group": (group(a, links=[group(b, c)]), ["a", "b", "c"], {"b": None, "c": None}),
    "immutable": (call("a", call("b", immutable=True)), ["a", "b"], {"b": None}),
    "of an empty group": (group(links=[b]), [], {}),
    "of a chain of nothing": (chain(links=[b]), [], {}),
}


@pytest.mark.parametrize(("element", "tasks", "takes"), LINKS.values(), ids=LINKS)
def test_link_is_run_once_with_the_value_of_its_task(
    element: Element, tasks: list[str], takes: dict[str, str | None]
) -> None:
    """Links run behind the last task of a chain or chord, and silently behind the first member of a group."""
    plan = compiled(element)
    by_name = {node.call.body.decode(): node for node in plan.nodes if isinstance(node, TaskNode)}

    assert outcome(element)[1] == tasks
    for name, giver in takes.items():
        source = by_name[name].source
        assert source is not None
        given = plan.nodes[source.index]
        assert isinstance(given, TaskNode)
        assert (given.call.body.decode() if source.takes_value else None) == giver


def test_group_of_a_million_is_a_handful_of_edges() -> None:
    """Members of one shape are runs, whatever their number and the tasks in each."""
    plan = compiled(chord([chain(x, y) for x, y in zip(calls(5000), calls(5000, "n"), strict=True)], b))

    assert len(plan.nodes) == 10_002
    assert len(plan.start) == 2
    join = plan.nodes[0]
    assert isinstance(join, JoinNode)
    assert len(join.inputs) == 1


def test_root_is_the_single_first_task() -> None:
    """A canvas that begins with a group has no root."""
    assert compiled(chain(a, group(b, c))).root == 0
    assert compiled(chain(group(a, b), c)).root is None
    assert compiled(chain()).root is None


def test_last_is_the_node_that_has_the_value() -> None:
    """Links are never the last node."""
    plan = compiled(chain(a, call("b", c, d)))

    assert plan.last == 1


def test_canvas_with_too_many_nodes_is_refused() -> None:
    """A canvas may come to exactly the limit; joins and links count."""
    canvas = chain(group(*calls(3)), call("x", b))

    assert len(compile_canvas(canvas, node_limit=6).nodes) == 6
    with pytest.raises(CanvasTooLargeError) as caught:
        compile_canvas(canvas, node_limit=5)
    assert caught.value.limit == 5


def test_many_links_are_compared_in_linear_time() -> None:
    """Thousands of links on a chain in a chain compile at once: duplicates are found without comparing each to all."""
    links = tuple(calls(20_000, "l"))
    plan = compiled(chain(chain(a, links=links), links=tuple(calls(20_000, "k"))))

    assert len(plan.nodes) == 40_001


def limited(*members: Element, most: int = 2) -> Group:
    """Return a group of which only so many members may be under way."""
    return Group(members, Policy(max_in_flight=most))


def test_members_alike_wait_as_one_entry() -> None:
    """However many members there are, they are one entry, and one edge ends them when their control edge closes."""
    plan = compiled(limited(*calls(1000)))

    join = plan.nodes[0]
    assert isinstance(join, JoinNode)
    assert join.waiting == (Waiting(1000, 1, 1, (Start(Run(1, 1, 1), 0),)),)
    assert plan.start == [Open(Run(0, 1, 1)), Start(Run(1, 1000, 1), 0, waits=True)]


def test_members_of_several_kinds_wait_in_order() -> None:
    """A member waits with all that begins it; a limited group inside keeps the entries of its own members."""
    plan = compiled(limited(a, chord([b, c], d), limited(b, c, most=1), e))

    outer, inner = plan.nodes[0], plan.nodes[6]
    assert isinstance(outer, JoinNode)
    assert isinstance(inner, JoinNode)
    assert [(each.count, each.size, each.last) for each in outer.waiting] == [
        (1, 1, 1),
        (1, 4, 5),
        (1, 3, 6),
        (1, 1, 9),
    ]
    assert outer.waiting[1].edges == (Open(Run(2, 1, 1)), Start(Run(3, 2, 1), 0))
    assert outer.waiting[2].edges == (Open(Run(6, 1, 1)),)
    assert [(each.count, each.size, each.last) for each in inner.waiting] == [(2, 1, 7)]
    begun = [index for edge in plan.start if isinstance(edge, Start | Open) for index in edge.run.indexes]
    assert sorted(begun) == [0, 1, 2, 3, 4, 6, 7, 8, 9]
