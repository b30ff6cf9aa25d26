"""Canvas to plan: pure, standard library only."""

from gesso_server.plan.compile import compile_canvas, need
from gesso_server.plan.errors import CanvasTooLargeError, PlanError
from gesso_server.plan.plan import (
    Arrive,
    Edge,
    JoinNode,
    Node,
    Open,
    Origin,
    Plan,
    Run,
    Source,
    Start,
    TaskNode,
    runs,
)
from gesso_server.plan.tree import Call, Chain, Chord, Counts, Element, Group, Lane, Policy

__all__ = [  # noqa: RUF022  grouped by idea
    # the tree
    "Call", "Chain", "Chord", "Counts", "Element", "Group", "Lane", "Policy",
    # the plan
    "Arrive", "Edge", "JoinNode", "Node", "Open", "Origin", "Plan", "Run", "Source", "Start", "TaskNode",
    # from one to the other
    "CanvasTooLargeError", "PlanError", "compile_canvas", "need", "runs",
]
