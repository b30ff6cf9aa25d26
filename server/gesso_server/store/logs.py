"""The logs of one partition: what has changed in a canvas, or which canvases have, while somebody watches.

`scripts/lib/log.lua` has the format. Who reads is at a place; reading returns what comes next, and the place behind it.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from typing import Any, NamedTuple, Protocol

from gesso_server.ids import CanvasId
from gesso_server.store.calls import Looked, LookedCanvas
from gesso_server.store.choice import CanvasChoice
from gesso_server.store.replies import looked_canvas, looked_node

KEPT = timedelta(minutes=2)
"""How long a log is kept after it was read last: who was away for longer begins anew."""

_KEPT_MS = KEPT // timedelta(milliseconds=1)
_LOG_ID_BYTES = 6


class Caller(Protocol):
    """Calls a function of the library with one key."""

    async def __call__(self, function: str, key: str, args: Sequence[bytes | str | int]) -> Any:
        """Call `function` and return its reply."""
        ...


class NoLog(Enum):
    """Why nothing can be read."""

    NO_CANVAS = "there is no such canvas"
    GAP = "the log does not have what is behind the place"


class Cursor(NamedTuple):
    """Nodes that are still to be seen as they were at a place; `scripts/log.lua` says how."""

    first: int = 0
    count: int = 0  # type: ignore[assignment]  # the word of the design, not tuple.count
    range: int = 0
    """Number of the range of added nodes that comes next."""
    left: int = 0

    @property
    def at_end(self) -> bool:
        """Whether nothing is left."""
        return not (self.count or self.left)


class Place(NamedTuple):
    """How far a canvas's log was read."""

    log: str
    """The log's id."""
    change: int
    """Number of the last change."""
    cursor: Cursor = Cursor()


class NamespacePlace(NamedTuple):
    """How far a namespace's log was read."""

    log: str
    change: int
    accepted_ms: str = ""
    """With `canvas_id` the cursor over canvases that have not changed since, the newest first."""
    canvas_id: str = ""


FROM_NEWEST = "+inf"
"""Where that cursor begins."""


class OpenedLog(NamedTuple):
    """A canvas's log."""

    log: str
    base: int
    change: int
    """Number of the latest change."""
    everything: Cursor
    """The cursor over all nodes of the canvas."""

    def covers(self, place: Place) -> bool:
        """Whether it has everything behind a place."""
        return place.log == self.log and self.base <= place.change <= self.change


class SeenNode(NamedTuple):
    """A node, as reading found it."""

    index: int  # type: ignore[assignment]  # the word of the design, not tuple.index
    due: bool
    """Whether it comes now; a join that has changed behind the place comes later, and is here to say what is in it."""
    node: Looked


@dataclass(frozen=True, slots=True)
class ReadLog:
    """What was read of a canvas's log."""

    place: Place
    """Behind what was read."""
    more: bool
    """Whether there is more to read now; else the next change is announced."""
    letters: list[tuple[int, str]]
    """Index and letter of the state of nodes of which no more was wanted."""
    nodes: list[SeenNode]
    canvas: LookedCanvas


@dataclass(frozen=True, slots=True)
class ReadNamespaceLog:
    """What was read of a namespace's log."""

    place: NamespacePlace
    """Behind what was read."""
    more: bool
    """Whether there is more to read now; else the next change is announced."""
    begun: str
    """How far the canvas behind the place was looked at, for the reading that goes on; empty for not at all."""
    canvases: list[tuple[CanvasId, LookedCanvas]]


class Logs:
    """The logs of one partition."""

    def __init__(self, key: str, coordinator: str, call: Caller) -> None:
        self._key = key
        self._coordinator = coordinator
        self._call = call

    async def open(self, namespace: str, canvas_id: CanvasId) -> OpenedLog | None:
        """Begin or extend a canvas's log. None when there is no such canvas."""
        args: list[bytes | str | int] = [canvas_id, namespace, secrets.token_hex(_LOG_ID_BYTES), _KEPT_MS]
        reply = await self._call("log_open", self._key, args)
        if not reply:
            return None
        log, base, change, own, added = reply
        return OpenedLog(log.decode(), base, change, Cursor(0, own, 0, added))

    async def read(
        self,
        namespace: str,
        canvas_id: CanvasId,
        place: Place,
        folded: Sequence[tuple[int, int]],
        *,
        most: int,
        most_bytes: int,
    ) -> ReadLog | NoLog:
        """Read a canvas's log behind a place.

        Args:
            namespace: Whose canvas.
            canvas_id: Which one.
            place: Where.
            folded: First and last of runs of nodes of which only the states are wanted, in order.
            most: Nodes at the most.
            most_bytes: About how much.
        """
        args: list[bytes | str | int] = [
            canvas_id, namespace, self._coordinator, place.log, place.change, _KEPT_MS, most, most_bytes, *place.cursor,
        ]  # fmt: skip
        for first, last in folded:
            args += (first, last)
        reply = await self._call("log_read", self._key, args)
        if not reply:
            return NoLog.NO_CANVAS
        if reply[0] == b"G":
            return NoLog.GAP
        _, change, first, count, entry, left, more, letters, flat, meta = reply
        return ReadLog(
            place=Place(place.log, change, Cursor(first, count, entry, left)),
            more=bool(more),
            letters=[(int(text[:-1]), text[-1]) for text in letters.decode().split(",") if text],
            nodes=[
                SeenNode(flat[at], bool(flat[at + 1]), looked_node(flat[at + 2]))
                for at in range(0, len(flat), 3)
            ],
            canvas=looked_canvas(meta),
        )

    async def open_canvases(self, namespace: str) -> tuple[NamespacePlace, int]:
        """Begin or extend the log of a namespace. Returns the place where it stands, and what was let go before."""
        args: list[bytes | str | int] = [namespace, secrets.token_hex(_LOG_ID_BYTES), _KEPT_MS]
        log, base, change = await self._call("log_canvases_open", self._key, args)
        return NamespacePlace(log.decode(), change), base

    async def read_canvases(
        self, choice: CanvasChoice, place: NamespacePlace, *, begun: str, most: int
    ) -> ReadNamespaceLog | None:
        """Read a namespace's log for some of its canvases. None when it does not have what is behind the place.

        Args:
            choice: Which ones.
            place: Where.
            begun: As the reading before says.
            most: Canvases at the most, from 1 to 1,000.
        """
        args = [
            choice.namespace, self._coordinator, place.log, place.change, _KEPT_MS, most, place.accepted_ms,
            place.canvas_id, begun, *choice.arguments(),
        ]  # fmt: skip
        reply = await self._call("log_canvases", self._key, args)
        if reply[0] == b"G":
            return None
        _, change, accepted_ms, canvas_id, more, looked_at, flat = reply
        pairs = zip(flat[::2], flat[1::2], strict=True)
        return ReadNamespaceLog(
            place=NamespacePlace(place.log, change, accepted_ms.decode(), canvas_id.decode()),
            more=bool(more),
            begun=looked_at.decode(),
            canvases=[(CanvasId(name.decode()), looked_canvas(meta)) for name, meta in pairs],
        )
