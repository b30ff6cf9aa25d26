"""What a parent and a child say to each other, over a pair of sockets that also tells of death.

The parent speaks first: the child's orders; later it may say that the child is to retire. The child sends notes. Each
is one line of JSON. When one side dies, the other reads the end of the stream; nothing else holds either socket.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Self, TypeAlias, assert_never

from gesso_worker.blame import DeadSession
from gesso_worker.config import WorkerConfig
from gesso_worker.token import Token


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders:
    """Everything that a child is told when it starts."""

    config: WorkerConfig
    worker: str
    """The child's name for people."""
    session_id: str
    page: int
    """File descriptor of its blame page."""
    dead_sessions: tuple[DeadSession, ...]
    """The sessions whose place it takes, oldest first. May be empty."""

    def to_line(self) -> bytes:
        """Return the orders as a line; `from_line` reads it."""
        fields = {
            "config": self.config.to_json(),
            "worker": self.worker,
            "session_id": self.session_id,
            "page": self.page,
            "dead_sessions": [[dead.session_id, dead.crashed, dead.overran] for dead in self.dead_sessions],
        }
        return json.dumps(fields).encode() + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> Self:
        """Return the orders that `to_line` wrote."""
        fields = json.loads(line)
        return cls(
            config=WorkerConfig.from_json(fields["config"]),
            worker=fields["worker"],
            session_id=fields["session_id"],
            page=fields["page"],
            dead_sessions=tuple(
                DeadSession(session_id=session_id, crashed=_tokens(crashed), overran=_tokens(overran))
                for session_id, crashed, overran in fields["dead_sessions"]
            ),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Retirement:
    """The child is to end soon, because of a task that must be killed while others run: it takes no more."""

    overran: tuple[Token, ...]
    """What ran longer than its time limit."""
    doomed: tuple[Token, ...]
    """What is to be killed because it is cancelled."""

    def to_line(self) -> bytes:
        """Return it as a line; `from_line` reads it."""
        return json.dumps({"overran": self.overran, "doomed": self.doomed}).encode() + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> Self:
        """Return the retirement that `to_line` wrote."""
        fields = json.loads(line)
        return cls(overran=_tokens(fields["overran"]), doomed=_tokens(fields["doomed"]))


def _tokens(fields: list[tuple[str, int, int]]) -> tuple[Token, ...]:
    return tuple(Token(*each) for each in fields)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """The child has its tasks and a coordinator has welcomed it."""

    task_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Unloadable:
    """The child cannot import the user's module; it ends."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The coordinator refuses this worker, and would again; the child ends."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Farewell:
    """The child has reported or returned everything that it held; its end is no death."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limited:
    """A task begins that must have ended before the parent looks at the blame page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Condemned:
    """A running task is cancelled, and to be killed."""

    token: Token


Note: TypeAlias = Ready | Unloadable | Refused | Limited | Condemned | Farewell


def note_line(note: Note) -> bytes:
    """Return a note as a line; `parse_note` reads it."""
    match note:
        case Ready():
            fields: dict[str, object] = {"note": "ready", "task_count": note.task_count}
        case Unloadable():
            fields = {"note": "unloadable", "reason": note.reason}
        case Refused():
            fields = {"note": "refused", "reason": note.reason}
        case Limited():
            fields = {"note": "limited"}
        case Condemned():
            fields = {"note": "condemned", "token": note.token}
        case Farewell():
            fields = {"note": "farewell"}
        case _:
            assert_never(note)
    return json.dumps(fields).encode() + b"\n"


def parse_note(line: bytes) -> Note:
    """Return the note that `note_line` wrote.

    Raises:
        ValueError: If the line is none.
    """
    match json.loads(line):
        case {"note": "ready", "task_count": int(task_count)}:
            return Ready(task_count=task_count)
        case {"note": "unloadable", "reason": str(reason)}:
            return Unloadable(reason=reason)
        case {"note": "refused", "reason": str(reason)}:
            return Refused(reason=reason)
        case {"note": "limited"}:
            return Limited()
        case {"note": "condemned", "token": [str(node_id), int(attempt), int(nonce)]}:
            return Condemned(token=Token(node_id, attempt, nonce))
        case {"note": "farewell"}:
            return Farewell()
        case _:
            raise ValueError(f"not a note of a child: {line!r}")
