"""What is true of every plan."""

from __future__ import annotations

import random
from collections import Counter
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from gesso_server.plan import Arrive, Edge, Element, JoinNode, Open, Plan, Start, TaskNode, compile_canvas
from support.plan_rule import PlanRun
from support.reference import Reference
from support.trees import canvases, names


def compiled(element: Element) -> Plan:
    """Compile without a limit that matters."""
    return compile_canvas(element, node_limit=1_000_000)


def edges(plan: Plan) -> list[list[Edge]]:
    """Return the edges of the start, and then of every node."""
    return [plan.start, *(node.edges for node in plan.nodes)]


@given(canvases())
def test_every_call_is_one_node(element: Element) -> None:
    """Nothing is lost or doubled on the way from tree to plan."""
    found = Counter(node.call.body.decode() for node in compiled(element).nodes if isinstance(node, TaskNode))

    assert found == Counter(names(element))


@given(canvases())
def test_every_node_has_one_control_edge(element: Element) -> None:
    """Each node is started or opened by exactly one edge, and by its source's."""
    plan = compiled(element)
    sources: list[list[int | None]] = [[] for _ in plan.nodes]
    for source, listed in zip([None, *range(len(plan.nodes))], edges(plan), strict=True):
        for edge in listed:
            if isinstance(edge, Start | Open):
                for index in edge.run.indexes:
                    sources[index].append(source)

    assert sources == [[node.source.index if node.source else None] for node in plan.nodes]


@given(canvases())
def test_edges_lead_to_nodes_of_their_kind(element: Element) -> None:
    """Tasks are started by their lane, joins are opened and arrived at, and nothing leads out of the plan."""
    plan = compiled(element)
    for listed in edges(plan):
        for edge in listed:
            match edge:
                case Start(run, lane):
                    nodes = [plan.nodes[index] for index in run.indexes]
                    assert all(isinstance(node, TaskNode) and node.lane == lane for node in nodes)
                case Open(run):
                    assert all(isinstance(plan.nodes[index], JoinNode) for index in run.indexes)
                case Arrive(join):
                    assert isinstance(plan.nodes[join], JoinNode)
                case _:
                    raise AssertionError(edge)


@given(canvases())
def test_joins_are_opened_before_anything_is_started(element: Element) -> None:
    """Among a node's edges the opening ones come first."""
    for listed in edges(compiled(element)):
        kinds = [(Open, Start, Arrive).index(type(edge)) for edge in listed]
        assert kinds == sorted(kinds)


@given(canvases())
def test_inputs_of_a_join_ascend_and_arrive_at_it(element: Element) -> None:
    """A join's inputs stand in member order, and each has one edge to it."""
    plan = compiled(element)
    for index, node in enumerate(plan.nodes):
        if isinstance(node, JoinNode):
            inputs = [i for run in node.inputs for i in run.indexes]
            assert all(first < second for first, second in pairwise(inputs))
            assert inputs == [i for i, other in enumerate(plan.nodes) if Arrive(index) in other.edges]


@given(canvases())
def test_edges_are_no_more_than_linear(element: Element) -> None:
    """The number of edges is bounded by two a node, whatever the nesting."""
    plan = compiled(element)

    assert sum(map(len, edges(plan))) <= 2 * len(plan.nodes)


@given(canvases(), st.randoms(use_true_random=False), st.sampled_from([0, 0.1, 0.4]))
def test_plan_means_what_the_canvas_means(element: Element, rng: random.Random, trouble: float) -> None:
    """The rule applied to the plan, in any order and with any failures, ends every node as the semantics say."""
    plan = compiled(element)
    run = PlanRun(plan)
    ended: dict[str, tuple[str, int]] = {}

    def fate(index: int) -> str:
        node = plan.nodes[index]
        assert isinstance(node, TaskNode)
        state = rng.choice("FFI") if rng.random() < trouble else "S"
        ended[node.call.body.decode()] = (state, len(ended))
        return state

    run.run(fate, rng.choice)
    reference = Reference(ended)
    expected = reference.evaluate(element)

    assert run.ends.keys() == set(range(len(plan.nodes)))
    assert {name for name, told in reference.told.items() if told.ran} == ended.keys()
    for index, node in enumerate(plan.nodes):
        if isinstance(node, TaskNode):
            told, end = reference.told[node.call.body.decode()], run.ends[index]
            assert (end.state, end.behind_join) == (told.state, told.chord_error)
            assert (None if end.cause is None else _name(plan, end.cause)) == told.cause
    assert expected is not None
    assert plan.last is not None
    assert run.ends[plan.last].state.replace("U", "F") == expected.kind
    if expected.kind == "S":
        assert run.value(plan.last) == expected.value


def _name(plan: Plan, index: int) -> str:
    node = plan.nodes[index]
    assert isinstance(node, TaskNode)
    return node.call.body.decode()
