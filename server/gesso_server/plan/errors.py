"""Why a canvas cannot be compiled.

PlanError
└── CanvasTooLargeError
"""

from __future__ import annotations


class PlanError(Exception):
    """A canvas cannot be compiled."""


class CanvasTooLargeError(PlanError):
    """A canvas comes to more nodes than are allowed."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"the canvas comes to more than {limit} nodes")
        self.limit = limit
