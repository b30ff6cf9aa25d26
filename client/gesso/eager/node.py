"""Nodes of a canvas that was run here: what ran, or would have, and how it ended.

A node ends in one of these fates, and what stands behind it has its own from that:

    source              a task behind it                     a join behind it
    SUCCEEDED           runs                                 opens
    FAILED, a task      UPSTREAM, the same error             UPSTREAM, the same error
    FAILED, a join      FAILED, ChordError                   UPSTREAM, ChordError
    UPSTREAM            UPSTREAM, the same error             UPSTREAM, the same error
    IGNORED             IGNORED                              IGNORED
    CANCELLED           CANCELLED                            CANCELLED

Error links of a task run if it FAILED, which is to say by itself.

Source: semantics.md, "Chains", "Chords" and "Links, error links, replace".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from typing import Any

from gesso import errors
from gesso.canvas import Join, Signature, joins
from gesso.failure import Classes, from_task_error, type_name
from gesso.states import shown_state
from gesso.v1 import node_pb2, payload_pb2, signature_pb2, task_error_pb2

_State = node_pb2.Node.State
Stamps = Mapping[str, signature_pb2.Stamp]

REVOKED = task_error_pb2.TaskError(type=errors.TaskRevokedError.type, message="revoked")
"""What shows for a node that was cancelled."""


class Fate(Enum):
    """How a node ended."""

    SUCCEEDED = "ended well"
    FAILED = "failed by itself"
    UPSTREAM = "failed because of a node before it"
    IGNORED = "asked to be ignored, or a node before it did"
    CANCELLED = "was no longer wanted"


_STATES = {
    Fate.SUCCEEDED: _State.STATE_SUCCEEDED,
    Fate.FAILED: _State.STATE_FAILED,
    Fate.UPSTREAM: _State.STATE_FAILED,
    Fate.IGNORED: _State.STATE_IGNORED,
    Fate.CANCELLED: _State.STATE_CANCELLED,
}


@dataclass(slots=True, eq=False, kw_only=True)
class Node:
    """A task, or a join of several."""

    node_id: str
    """Its own id, `<canvas_id>-<index>`."""
    id: str
    """The id that it goes by: chosen by the caller, or its own."""
    task: str = ""
    """Name of the task. Empty for a join."""
    join: Join | None = None
    """For a join, what it needs. None for a task."""
    queue: str = ""
    """Where it would have waited. Empty for a join."""
    stamps: Stamps = field(default_factory=dict)
    """Its stamps, as the contract has them."""
    groups: tuple[Node, ...] = ()
    """The joins that it stands inside, from the outermost inwards."""
    sent: Signature[Any] | None = None
    """For a task, what was sent."""
    parent: Node | None = None
    """The step before it. None for what begins a canvas or a member."""
    children: list[Node] = field(default_factory=list)
    """Links, then the next step, then canvases that it submitted."""
    members: list[Node] = field(default_factory=list)
    """For a join, the last node of each member, in order."""
    adders: list[Node] = field(default_factory=list)
    """For a join, the tasks that added members to it."""
    dropped: list[Node] = field(default_factory=list)
    """For a join, the last nodes of members that were added when it had ended."""
    last: Node | None = None
    """For a join, the member that ended last before it did."""

    fate: Fate | None = None
    """How it ended. None before."""
    value: Any = None
    """Its value. None unless it succeeded."""
    error: task_error_pb2.TaskError | None = None
    """What it ended with, when it failed."""
    cause: Node | None = None
    """When it failed, the node whose own failure it was at first."""
    raised: BaseException | None = None
    """The exception itself, for a task whose function raised it."""
    custom_state: str = ""
    """The state that it set for itself before it asked to be ignored."""
    custom_meta: payload_pb2.Payload | None = None
    """What it said about that."""
    retries: int = 0
    """How often it asked to be run again."""
    done: datetime | None = None
    """When it ended."""

    @property
    def chosen_id(self) -> str:
        """The id that was chosen for it; empty for none."""
        return self.id if self.id != self.node_id else ""

    @property
    def joins(self) -> bool:
        """Whether it is a join."""
        return self.join is not None

    def end(self, fate: Fate, value: Any = None) -> None:
        """End without an error."""
        self.fate, self.value, self.done = fate, value, datetime.now(UTC)

    def fail(self, fate: Fate, error: task_error_pb2.TaskError, cause: Node | None = None) -> None:
        """End with an error, which `cause` had first; None means that it is the node's own."""
        self.fate, self.error, self.cause, self.done = fate, error, cause or self, datetime.now(UTC)

    def exception(self, classes: Classes) -> BaseException | None:
        """Return what it ended with, as a new exception; None if that was no error."""
        error = REVOKED if self.fate is Fate.CANCELLED else self.error
        return None if error is None else from_task_error(error, classes)

    def inherit(self, source: Node) -> None:
        """End because of the node in front, which did not succeed."""
        if source.error is None:
            self.end(Fate.IGNORED if source.fate is Fate.IGNORED else Fate.CANCELLED)
        elif source.joins and source.fate is Fate.FAILED:
            self.fail(Fate.UPSTREAM if self.joins else Fate.FAILED, _chord_error(source), source.cause)
        else:
            self.fail(Fate.UPSTREAM, source.error, source.cause)

    @property
    def shown(self) -> Any:
        """Its value as clients get it: without those of tasks that ask for theirs to be ignored."""
        if self.sent is not None and self.sent.options.get("ignore_result"):
            return None
        if self.join == joins.DEFAULT and self.fate is Fate.SUCCEEDED:
            return [member.shown for member in self.members]
        return self.value

    @property
    def state(self) -> str:
        """Its state as results show it."""
        return shown_state(self.message().state, self.custom_state)

    def message(self) -> node_pb2.Node:
        """Return what the service would say of it."""
        ended = [member.fate for member in self.members]
        found = node_pb2.Node(
            handle=node_pb2.Handle(
                node_id=self.node_id,
                task_id=self.chosen_id,
                kind=node_pb2.Node.KIND_JOIN if self.joins else node_pb2.Node.KIND_TASK,
                member_count=len(self.members),
            ),
            state=_State.STATE_UNSPECIFIED if self.fate is None else _STATES[self.fate],
            custom_state=self.custom_state,
            custom_meta=self.custom_meta,
            task=self.task,
            queue=self.queue,
            error=self.error,
            failure_count=self.retries + (self.fate is Fate.FAILED and self.cause is self and not self.joins),
            group_ids=[join.id for join in self.groups],
            stamps=self.stamps,
            succeeded_count=ended.count(Fate.SUCCEEDED),
            ended_count=len(ended),
        )
        if self.done is not None:
            found.finish_time.FromDatetime(self.done)
        return found


def last_task(node: Node | None) -> Node | None:
    """Return the task that ended last of what a node stands for; of a join without members, the one before it."""
    while node is not None and node.joins:
        node = node.last or node.parent
    return node


def unmet(join: Node) -> task_error_pb2.TaskError:
    """Return the error of a join that did not get what it needs, though no member failed."""
    text = "the join did not get what it needs, or not in time"
    return task_error_pb2.TaskError(
        type=errors.JoinTimeout.type, message=text, node_id=join.node_id, task_id=join.chosen_id
    )


def _chord_error(join: Node) -> task_error_pb2.TaskError:
    """Return the error of what stands directly behind a join that failed."""
    inner, cause = join.error or task_error_pb2.TaskError(), join.cause or join
    name = inner.type.rpartition(".")[2]
    return task_error_pb2.TaskError(
        type=type_name(errors.ChordError),
        message=f"Dependency {cause.id} raised {name}({inner.message!r})",
        cause=inner,
        node_id=cause.node_id,
        task_id=cause.chosen_id,
    )
