"""The routing table: which queue a task waits in when its signature names none."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

DEFAULT_QUEUE = "default"
_QUEUE = re.compile(r"[A-Za-z0-9._:-]{1,128}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Route:
    """One line of the table."""

    pattern: str
    """A task's name, or a pattern of names with `*`, `?` and `[…]`."""
    queue: str


@dataclass(frozen=True, slots=True)
class Routes:
    """The table. The first route that fits decides."""

    entries: tuple[Route, ...] = ()

    @classmethod
    def parse(cls, lines: Iterable[str]) -> Routes:
        """Read lines like `proj.mail.*=mail`. Empty ones, and what follows a `#`, are left out.

        Raises:
            ValueError: If a line says something else.
        """
        texts = (line.partition("#")[0].strip() for line in lines)
        return cls(tuple(_route(text) for text in texts if text))

    def queue(self, task: str) -> str:
        """Return the queue of a task."""
        for route in self.entries:
            if fnmatchcase(task, route.pattern):
                return route.queue
        return DEFAULT_QUEUE


def _route(text: str) -> Route:
    pattern, equals, queue = (part.strip() for part in text.rpartition("="))
    if not equals or not pattern:
        raise ValueError(f"A route is written as PATTERN=QUEUE, like 'proj.mail.*=mail', not {text!r}.")
    if not _QUEUE.fullmatch(queue):
        raise ValueError(
            f"A queue's name has 1 to 128 letters, digits, dots, colons, hyphens or underscores, not {queue!r}."
        )
    return Route(pattern, queue)
