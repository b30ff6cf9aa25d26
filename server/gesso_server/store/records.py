"""Nodes as the store keeps them. `scripts/lib/nodes.lua` has the format and is the only other place that knows it.

A node's body is what never changes and what no script reads: for a task a line with the join that it begins a
member of, and the caller's bytes; for a join its inputs in header order.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, assert_never

from gesso_server.plan import Arrive, Edge, JoinNode, Node, Open, Plan, Run, Source, Start, TaskNode, need


class State(StrEnum):
    """Where a node is in its life; the values are the records' letters."""

    WAITING = "W"
    DELAYED = "T"
    GRANTED = "G"
    RUNNING = "R"
    RETRY_WAIT = "Y"
    CANCELLING = "K"
    REPLACED = "P"
    OPEN = "O"
    SUCCEEDED = "S"
    FAILED = "F"
    FAILED_UPSTREAM = "U"
    DEAD = "D"
    REVOKED = "V"
    EXPIRED = "X"
    CANCELLED = "C"
    IGNORED = "I"
    DROPPED = "N"

    @property
    def final(self) -> bool:
        """Whether a node in it stays in it."""
        return self in _FINAL

    @property
    def own_failure(self) -> bool:
        """Whether a node in it failed by itself."""
        return self in _OWN_FAILURE


_FINAL = frozenset("SFUDVXCIN")
_OWN_FAILURE = frozenset("FDVX")


class StoredNode(NamedTuple):
    """One node, ready to be stored."""

    index: int
    record: str
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A node's record, read."""

    state: State
    join: bool
    source: int | None
    edges: str
    deliveries: int = 0
    crashes: int = 0
    failures: int = 0
    succeeded: int = 0
    ended: int = 0
    total: int = 0
    cause: int | None = None
    """The node whose own failure this is."""
    behind_join: bool = False
    """Whether it failed because the join before it did."""
    start_ms: int | None = None
    finish_ms: int | None = None


def stored_nodes(plan: Plan) -> Iterator[StoredNode]:
    """Return a plan's nodes as they are stored, by index."""
    for index, node in enumerate(plan.nodes):
        yield StoredNode(index, _record(node), _body(node))


def lane_texts(plan: Plan) -> list[str]:
    """Return a plan's lanes as they are stored, by number."""
    return [f"{lane.priority}|{lane.queue}|{'t' if lane.timed else ''}|{lane.task}" for lane in plan.lanes]


def edges_text(edges: list[Edge]) -> str:
    """Return edges as text, in their order."""
    return ";".join(map(_edge, edges))


def parse_edges(text: str) -> list[Edge]:
    """Read edges."""
    return [_parse_edge(part) for part in text.split(";") if part]


def _parse_edge(text: str) -> Edge:
    if text.startswith("+"):
        return Arrive(int(text[1:]))
    on_failure = text.startswith("!")
    kind, numbers = text[on_failure], list(map(int, text[on_failure + 1 :].split(",")))
    run = Run(*numbers[:3])
    return Open(run, on_failure) if kind == ")" else Start(run, numbers[3], on_failure)


def _record(node: Node) -> str:
    match node:
        case TaskNode():
            return f"W/{node.lane}|{_source(node.source)}|{edges_text(node.edges)}|{node.call.timing}"
        case JoinNode():
            first = f"J{need(node)},{node.policy.counts.value},{node.total}"
            return f"O0,0,-,-/{first}|{_source(node.source)}|{edges_text(node.edges)}|"
        case _:
            assert_never(node)


def _body(node: Node) -> bytes:
    group = "" if node.group is None else str(node.group)
    match node:
        case TaskNode():
            return f"{group}\n".encode() + node.call.body
        case JoinNode():
            inputs = ";".join(f"{run.first},{run.count},{run.stride}" for run in node.inputs)
            return f"{group}|{int(node.policy.single)}{node.policy.counts.value}|{inputs}".encode()
        case _:
            assert_never(node)


def _source(source: Source | None) -> str:
    if source is None:
        return ""
    letter = source.origin.value
    return f"{letter.upper() if source.takes_value else letter}{source.index}"


def _edge(edge: Edge) -> str:
    match edge:
        case Arrive(join):
            return f"+{join}"
        case Start(run, lane, on_failure):
            return f"{'!' if on_failure else ''}>{run.first},{run.count},{run.stride},{lane}"
        case Open(run, on_failure):
            return f"{'!' if on_failure else ''}){run.first},{run.count},{run.stride}"
        case _:
            assert_never(edge)


def parse_record(text: str) -> Record:
    """Read a node's record."""
    dynamic, _, static = text[1:].partition("/")
    state = State(text[0])
    first, source, edges, _ = static.split("|", 3)
    parts = dynamic.split(",") if dynamic else []
    origin = int(source[1:]) if source else None
    if first.startswith("J"):
        succeeded, ended, cause, _, *finish = parts
        return Record(
            state=state, join=True, source=origin, edges=edges, succeeded=int(succeeded), ended=int(ended),
            total=int(first.rsplit(",", 1)[1]), cause=_number(cause.removeprefix("c")) if state.final else None,
            behind_join=cause.startswith("c"),
            finish_ms=int(finish[0]) if finish else None,
        )  # fmt: skip
    counts = [int(part) for part in parts[:3]] or [0, 0, 0]
    rest = parts[3:]
    cause_text = rest[0] if state.final else "-"
    start = rest[2] if len(rest) > 2 else "-"  # noqa: PLR2004  the sixth part of a held or final record
    return Record(
        state=state, join=False, source=origin, edges=edges,
        deliveries=counts[0], crashes=counts[1], failures=counts[2],
        cause=_number(cause_text.removeprefix("c")), behind_join=cause_text.startswith("c"),
        start_ms=_number(start), finish_ms=int(rest[1]) if state.final else None,
    )  # fmt: skip


def _number(text: str) -> int | None:
    return None if text == "-" else int(text)


@dataclass(frozen=True, slots=True)
class JoinBody:
    """What a join's body says."""

    group: int | None
    single: bool
    """Whether its value is the one that arrived first, not a list."""
    settled: bool
    """Whether its value is a list of outcomes."""
    inputs: tuple[Run, ...]


def parse_join_body(body: bytes) -> JoinBody:
    """Read a join's body."""
    group, policy, inputs = body.decode().split("|", 2)
    found = tuple(Run(*map(int, text.split(","))) for text in inputs.split(";")) if inputs else ()
    return JoinBody(int(group) if group else None, policy[0] == "1", policy[1] == "e", found)


def parse_task_body(body: bytes) -> tuple[int | None, bytes]:
    """Return the join that a task begins a member of, and the caller's bytes."""
    group, _, call = body.partition(b"\n")
    return (int(group) if group else None), call
