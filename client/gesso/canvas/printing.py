"""How canvases print: as Celery's do.

A task is printed as a call, `tasks.add(2, 2)`. In a chain, a group and a chord the module of the first
task is printed once: `tasks.add(2, 2) | mul(4)`. To leave out a module's repetitions, and nothing that
merely looks like one, text is kept in parts until the end, and the modules in it are parts of their own.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

Parts: TypeAlias = list[str]


class Module(str):
    """The module in a task's name, with its dot."""

    __slots__ = ()


class Printed(ABC):
    """What prints in parts."""

    __slots__ = ()

    @abstractmethod
    def parts(self) -> Parts:
        """Return the text in parts."""

    def __repr__(self) -> str:
        return "".join(self.parts())


def name(task: str) -> Parts:
    """Return a task's name, its module apart."""
    module, dot, rest = task.rpartition(".")
    return [Module(module + dot), rest] if dot else [task]


def value(value: Any) -> Parts:
    """Return any value's text; what is `Printed` in lists, tuples and dicts keeps its parts."""
    match value:
        case Printed():
            return value.parts()
        case list() | tuple() if any(isinstance(item, Printed) for item in value):
            return sequence(value)
        case _:
            return [repr(value)]


def sequence(items: Sequence[Any]) -> Parts:
    """Return a list's or tuple's text."""
    inner = joined((value(item) for item in items), ", ")
    if isinstance(items, tuple):
        return ["(", *inner, ",)" if len(items) == 1 else ")"]
    return ["[", *inner, "]"]


def call(task: str, args: Iterable[Parts], kwargs: Mapping[str, Any]) -> Parts:
    """Return a call's text: `add(2, 2, debug=True)`."""
    named = ([f"{key}=", *value(item)] for key, item in kwargs.items())
    return [*name(task), "(", *joined([*args, *named], ", "), ")"]


def joined(texts: Iterable[Parts], separator: str) -> Parts:
    """Return texts one after the other."""
    result: Parts = []
    for text in texts:
        if result:
            result.append(separator)
        result.extend(text)
    return result


def shortened(parts: Parts, task: str) -> Parts:
    """Return parts in which the module of `task` is left out where it repeats."""
    module = task.rpartition(".")[0] + "."
    result: Parts = []
    seen = False
    for part in parts:
        if isinstance(part, Module) and part == module:
            if seen:
                continue
            seen = True
        result.append(part)
    return result
