"""Canvases run in this process, at once and one task after the other.

It is what `apply()` and `App(always_eager=True)` do, and what the live system is held equal to.
"""

from gesso.eager.evaluator import Evaluator, Project
from gesso.eager.node import Fate, Node
from gesso.eager.result import EagerGroupResult, EagerResult, ended, sent_here
from gesso.eager.running import applied

__all__ = [  # noqa: RUF022 - by idea
    # Running a canvas.
    "applied",
    "EagerResult",
    "EagerGroupResult",
    # What the reference says.
    "Evaluator",
    "Project",
    "Node",
    "Fate",
    "ended",
    "sent_here",
]
