"""Nodes as the store keeps them. `scripts/lib/nodes.lua` has the format and is the only other place that knows it.

A node's body is what never changes and what no script reads but to add inputs to a join:

    task   place|id NEWLINE caller's bytes    `|id` only for a task that goes by an id the client chose
    join   place|policy|id|inputs             the id with a space for each `|` in it; runs of inputs in header order
           waiting NEWLINE place|…            of one that `scripts/lib/turns.lua` is about

A place is the joins that the node stands inside, from the outermost inwards, as `3.17`, and a mark unless it is the
first and the last step of a member of the innermost: `<` the first, `>` the last, `-` neither. Empty for a node that
stands in no join. Indexes in a body count from the record's base.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple, assert_never

from gesso_server.plan import (
    Arrive,
    Counts,
    Edge,
    Growth,
    JoinNode,
    Lane,
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
    need,
)

_ANNEXED = re.compile(r":(\d+)\.(\d+)")
_READY = re.compile(r"q(-?\d+)")


class State(StrEnum):
    """Where a node is in its life; the values are the records' letters."""

    WAITING = "W"
    DELAYED = "T"
    GRANTED = "G"
    RUNNING = "R"
    RETRY_WAIT = "Y"
    REVOKING = "K"
    CANCELLING = "Q"
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


_FINAL = frozenset("SFUDVXCIN")


class StoredNode(NamedTuple):
    """One node, ready to be stored."""

    name: int | str
    """Its index; behind it, after a space, the id that the client chose, if it chose one."""
    record: str
    body: bytes


class Place(NamedTuple):
    """Where a node stands among joins."""

    groups: tuple[int, ...] = ()
    """The joins that it stands inside, from the outermost inwards."""
    begins: bool = False
    """Whether it is the first step of a member of the innermost."""
    ends: bool = False
    """Whether it is the last one."""

    def text(self) -> str:
        """Return it as a body has it."""
        if not self.groups:
            return ""
        marks = {(True, True): "", (True, False): "<", (False, True): ">", (False, False): "-"}
        return ".".join(map(str, self.groups)) + marks[self.begins, self.ends]

    @property
    def member_of(self) -> int | None:
        """The join that it is the last step of a member of."""
        return self.groups[-1] if self.ends else None

    @classmethod
    def parse(cls, text: str, base: int) -> Place:
        """Read it."""
        if not text:
            return cls()
        groups = tuple(int(index) + base for index in text.rstrip("<>-").split("."))
        return cls(groups, text[-1] not in ">-", text[-1] not in "<-")


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A node's record, read."""

    state: State
    join: bool
    source: int | None
    """The node that its control edge comes from."""
    origin: Origin | None
    """Of what kind that is."""
    edges: str
    base: int
    """What the indexes in its body count from."""
    deliveries: int = 0
    crashes: int = 0
    failures: int = 0
    succeeded: int = 0
    ended: int = 0
    last: int | None = None
    """For a join, the task that ended last before it did."""
    total: int = 0
    cause: int | None = None
    """The node whose own failure this is."""
    behind_join: bool = False
    """Whether it failed because the join before it did."""
    ready_ms: int | None = None
    """When it could first run; None for one that was never handed out."""
    start_ms: int | None = None
    finish_ms: int | None = None
    overdue: bool = False
    """Whether it is a join that its deadline has ended."""
    at_most_once: bool = False
    ignores_value: bool = False
    """Whether clients get no value of it."""
    told_by: int | None = None
    """The join around it whose span tells of it."""
    brought_by: int | None = None
    """The task that brought it: whose replacement, or a member added by it, it begins."""
    annexed: tuple[Run, ...] = ()
    """For a replaced task, the nodes of what took its place."""
    tells: bool = False
    """Whether it is a join whose span tells of everything inside it."""

    @property
    def silent_source(self) -> Source | None:
        """What it stands behind, for a node that stands there too and takes no value."""
        if self.source is None or self.origin is None:
            return None
        return Source(self.source, self.origin, takes_value=False)


def stored_nodes(plan: Plan | Growth, telling: Collection[int] = ()) -> Iterator[StoredNode]:
    """Return nodes as they are stored, by index.

    Args:
        plan: The nodes.
        telling: Joins whose spans tell of everything inside them.
    """
    for index, node in enumerate(plan.nodes, plan.base):
        name = f"{index} {node.task_id}" if node.task_id else index
        by = next((join for join in node.groups if join in telling), None) if telling else None
        mark = ("g" if index in telling else "") + ("" if by is None else f"s{by}")
        yield StoredNode(name, _record(node) + mark, _body(node))


def telling_joins(plan: Plan, most: int) -> set[int]:
    """Return the joins whose spans tell of their members: those of more than `most`, and those that still grow."""
    return {
        index
        for index, node in enumerate(plan.nodes, plan.base)
        if isinstance(node, JoinNode) and (node.total > most or node.open_index is not None)
    }


def template_fields(templates: list[Template], first: int = 0) -> list[bytes | str | int]:
    """Return error links as fields and values of the canvas's hash of templates, alternating."""
    fields: list[bytes | str | int] = []
    for number, template in enumerate(templates, first):
        fields += (f"{number}:n", len(template.nodes), f"{number}:start", edges_text(template.start))
        for k, node in enumerate(template.nodes):
            fields += (f"{number}:{k}:d", _record(node), f"{number}:{k}:b", _body(node))
            if node.task_id:
                fields += (f"{number}:{k}:i", node.task_id)
    return fields


def lane_texts(lanes: list[Lane]) -> list[str]:
    """Return lanes as they are stored, by number."""
    return [
        f"{lane.priority}|{lane.queue}|{'t' if lane.timed else ''}|{lane.key}|{lane.task}" for lane in lanes
    ]


def runs_text(inputs: tuple[Run, ...]) -> str:
    """Return runs as text."""
    return ";".join(f"{run.first},{run.count},{run.stride}" for run in inputs)


def waiting_text(waiting: Iterable[Waiting]) -> str:
    """Return members that wait for their turn as text, as `scripts/lib/turns.lua` has it."""
    return ";".join(
        f"{each.count},{each.size},{each.last},{'&'.join(map(_edge, each.edges))}" for each in waiting
    )


def edges_text(edges: list[Edge]) -> str:
    """Return edges as text, in their order."""
    if not edges:
        return ""
    return _edge(edges[0]) if len(edges) == 1 else ";".join(map(_edge, edges))


def parse_edges(text: str) -> list[Edge]:
    """Read edges."""
    return [_parse_edge(part) for part in text.split(";") if part]


def _parse_edge(text: str) -> Edge:
    if text.startswith("+"):
        return Arrive(int(text[1:]))
    if text.startswith("="):
        return Stand(int(text[1:]))
    if text.startswith("!*"):
        return Raise(int(text[2:]))
    on_failure, waits = text.startswith("!"), "~" in text
    text = text.lstrip("!~")
    numbers = list(map(int, text[1:].split(",")))
    run = Run(*numbers[:3])
    return Open(run, on_failure, waits) if text[0] == ")" else Start(run, numbers[3], on_failure, waits)


def _record(node: Node) -> str:
    match node:
        case TaskNode():
            return f"W/{node.lane}|{_source(node.source)}|{edges_text(node.edges)}|{node.call.timing}{_begins(node)}"
        case JoinNode():
            first = f"J{need(node)},{node.policy.counts.value},{node.total}"
            return f"O0,0,-,-/{first}|{_source(node.source)}|{edges_text(node.edges)}|{_join_timing(node)}"
        case _:
            assert_never(node)


def _begins(node: Node) -> str:
    return "" if node.brought_by is None else f"r{node.brought_by}"


def _join_timing(node: JoinNode) -> str:
    deadline = f"t{node.policy.deadline_ms}" if node.policy.deadline_ms else ""
    rest = f"c{node.behind}" if node.policy.cancel_rest else ""
    own = f"e{node.behind}" if node.behind else ""
    most = f"f{node.policy.max_in_flight}" if node.policy.max_in_flight else ""
    return deadline + rest + own + most + ("o" if node.open_index is not None else "") + _begins(node)


def _body(node: Node) -> bytes:
    match node:
        case TaskNode():
            line = _place(node) + (f"|{node.task_id}" if node.task_id else "")
            return line.encode() + b"\n" + node.call.body
        case JoinNode():
            policy = f"{int(node.policy.single)}{node.policy.counts.value}{node.policy.need or ''}"
            task_id = node.task_id.replace("|", " ")
            waiting = f"{waiting_text(node.waiting)}\n" if node.policy.max_in_flight else ""
            return f"{waiting}{_place(node)}|{policy}|{task_id}|{runs_text(node.inputs)}".encode()
        case _:
            assert_never(node)


def _place(node: Node) -> str:
    if not node.groups:
        return ""
    ends = isinstance(node, TaskNode) and node.member_of is not None
    for edge in node.edges:
        ends = ends or isinstance(edge, Arrive)
    return _place_text(node.groups, node.group is not None, ends)


@lru_cache(maxsize=1024)
def _place_text(groups: tuple[int, ...], begins: bool, ends: bool) -> str:  # noqa: FBT001
    """Return a place as text; the members of a group share it."""
    return Place(groups, begins, ends).text()


def _source(source: Source | None) -> str:
    if source is None:
        return ""
    letter = source.origin.value
    index = "*" if source.index < 0 else source.index
    return f"{letter.upper() if source.takes_value else letter}{index}"


def _edge(edge: Edge) -> str:
    match edge:
        case Arrive(join):
            return f"+{join}"
        case Start(run, lane, on_failure, waits):
            return f"{_marks(on_failure, waits)}>{run.first},{run.count},{run.stride},{lane}"
        case Open(run, on_failure, waits):
            return f"{_marks(on_failure, waits)}){run.first},{run.count},{run.stride}"
        case Raise(template):
            return f"!*{template}"
        case Stand(replaced):
            return f"={replaced}"
        case _:
            assert_never(edge)


def _marks(on_failure: bool, waits: bool) -> str:  # noqa: FBT001
    return ("!" if on_failure else "") + ("~" if waits else "")


def parse_record(text: str) -> Record:
    """Read a node's record."""
    dynamic, _, static = text[1:].partition("/")
    state = State(text[0])
    first, source, edges, timing = static.split("|", 3)
    parts = dynamic.split(",") if dynamic else []
    index = int(source[1:]) if source else None
    origin = Origin(source[0].lower()) if source else None
    base = base_of(timing)
    if first.startswith("J"):
        succeeded, ended, cause, last, *finish = parts
        return Record(
            state=state, join=True, source=index, origin=origin, edges=edges, base=base,
            succeeded=int(succeeded), ended=int(ended), last=_number(last),
            total=int(first.rsplit(",", 1)[1]), cause=_number(cause.removeprefix("c")) if state.final else None,
            behind_join=cause.startswith("c"),
            finish_ms=int(finish[0]) if finish else None, overdue="l" in timing,
            told_by=told_by(timing), brought_by=_marked(timing, "r", base), tells="g" in timing,
        )  # fmt: skip
    counts = [int(part) for part in parts[:3]] or [0, 0, 0]
    rest = parts[3:]
    cause_text = rest[0] if state.final else "-"
    start = rest[2] if len(rest) > 2 else "-"  # noqa: PLR2004  the sixth part of a held or final record
    return Record(
        state=state, join=False, source=index, origin=origin, edges=edges, base=base,
        deliveries=counts[0], crashes=counts[1], failures=counts[2],
        cause=_number(cause_text.removeprefix("c")), behind_join=cause_text.startswith("c"),
        start_ms=_number(start), finish_ms=int(rest[1]) if state.final else None, ignores_value=ignores_value(text),
        told_by=told_by(timing), brought_by=_marked(timing, "r", base),
        ready_ms=int(ready[1]) if (ready := _READY.search(timing)) else None, at_most_once="m" in timing,
        annexed=_annexed(timing) if "e" in timing else (),
    )  # fmt: skip


def _annexed(timing: str) -> tuple[Run, ...]:
    return tuple(Run(int(first), int(count), 1) for first, count in _ANNEXED.findall(timing))


def told_by(timing: str) -> int | None:
    """Return the join whose span tells of a node, by its record's timing; None when it has a span of its own."""
    return _marked(timing, "s", base_of(timing))


class MemberTime(NamedTuple):
    """How a member of a group ended, and when."""

    state: State
    finish_ms: int | None
    duration_ms: int | None
    """From when it was handed out last; None for one that never was."""


def member_time(text: str) -> MemberTime:
    """Read the changing part of a record."""
    state, parts = State(text[0]), text[1:].split(",")
    if not state.final:
        return MemberTime(state, None, None)
    finish = _number(parts[4]) if len(parts) > 4 else None  # noqa: PLR2004  the end is the fifth part
    start = _number(parts[5]) if len(parts) > 5 else None  # noqa: PLR2004  and a task's start the sixth
    return MemberTime(state, finish, finish - start if finish is not None and start is not None else None)


def _marked(timing: str, letter: str, base: int) -> int | None:
    if letter not in timing:
        return None
    found = re.search(letter + r"(\d+)", timing)
    return int(found[1]) + base if found else None


def _number(text: str) -> int | None:
    return None if text == "-" else int(text)


def ignores_value(record: str) -> bool:
    """Return whether clients get no value of a node."""
    return "i" in record.rpartition("|")[2]


def parse_names(text: str) -> dict[int, str]:
    """Read ids that the client chose, by node: `index id index id`."""
    if not text:
        return {}
    parts = text.split(" ")
    return dict(zip(map(int, parts[::2]), parts[1::2], strict=True))


def base_of(timing: str) -> int:
    """Return what the indexes in a body count from, by its record's timing."""
    _, _, base = timing.rpartition("b")
    return int(base) if base.isdecimal() and "b" in timing else 0


@dataclass(frozen=True, slots=True)
class JoinBody:
    """What a join's body says."""

    place: Place
    single: bool
    """Whether its value is the one that arrived first, not a list."""
    counts: Counts
    need: int
    """How many successes a quorum needs."""
    task_id: str
    inputs: tuple[Run, ...]


def parse_join_body(body: bytes, base: int = 0) -> JoinBody:
    """Read a join's body."""
    place, policy, task_id, inputs = body.rpartition(b"\n")[2].decode().split("|", 3)
    found = (list(map(int, text.split(","))) for text in inputs.split(";") if text)
    return JoinBody(
        Place.parse(place, base), policy[0] == "1", Counts(policy[1]), int(policy[2:] or 0),
        task_id.replace(" ", "|"),
        tuple(Run(first + base, count, stride) for first, count, stride in found),
    )  # fmt: skip


class TaskBody(NamedTuple):
    """What a task's body says."""

    place: Place
    task_id: str
    call: bytes
    """The caller's bytes."""


def parse_task_body(body: bytes, base: int = 0) -> TaskBody:
    """Read a task's body."""
    line, _, call = body.partition(b"\n")
    return TaskBody(*_task_line(line, base), call)


@lru_cache(maxsize=1024)
def _task_line(line: bytes, base: int) -> tuple[Place, str]:
    """Read the first line of a task's body; all members of a group have the same."""
    place, _, task_id = line.decode().partition("|")
    return Place.parse(place, base), task_id


_OWNED = re.compile(r"e(\d+)((?::\d+\.\d+)*)")


def owned_runs(index: int, record: str) -> list[tuple[int, int]]:
    """Return first and last of the runs of nodes that belong to a node: what is in a join, or replaces a task."""
    found = _OWNED.search(record.rpartition("|")[2])
    if found is None:
        return []
    own = int(found[1])
    runs = [(index + 1, index + own)] if own else []
    for text in filter(None, found[2].split(":")):
        first, count = map(int, text.split("."))
        runs.append((first, first + count - 1))
    return runs


def grows(record: str) -> bool:
    """Return whether a node is a join to which members may still come by a stream."""
    return "o" in record.rpartition("|")[2]
