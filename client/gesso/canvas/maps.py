"""One task over many items: map and starmap on one worker, chunks on several.

    ~tsum.map([[1, 2], [3, 4]])
    ~add.starmap(zip(range(10), range(10)))
    add.chunks(zip(range(100), range(100)), 10)()

They take nothing from the step before.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, ClassVar

from gesso.canvas.base import Canvas, Element, kind
from gesso.canvas.group import Group
from gesso.canvas.lazy import Lazy
from gesso.canvas.printing import Parts, name
from gesso.canvas.sender import Sender
from gesso.canvas.signature import Named, Signature, signature
from gesso.deadline import Timeout


class OverItems(Signature[list[Any]]):
    """One task that runs another with each of many items. Its value is the list of theirs.

    Args:
        task: What is run with each item: a signature, a task, or a task's name.
        it: The items. An iterator is read when it is sent.
        app: What sends it. None means the task's app.
        options: How it is run.
    """

    __slots__ = ()

    #: Name of the task that runs the other.
    task_name: ClassVar[str]

    def __init__(
        self, task: Element | Named | str, it: Iterable[Any], app: Sender | None = None, **options: Any
    ) -> None:
        inner = signature(task)
        items = it if isinstance(it, (list, tuple, Lazy)) else Lazy(it)
        kwargs = {"task": inner, "it": items}
        super().__init__(self.task_name, (), kwargs, immutable=True, app=app or inner.found_app(), **options)

    @property
    def inner(self) -> Signature[Any]:
        """What is run with each item."""
        found: Signature[Any] = self.kwargs["task"]
        return found

    @classmethod
    def of_fields(cls, data: Mapping[str, Any], app: Sender | None) -> Canvas:
        """Return one from its plain data."""
        made_of = data["kwargs"]
        return cls(made_of["task"], made_of["it"], app=app, **(data.get("options") or {}))

    def set_immutable(self, immutable: bool) -> None:  # noqa: FBT001 - Celery's
        """Do nothing: it takes nothing from the step before either way."""

    def heads(self) -> Iterable[Canvas]:
        """Return nothing: its items are the arguments."""
        return ()

    def arguments(self, item: Any) -> tuple[Any, ...]:
        """Return what the task is called with for an item."""
        raise NotImplementedError

    def __call__(self, *args: Any, **kwargs: Any) -> list[Any]:  # noqa: ARG002 - it is immutable
        """Run the task's function in this process with each item."""
        app = self.app
        return [app.call_inline(self.inner.task, self.arguments(item), {}) for item in self.kwargs["it"]]

    def item_parts(self, argument: str) -> Parts:
        """Return `[tsum(x) for x in [1, 2]]` in parts, the items cut at 100 characters."""
        items = repr(self.kwargs["it"])
        if len(items) > _SHOWN_LENGTH:
            items = items[: _SHOWN_LENGTH - 3] + "..."
        return ["[", *name(self.inner.task), f"({argument}) for x in {items}]"]


#: How much of the items' text is printed.
_SHOWN_LENGTH = 100


@kind("xmap", task="celery.map")
class Map(OverItems):
    """One task that calls another with each item as its argument."""

    __slots__ = ()
    task_name = "celery.map"

    def arguments(self, item: Any) -> tuple[Any, ...]:
        """Return the item alone."""
        return (item,)

    def parts(self) -> Parts:
        """Return it in parts."""
        return self.item_parts("x")


@kind("xstarmap", task="celery.starmap")
class Starmap(OverItems):
    """One task that calls another with each item's elements as its arguments."""

    __slots__ = ()
    task_name = "celery.starmap"

    def arguments(self, item: Any) -> tuple[Any, ...]:
        """Return the item's elements."""
        return tuple(item)

    def parts(self) -> Parts:
        """Return it in parts."""
        return self.item_parts("*x")


@kind("chunks", task="celery.chunks")
class Chunks(OverItems):
    """A group of starmaps over parts of many items.

    Args:
        task: What is run with each item's elements as its arguments.
        it: The items. An iterator is read lazily.
        n: How many items a part has; the last one may have fewer.
        app: What sends it. None means the task's app.
        options: How each starmap is run.
    """

    __slots__ = ()
    task_name = "celery.chunks"

    def __init__(
        self,
        task: Element | Named | str,
        it: Iterable[Any],
        n: int,
        app: Sender | None = None,
        **options: Any,
    ) -> None:
        if n < 1:
            raise ValueError(f"A part has at least 1 item, not {n}.")
        super().__init__(task, it, app=app, **options)
        self.kwargs["n"] = n

    @classmethod
    def of_fields(cls, data: Mapping[str, Any], app: Sender | None) -> Canvas:
        """Return chunks from their plain data."""
        made_of = data["kwargs"]
        return cls(made_of["task"], made_of["it"], made_of["n"], app=app, **(data.get("options") or {}))

    def group(self) -> Group:
        """Return the group of starmaps. It is lazy when the items are."""
        items, app = self.kwargs["it"], self.own_app
        parts = (Starmap(self.inner, part, app=app) for part in _parts(items, self.kwargs["n"]))
        group = Group(parts if isinstance(items, Lazy) else list(parts), app=app)
        return group.set(**self.options)

    def as_element(self) -> Canvas:
        """Return the group, which is what it stands for inside another canvas."""
        return self.group()

    def steps(self) -> list[Canvas]:
        """Return the group's steps."""
        return self.group().steps()

    def __call__(self, *args: Any, **options: Any) -> Any:  # noqa: ARG002 - it is immutable
        """Submit the group and return its GroupResult."""
        return self.apply_async(**options)

    def apply_async(
        self,
        args: Iterable[Any] | None = None,  # noqa: ARG002 - it is immutable
        kwargs: Mapping[str, Any] | None = None,  # noqa: ARG002 - it is immutable
        **options: Any,
    ) -> Any:
        """Submit the group and return its GroupResult."""
        return self.group().apply_async(**options)

    def submit(self, *, wait: bool, deadline: Timeout = None) -> Any:
        """Send the group."""
        return self.group().submit(wait=wait, deadline=deadline)

    def parts(self) -> Parts:
        """Return it as a call, in parts."""
        return self.reprcall_parts()


def _parts(items: Iterable[Any], size: int) -> Iterator[list[Any]]:
    """Yield the items in lists of `size`, the last of which may be shorter."""
    remaining = iter(items.stream() if isinstance(items, Lazy) else items)
    while part := list(islice(remaining, size)):
        yield part
