"""What the compiler takes: a canvas as a tree of plain values.

The caller has checked every bound and resolved every default. A call's `body` is what a worker needs of
it, in bytes that mean nothing here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple, TypeAlias


class Counts(Enum):
    """What counts as an arrival at a join. The values are the letters that the store's records use."""

    ALL = "a"
    """Successes; the join needs every one of them."""
    SETTLED = "e"
    """Ends of any kind; the join needs every one of them."""
    QUORUM = "q"
    """Successes; the join needs some number of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What a join needs in order to fire."""

    counts: Counts = Counts.ALL
    need: int = 0
    """Successes needed, for `Counts.QUORUM`; ignored otherwise."""
    single: bool = False
    """Whether the value is the one that arrived first, not a list."""
    deadline_ms: int = 0
    """How long after it was opened the join may take; 0 for no limit."""
    cancel_rest: bool = False
    """Whether members that are no longer needed are cancelled."""
    max_in_flight: int = 0
    """How many members may be under way at one time; 0 for no limit."""


class Lane(NamedTuple):
    """What tasks that wait in one line have in common."""

    queue: str
    priority: int
    task: str
    timed: bool
    """Whether a task of this lane starts or expires by the clock."""
    key: str = ""
    """What its tasks are limited by together with others; empty for the task's name."""


@dataclass(frozen=True, slots=True)
class Call:
    """One task invocation."""

    lane: Lane
    body: bytes
    immutable: bool = False
    timing: str = ""
    """Delay `d<ms>`, instant `a<Unix ms>` and last start `x<ms after acceptance>`, in any combination; `i` if its value
    is dropped once nothing needs it."""
    links: tuple[Element, ...] = ()
    error_links: tuple[Element, ...] = ()
    task_id: str = ""
    """The id that the client chose; empty for the node's own."""


@dataclass(frozen=True, slots=True)
class Chain:
    """Steps one after the other."""

    steps: tuple[Element, ...]
    links: tuple[Element, ...] = ()
    error_links: tuple[Element, ...] = ()


@dataclass(frozen=True, slots=True)
class Group:
    """Members side by side."""

    members: tuple[Element, ...]
    policy: Policy = field(default_factory=Policy)
    keep: bool = False
    """Whether a group of one stays a group inside a chain."""
    links: tuple[Element, ...] = ()
    error_links: tuple[Element, ...] = ()
    task_id: str = ""
    """The id that the client chose; empty for the node's own."""
    open_index: int | None = None
    """The number under which more members come later; None when it is whole."""


@dataclass(frozen=True, slots=True)
class Chord:
    """A header side by side, and then a body with the list of its values."""

    header: tuple[Element, ...]
    body: Element
    policy: Policy = field(default_factory=Policy)
    links: tuple[Element, ...] = ()
    error_links: tuple[Element, ...] = ()
    error_links_on_header: bool = False
    """Whether `error_links` are also those of each member of the header."""
    task_id: str = ""
    """The id that the client chose for the header's join; empty for the node's own."""
    open_index: int | None = None
    """The number under which more members of the header come later; None when it is whole."""


Element: TypeAlias = Call | Chain | Group | Chord
