"""How states look: a sign and a colour each, so that nothing is told by colour alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["Look", "look"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """How a state looks."""

    sign: str
    """One character for a terminal."""
    style: str
    """Its colour on a terminal."""
    path: str
    """The sign as an SVG path in a square of 12 by 12, to be stroked."""
    fill: str
    """Background of its box."""
    ink: str
    """Border and sign of its box; at least 4.5 to 1 on `fill`."""


_WELL: Final = Look(sign="✓", style="green", path="M2 6.5 5 9.5 10.5 3", fill="#e6f4ea", ink="#1a6334")
_ILL: Final = Look(
    sign="✗", style="red", path="M2.5 2.5 9.5 9.5M9.5 2.5 2.5 9.5", fill="#fdeaea", ink="#a01c1c"
)
_RUNS: Final = Look(sign="▶", style="yellow", path="M3.5 2 10 6 3.5 10Z", fill="#fff4d6", ink="#7a5200")
_WAITS: Final = Look(sign="○", style="", path="M6 2A4 4 0 1 1 5.99 2Z", fill="#f3f4f6", ink="#4b5563")
_GONE: Final = Look(sign="-", style="dim", path="M2 6H10", fill="#eceff3", ink="#4b5563")

_LOOKS: Final = {
    "succeeded": _WELL,
    "failed": _ILL,
    "dead": _ILL,
    "granted": _RUNS,
    "running": _RUNS,
    "cancelling": _GONE,
    "cancelled": _GONE,
    "expired": _GONE,
    "ignored": _GONE,
    "dropped": _GONE,
}


def look(state: str) -> Look:
    """Return how a state looks. One that is not known looks as if it waited."""
    return _LOOKS.get(state, _WAITS)
