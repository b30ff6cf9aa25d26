"""What people ask of one partition: canvases by what they have in common. Nothing here changes anything.

Each call does a bounded part, and says where it stopped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from gesso_server.ids import CanvasId
from gesso_server.store.calls import LookedCanvas
from gesso_server.store.replies import looked_canvas


class Caller(Protocol):
    """Calls a function of the library with one key."""

    async def __call__(self, function: str, key: str, args: Sequence[bytes | str | int]) -> Any:
        """Call `function` and return its reply."""
        ...


class CanvasPlace(NamedTuple):
    """A place in a list of canvases, the newest first: behind this one."""

    created_ms: int
    canvas_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CanvasChoice:
    """Which canvases. All that is set must hold."""

    namespace: str
    states: str = ""
    """Letters of their states, as `LookedCanvas.state` has them; empty for any."""
    task: str = ""
    """Have a task of this name; empty for any."""
    stamps: Sequence[Sequence[str]] = ()
    """Of each of these lists bear one stamp, as `stamp_texts` writes them."""
    until_ms: int | None = None
    """Accepted at this time or earlier."""
    since_ms: int | None = None
    """Accepted at this time or later."""


class CanvasSlice(NamedTuple):
    """Part of a list of canvases."""

    more: bool
    """Whether more were not looked at."""
    place: CanvasPlace | None
    """As far as it was looked; None for the start."""
    begun: str
    """How far the canvas behind that was looked at, for the call that goes on; empty for not at all."""
    canvases: list[tuple[CanvasId, LookedCanvas]]


class Inspection:
    """The functions of the library that people look with, on one partition."""

    def __init__(self, key: str, call: Caller) -> None:
        self._key = key
        self._call = call

    async def canvases(
        self, choice: CanvasChoice, behind: CanvasPlace | None, *, begun: str, most: int
    ) -> CanvasSlice:
        """Return canvases, the newest first, behind a place.

        Args:
            choice: Which ones.
            behind: None for the start.
            begun: As the slice before says.
            most: How many at the most, from 1 to 1,000.
        """
        until = "+inf" if choice.until_ms is None else choice.until_ms
        since = "-inf" if choice.since_ms is None else choice.since_ms
        args: list[bytes | str | int] = [
            choice.namespace, until, since, *(behind or ("", "")), begun, most, choice.states, choice.task,
        ]  # fmt: skip
        for texts in choice.stamps:
            args += (len(texts), *texts)
        more, instant, last, looked_at, flat = await self._call("list", self._key, args)
        place = CanvasPlace(int(float(instant)), last.decode()) if last else None
        pairs = zip(flat[::2], flat[1::2], strict=True)
        found = [(CanvasId(name.decode()), looked_canvas(meta)) for name, meta in pairs]
        return CanvasSlice(bool(more), place, looked_at.decode(), found)


def stamp_texts(key: str, values: Sequence[str]) -> list[str]:
    """Return what a canvas is found by that bears a stamp: with one of these values, or with any if there are none."""
    return [f"{key}\0{value}" for value in values] or [key]
