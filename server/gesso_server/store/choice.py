"""Which canvases somebody asks for. `scripts/lib/choice.lua` decides which they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


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

    def arguments(self) -> list[bytes | str | int]:
        """Return it as the last arguments of a function of the library; the namespace is not among them."""
        args: list[bytes | str | int] = [
            "+inf" if self.until_ms is None else self.until_ms,
            "-inf" if self.since_ms is None else self.since_ms,
            self.states,
            self.task,
        ]
        for texts in self.stamps:
            args += (len(texts), *texts)
        return args


def stamp_texts(key: str, values: Sequence[str]) -> list[str]:
    """Return what a canvas is found by that bears a stamp: with one of these values, or with any if there are none."""
    return [f"{key}\0{value}" for value in values] or [key]
