"""The fence of one delivery, as a value."""

from __future__ import annotations

from typing import NamedTuple


class Token(NamedTuple):
    """One delivery of a task. A report counts only if its token is the task's current one.

    A tuple, because one is made, hashed and compared for every task that passes.
    """

    node_id: str
    attempt: int
    nonce: int
