"""What a join makes of its members: when it has what it needs, or can no longer get it.

Source: semantics.md, "Chords", join policy.
"""

from __future__ import annotations

import time
from typing import assert_never

from gesso import states
from gesso.canvas import Canvas
from gesso.canvas.joins import All, First, Join, Quorum, Settled
from gesso.eager.node import Fate, Node, unmet
from gesso.failure import Classes
from gesso.states import shown_state
from gesso.values import Outcome


class Tally:
    """Counts the members of one join as they end, one after the other.

    Args:
        node: The join. It may have ended already, because of what it stands behind.
        classes: What the errors among its outcomes may become.
    """

    def __init__(self, node: Node, classes: Classes) -> None:
        self.node = node
        self.added: list[tuple[Canvas, Node]] = []
        """Members that its tasks added, each with the task, which are still to be run."""
        self._join = join = node.join or Join()
        self._classes = classes
        self._due = None if join.deadline is None else time.monotonic() + join.deadline
        self._succeeded: list[Node] = []
        self._outcomes: list[Outcome] = []
        self._failed: Node | None = None

    @property
    def cancels(self) -> bool:
        """Whether members that are yet to begin are no longer wanted."""
        return self._join.cancel_rest and self.node.fate is not None

    def expect(self, count: int) -> None:
        """Take in how many members there are, before the first one; fewer than needed fail at once."""
        match self._join.policy:
            case Quorum(needed):
                pass
            case First():
                needed = 1
            case _:
                needed = 0
        if self.node.fate is None and count < needed:
            self.node.fail(Fate.FAILED, unmet(self.node))

    def arrive(self, member: Node) -> None:
        """Take in the next member, which has ended."""
        self.node.members.append(member)
        late = self._due is not None and time.monotonic() > self._due
        self._outcomes.append(Outcome(states.PENDING) if late else self._outcome(member))
        if self.node.fate is not None:
            return
        self.node.last = member
        match self._join.policy:
            case Settled():
                return
            case _ if late:
                self.node.fail(Fate.FAILED, unmet(self.node))
            case All():
                self._all(member)
            case Quorum(count):
                self._quorum(member, count)
            case First():
                self._quorum(member, 1)
            case _:
                assert_never(self._join.policy)

    def close(self) -> None:
        """Take in that there are no more members."""
        if self.node.fate is not None:
            return
        match self._join.policy:
            case All():
                self.node.end(Fate.SUCCEEDED, [each.value for each in self._succeeded])
            case Settled():
                self.node.end(Fate.SUCCEEDED, self._outcomes)
            case _ if self._failed is not None and self._failed.cause is not None:
                self._fail(self._failed.cause)
            case _:
                self.node.fail(Fate.FAILED, unmet(self.node))

    def _all(self, member: Node) -> None:
        if member.cause is not None:
            self._fail(member.cause)
        elif member.fate is Fate.SUCCEEDED:
            self._succeeded.append(member)
        else:
            self.node.end(Fate.IGNORED)

    def _quorum(self, member: Node, count: int) -> None:
        if member.fate is Fate.SUCCEEDED:
            self._succeeded.append(member)
        elif self._failed is None and member.cause is not None:
            self._failed = member
        if len(self._succeeded) == count:
            values = [each.value for each in self._succeeded]
            self.node.end(Fate.SUCCEEDED, values[0] if isinstance(self._join.policy, First) else values)

    def _fail(self, cause: Node) -> None:
        """Fail with the error that a task inside had first."""
        if cause.error is not None:
            self.node.fail(Fate.FAILED, cause.error, cause)

    def _outcome(self, member: Node) -> Outcome:
        shown = shown_state(member.message().state)  # without what it set for itself, as the contract has it
        return Outcome(shown, member.value, member.exception(self._classes))
