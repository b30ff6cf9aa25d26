"""Canvas to plan: pure, standard library only."""

from gesso_server.plan.compile import TEMPLATE_LIMIT, Room, compile_canvas, compile_growth, need
from gesso_server.plan.errors import CanvasTooLargeError, DuplicateIdError, PlanError
from gesso_server.plan.plan import (
    Arrive,
    Edge,
    Growth,
    JoinNode,
    Node,
    Open,
    Origin,
    Plan,
    Raise,
    Run,
    Source,
    Stand,
    Start,
    TaskNode,
    Template,
    Waiting,
    runs,
)
from gesso_server.plan.tree import Call, Chain, Chord, Counts, Element, Group, Lane, Policy

__all__ = [  # noqa: RUF022  grouped by idea
    # the tree
    "Call",
    "Chain",
    "Chord",
    "Counts",
    "Element",
    "Group",
    "Lane",
    "Policy",
    # the plan
    "Arrive",
    "Edge",
    "Growth",
    "JoinNode",
    "Node",
    "Open",
    "Origin",
    "Plan",
    "Raise",
    "Run",
    "Source",
    "Stand",
    "Start",
    "TaskNode",
    "Template",
    "Waiting",
    # from one to the other
    "TEMPLATE_LIMIT",
    "Room",
    "CanvasTooLargeError",
    "DuplicateIdError",
    "PlanError",
    "compile_canvas",
    "compile_growth",
    "need",
    "runs",
]
