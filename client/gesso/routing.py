"""`task_routes`: the queue of a task that names none, as Celery decides it.

What is said when a task is sent wins over what the task was declared with; that wins over these routes; and where they
say nothing, the coordinator's own routing table decides, `default` in the end.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from fnmatch import translate
from functools import lru_cache
from typing import Any, TypeAlias

from gesso.canvas.wire_options import BROKER_OPTIONS

__all__ = ["TaskRoutes", "routes_of"]

#: As Celery has it: a mapping, or pairs in a list or tuple. Values are names of queues, or mappings with a `queue`.
TaskRoutes: TypeAlias = "Mapping[Any, Any] | Iterable[tuple[Any, Any]]"


class Routes:
    """Routes of an app. A task's own name wins over patterns; among patterns the first that fits."""

    def __init__(self, exact: Mapping[str, str], patterns: Iterable[tuple[re.Pattern[str], str]]) -> None:
        self._exact = exact
        self._patterns = tuple(patterns)
        self.queue = lru_cache(1024)(self._queue)

    def _queue(self, task: str) -> str | None:
        """Return the queue of a task; None where the routes say nothing."""
        known = self._exact.get(task)
        if known is not None:
            return known
        return next((queue for pattern, queue in self._patterns if pattern.match(task)), None)


def routes_of(given: TaskRoutes | None) -> Routes | None:
    """Return the routes that `task_routes` says; None for none.

    Args:
        given: Keys are names of tasks, patterns with `*` and `?`, or compiled regular expressions.

    Raises:
        TypeError: If it is something else, such as a router function.
    """
    if not given:
        return None
    exact: dict[str, str] = {}
    patterns: list[tuple[re.Pattern[str], str]] = []
    for key, value in _pairs(given):
        queue = _queue(key, value)
        if isinstance(key, re.Pattern):
            patterns.append((key, queue))
        elif not isinstance(key, str):
            raise TypeError(f"task_routes= has names, patterns or regular expressions, not {key!r}.")
        elif set(key) & set("*?["):
            patterns.append((re.compile(translate(key)), queue))
        else:
            exact.setdefault(key, queue)
    return Routes(exact, patterns)


def _pairs(given: Any) -> list[tuple[Any, Any]]:
    if isinstance(given, Mapping):
        return list(given.items())
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise TypeError(f"task_routes= is a mapping or a list of pairs, not {given!r}.")
    found: list[tuple[Any, Any]] = []
    for item in given:
        if isinstance(item, Mapping):  # Celery takes a list of routers, each of which may be a mapping
            found += item.items()
        elif isinstance(item, (tuple, list)) and len(item) == 2:  # noqa: PLR2004 - a pair
            found.append((item[0], item[1]))
        elif isinstance(item, (tuple, list)):
            found += _pairs(item)
        else:
            raise TypeError(f"task_routes= is a mapping or a list of pairs; {item!r} is neither of these.")
    return found


def _queue(key: Any, value: Any) -> str:
    if isinstance(value, Mapping):
        strange = value.keys() - BROKER_OPTIONS - {"queue"}
        if strange:
            raise TypeError(f"A route of task_routes= chooses a queue; {key!r} has {sorted(strange)}, too.")
        value = value.get("queue")
    if not isinstance(value, str) or not value:
        raise TypeError(f"A route of task_routes= is the name of a queue, not {value!r} as for {key!r}.")
    return value
