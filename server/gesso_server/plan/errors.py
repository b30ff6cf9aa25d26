"""Why a canvas cannot be compiled.

PlanError
├── CanvasTooLargeError
└── DuplicateIdError
"""

from __future__ import annotations


class PlanError(Exception):
    """A canvas cannot be compiled."""


class CanvasTooLargeError(PlanError):
    """A canvas comes to more nodes than are allowed."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"the canvas comes to more than {limit} nodes")
        self.limit = limit


class DuplicateIdError(PlanError):
    """Two nodes of a canvas have one id."""

    def __init__(self, task_id: str) -> None:
        super().__init__("two nodes of the canvas have one id")
        self.task_id = task_id
