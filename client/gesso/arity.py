"""What an error link is called with, by what its function has room for.

Source: semantics.md, "Links, error links, replace".
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection
from typing import Any

__all__ = ["accepts_failure"]

_FAILURE_ARGUMENT_COUNT = 3  # the failed task's request, exception and traceback


def accepts_failure(function: Callable[..., Any], taken_count: int, taken_names: Collection[str]) -> bool:
    """Return whether a function has room for `(request, exc, traceback)` in front of its stored arguments.

    Args:
        function: As it is called: without `self`.
        taken_count: How many positional arguments are stored.
        taken_names: The names of the keyword arguments that are stored.
    """
    return _room(function, taken_count, taken_names) >= _FAILURE_ARGUMENT_COUNT


def _room(function: Callable[..., Any], taken_count: int, taken_names: Collection[str]) -> float:
    """Return how many more positional arguments a function accepts, in front of those it is given."""
    positional = 0
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind is parameter.VAR_POSITIONAL:
            return float("inf")
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
            positional += parameter.name not in taken_names
    return positional - taken_count
