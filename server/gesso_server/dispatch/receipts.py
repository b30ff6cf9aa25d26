"""Which of a worker's frames are settled and not yet acknowledged, and when that is to be said on its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

_WITHIN_S = 0.02
"""How long an acknowledgement may wait for something that goes along with it."""
_MOST_KEPT = 1
"""How many frames wait for it. The contract lets a worker wait with the next one when it has more of them."""


class Receipts:
    """The acknowledgements that one connection owes."""

    def __init__(self, due: Callable[[], None]) -> None:
        """Owe nothing; `due` is called when what is owed has waited for long enough."""
        self._due = due
        self._number = 0
        self._kept = 0
        self._timer: asyncio.TimerHandle | None = None
        self.pressing = False
        """Whether they are to be said now, if nothing else is."""

    def add(self, number: int, *, pressing: bool) -> None:
        """Take note that a frame is settled; `pressing` if its worker waits for the acknowledgement."""
        self._number = number
        self._kept += 1
        if pressing or self._kept > _MOST_KEPT:
            self.pressing = True
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_WITHIN_S, self._press)

    def take(self) -> int:
        """Return the number of the last frame that is to be acknowledged, with all before it; 0 for none."""
        number = self._number if self._kept else 0
        self._kept = 0
        self.pressing = False
        return number

    def _press(self) -> None:
        """Press for what is owed now. The timer is not set anew for each frame, so some wait for less."""
        self._timer = None
        if self._kept:
            self.pressing = True
            self._due()
