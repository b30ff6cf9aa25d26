"""How long to wait before a call to the store that failed is made again."""

from __future__ import annotations

import random
from collections.abc import Iterator

_FIRST_S = 0.05
_LONGEST_S = 2.0


def pauses() -> Iterator[float]:
    """Yield pauses in seconds, without end: each is up to twice the one before, so that not all come back at once."""
    longest = _FIRST_S
    while True:
        yield longest * random.uniform(0.5, 1)  # noqa: S311  jitter, no secret
        longest = min(2 * longest, _LONGEST_S)
