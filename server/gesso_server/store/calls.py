"""What the functions of the library take and return, as values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

from gesso_server.carried import Carried
from gesso_server.ids import CanvasId, Trace


class Wake(NamedTuple):
    """Work has come to a queue that sessions of this coordinator wait for."""

    namespace: str
    queue: str
    count: int  # type: ignore[assignment]  # the word of the design, not tuple.count


class Looked(NamedTuple):
    """A node as it stands."""

    record: str
    body: bytes
    outcome: bytes
    cause_record: str
    """Of the node whose own failure this is; empty if that is itself, or nothing failed."""
    cause_outcome: bytes
    lane: str
    names: dict[int, str]
    """Ids that the client chose, where it chose any: of the joins around it, and of its cause."""
    overdue_ms: int | None = None
    """The deadline of its canvas, if that is what cancelled it."""
    worker: str = ""
    """Name of the worker that holds it; empty for none."""


class Ended(NamedTuple):
    """A node has ended that clients of this coordinator wait for."""

    canvas_id: CanvasId
    index: int  # type: ignore[assignment]  # the word of the design, not tuple.index
    node: Looked


class AccountNews(NamedTuple):
    """What a partition's account of a limit says to the limit's home. `scripts/lib/limits.lua` has the meaning."""

    name: str
    """Namespace, NUL, key."""
    epoch: int
    version: int
    granted: int
    back: int
    unused: int
    want: int


class PermitDelivery(NamedTuple):
    """What the home of a limit says to the account in a partition."""

    name: str
    partition: int
    epoch: int
    granted: int
    heard: int
    """The version of the account that the home knows."""


class Deeds(NamedTuple):
    """What a call has done, for metrics, as it was read: few look at it."""

    counts: Sequence[bytes | int] = ()
    """A word of `scripts/lib/call.lua` and how often, and so on."""
    waits: Sequence[int] = ()
    """For how many ms what it granted had waited and how many tasks that were, and so on."""
    took: Sequence[int] = ()
    """How many ms canvases took that it ended."""


@dataclass(frozen=True, slots=True)
class Duties:
    """What a call leaves for its caller to see to."""

    wakes: list[Wake] = field(default_factory=list)
    ends: list[Ended] = field(default_factory=list)
    work: bool = False
    """Whether the call has left something in the partition's work list."""
    news: list[AccountNews] = field(default_factory=list)
    deliveries: list[PermitDelivery] = field(default_factory=list)
    due_ms: int | None = None
    """In how many ms something is due that the call has set."""
    spans: list[tuple[CanvasId, list[int]]] = field(default_factory=list)
    """Nodes that have ended and whose spans are to be told."""
    number: int = 0
    """Of the call, among those of the coordinator on the partition."""
    rolled_back: bool = False
    """Whether the store has forgotten a call that it had answered."""
    deeds: Deeds = field(default_factory=Deeds)


class TokenRef(NamedTuple):
    """An attempt of a task, as a worker names it."""

    canvas_id: str
    index: int  # type: ignore[assignment]  # the word of the design, not tuple.index
    attempt: int
    nonce: str


class Reported(NamedTuple):
    """How an attempt ended. `kind` is a letter of `scripts/lib/reports.lua`."""

    token: TokenRef
    kind: str
    blob: bytes
    delay_ms: int = 0
    extra: str = ""
    """For a retry how many times at the most; for a value or a replacement what is to be added, see the script."""
    error: str = ""
    """The type of the error, for metrics; empty for none."""
    run_seconds: float | None = None
    """How long it ran, for metrics, if that is known and wanted."""


class Grant(NamedTuple):
    """A task handed to a session."""

    canvas_id: CanvasId
    index: int  # type: ignore[assignment]  # the word of the design, not tuple.index
    attempt: int
    nonce: str
    failures: int
    timing: str
    body: bytes
    source_kind: str
    """T or t for a task, J or j for a join, F or f for a failure, '' for none; a capital takes its value."""
    source: int | None
    source_value: bytes | Looked
    """A task's outcome, a join's body, or a node that failed."""
    parent: int | None
    source_timing: str
    """Of a join."""
    names: dict[int, str]
    """Ids that the client chose, where it chose any: of the joins around it, and of the task before."""


class CanvasContext(NamedTuple):
    """What the tasks of a canvas have in common."""

    trace: Trace
    carried: Carried
    root: str
    """Index of the single first task, and after a space the id that the client chose for it; empty for none."""


@dataclass(frozen=True, slots=True)
class Exchanged:
    """The answer to a frame."""

    status: str
    """O ok, E the epoch is old, U the session is unknown."""
    answers: str
    """A letter for each started, returned and ended task: A applied, D duplicate, S stale, U unknown."""
    grants: list[Grant]
    contexts: dict[str, CanvasContext]
    more: bool
    duties: Duties


@dataclass(frozen=True, slots=True)
class Welcomed:
    """The answer to a hello."""

    accepted: bool
    drops: list[int]
    """Positions, from 0, of held tasks that the session may not hold."""
    grants: list[Grant]
    contexts: dict[str, CanvasContext]
    duties: Duties


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionId:
    """A connection of a worker's session."""

    session: str
    epoch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Loan:
    """A session that may be granted what another call makes ready."""

    session: SessionId
    seq: int
    want: int
    others_idle: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Hello:
    """What a session says of itself."""

    id: SessionId
    namespace: str
    worker: str
    slots: int
    queues: Sequence[str]
    tasks: Sequence[str]
    held: Sequence[TokenRef]
    dead_sessions: Sequence[tuple[str, Sequence[TokenRef]]]
    """Sessions whose process died, each with what was running in it."""
    overran: Sequence[tuple[str, Sequence[TokenRef]]] = ()
    """Such sessions with what their process was killed for: it ran longer than its time limit."""


@dataclass(slots=True)
class Frame:
    """What a session reports at one time about one partition."""

    started: list[TokenRef] = field(default_factory=list)
    returned: list[TokenRef] = field(default_factory=list)
    reported: list[Reported] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCanvas:
    """A canvas to accept."""

    canvas_id: CanvasId
    namespace: str
    request_id: str
    digest: str
    watch: bool
    node_count: int
    last: int | None
    last_is_join: bool
    member_count: int
    trace: Trace
    carried: Carried
    root: str
    """The single first task as `StoredNode.name` has it; empty for none."""
    start: str
    """Edges of the start, as text."""
    result_ttl_ms: int
    request_ttl_ms: int
    lanes: Sequence[str]
    templates: Sequence[bytes | str | int]
    """Fields and values of its error links, as `records.template_fields` returns them."""
    template_count: int
    growing: int
    """How many joins still grow."""
    quota: int
    """How many nodes the namespace may have open in the partition."""
    deadline_ms: int | None = None
    """How long it may take; None for no limit."""
    stamps: Sequence[str] = ()
    """What it is found by, as `choice.stamp_texts` writes it; at most 1,000."""


class Reserved(NamedTuple):
    """Room in a canvas."""

    base: int
    """The first index."""
    templates: int
    """The number of the first template."""
    lanes: list[int]
    """The number of each lane."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GrowthStep:
    """Members that a growing join gains, staged before."""

    number: int
    """Of the step within its canvas, from 1."""
    join: int
    first: int
    """Index of the first of the nodes."""
    node_count: int
    inputs: str
    """As `records.runs_text` writes them."""
    start: str
    sealed: bool
    waiting: str
    """As `records.waiting_text` writes them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """The answer to a submission."""

    canvas_id: CanvasId
    known: bool
    """Whether the request was known; the rest is then about the canvas that was accepted first."""
    last: int | None
    last_is_join: bool
    member_count: int
    node_count: int
    trace_id: str
    duties: Duties


@dataclass(frozen=True, slots=True, kw_only=True)
class LookedCanvas:
    """A canvas as it stands."""

    state: str
    node_count: int
    left: int
    last: int | None
    last_is_join: bool
    member_count: int
    created_ms: int
    finished_ms: int | None
    trace_id: str
    result_ttl_ms: int
    runs_again: CanvasId | None = None
    """The canvas that it runs again."""
    deadline_ms: int | None = None
    """When its deadline passes, Unix ms; None when it has none, or has ended."""
    lanes: tuple[str, ...] = ()
    """Its first lanes, as the store has them."""


@dataclass(frozen=True, slots=True)
class Swept:
    """The answer to a sweep."""

    more: bool
    next_due_ms: int | None
    duties: Duties
    limits_version: int
    """Of the partition's table of limits."""


class Renewed(NamedTuple):
    """The answer to a renewal."""

    unknown: list[str]
    """Sessions whose lease had ended."""
    cancelled: dict[str, list[tuple[TokenRef, bool]]]
    """By session, attempts that are cancelled and still held, and whether each is to be killed."""


class Unfit(Enum):
    """Why a canvas cannot be run again. The values are the letters of `scripts/rerun.lua`."""

    REQUEST_ID_REUSED = "R"
    GONE = "G"
    ACTIVE = "A"
    STAGING_LOST = "L"


class Rerunnable(NamedTuple):
    """A final canvas that can be run again."""

    end: int
    """The index after its last node."""
    created_ms: int
    now_ms: int
    """By the store's clock."""
    trace: Trace


class RerunPiece(NamedTuple):
    """A piece of what a canvas that runs another one again begins with: an element of a list."""

    of: str
    """Which list, as `scripts/rerun.lua` names it."""
    position: int
    """How many elements stand before it."""
    text: str


class StoredRecord(NamedTuple):
    """What is stored of a node, to be run again or taken over."""

    record: str
    """Empty when there is no such node."""
    task_id: str
    """The id that a client chose; empty for none."""
    forgotten: bool
    """Whether it is a task that succeeded and whose value is not there any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RerunCanvas:
    """A canvas that runs another again, staged before."""

    canvas_id: CanvasId
    namespace: str
    request_id: str
    digest: str
    old: CanvasId
    created_ms: int
    node_count: int
    left: int
    """How many of its nodes have not ended."""
    trace: Trace
    request_ttl_ms: int
    quota: int
    """How many nodes the namespace may have open in the partition."""


class DeadTask(NamedTuple):
    """A task that was given up."""

    canvas_id: CanvasId
    index: int  # type: ignore[assignment]  # the word of the design, not tuple.index
    died_ms: int


class UnreadableRow(NamedTuple):
    """A row of the store that could not be read, set aside."""

    kind: str
    place: str
    """`canvas:index`, or empty."""
    parked_ms: int
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueStanding:
    """How a queue stands, in one partition or in all."""

    queue: str
    waiting: int
    running: int
    sessions: int
    """How many take its tasks."""
    paused: bool
    oldest_ms: int | None
    """For how long its oldest task has waited; None when none waits."""
    unknown: frozenset[str]
    """Names of tasks that wait for a worker that knows them."""
    entered: int
    """How many tasks have come into it."""
    delivered: int
    """How many were handed out."""
    ended: int
    """How many of those have ended, or were replaced."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerStanding:
    """A worker's session, as one partition or all know it."""

    session: str
    worker: str
    queues: tuple[str, ...]
    slots: int
    held: int
    seen_ms: int
    """When its lease was renewed last."""
    tasks: frozenset[str]
    """Names of the tasks that it knows."""
    reported: int
    """How many outcomes it reported that counted."""


class EndedNode(NamedTuple):
    """A node that has ended, as its span tells of it."""

    index: int  # type: ignore[assignment]  # the word of the design, not tuple.index
    record: str
    lane: str
    body: bytes
    """A join's; a task's if that was asked for."""
    outcome: bytes
    """Of one that failed by itself."""
    source_record: str
    """Of the node that it began behind; empty for none."""
    source_body: bytes
    """If that is a join."""
    before: str
    """Its record in the canvas that is run again; empty for none."""


@dataclass(frozen=True, slots=True)
class EndedNodes:
    """Some nodes of one canvas that have ended."""

    trace: Trace
    created_ms: int
    carried: Carried
    again: tuple[CanvasId, Trace] | None
    """The canvas that it runs again; None for none."""
    nodes: list[EndedNode]
