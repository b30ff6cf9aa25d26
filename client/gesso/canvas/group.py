"""Signatures that run side by side.

The value of a group is the list of its members' values, in order. A group made from a generator is
lazy: its members are read when they are needed, and submitted as they are read.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import timedelta
from itertools import repeat
from typing import Any, Self, TypeAlias
from uuid import uuid4

from gesso.canvas import joins, printing
from gesso.canvas import options as opts
from gesso.canvas.base import (
    Canvas,
    as_canvas,
    as_element,
    copied_options,
    kind,
    taken_options,
    without_ids,
)
from gesso.canvas.joins import Join, Policy
from gesso.canvas.lazy import Lazy
from gesso.canvas.printing import Parts
from gesso.canvas.running import Running
from gesso.canvas.sender import Sender
from gesso.canvas.stamping import Stamping

#: The members: in the caller's kind of list, or as an iterator yields them.
Members: TypeAlias = "list[Canvas] | tuple[Canvas, ...] | Lazy[Canvas]"


@kind("group", task="celery.group")
class Group(Canvas):
    """Signatures that run side by side.

        group(add.s(2, 2), add.s(4, 4))
        group(add.s(i, i) for i in range(100))

    Args:
        tasks: The members, or one iterable of them. An iterator is read lazily, and once.
        app: What sends it. None means the first member's app.
        policy: What counts as done: `settled()`, `quorum(k)`, `first()`. None means all must succeed.
        deadline: How long it may take, from the moment the members may start.
        cancel_rest: Whether members that are no longer needed are cancelled.
        max_in_flight: How many members may run at a time. 0 means no limit.
        options: Options for every member.
    """

    __slots__ = ("join", "keep", "tasks")

    task = "celery.group"
    immutable = False

    #: The members.
    tasks: Members
    #: How their values come together.
    join: Join
    #: Whether it is a group even with one member, or none, in a chain: so it is where it is, or was, lazy.
    keep: bool

    def __init__(
        self,
        *tasks: Any,
        app: Sender | None = None,
        policy: Policy | None = None,
        deadline: float | timedelta | None = None,
        cancel_rest: bool = False,
        max_in_flight: int = 0,
        **options: Any,
    ) -> None:
        self.join = joins.join_of(policy, deadline, cancel_rest=cancel_rest, max_in_flight=max_in_flight)
        self.own_app = app
        self.options = {}
        only = tasks[0] if len(tasks) == 1 else None
        if isinstance(only, Canvas) and isinstance(inner := as_element(only), Group) and inner.dissolves:
            self.tasks, self.keep = inner.tasks, inner.keep
            self.options = inner.options
        else:
            self.tasks = _members(tasks, app)
            self.keep = isinstance(self.tasks, Lazy)
        self.set(**options)

    # --- what it is ------------------------------------------------------------------------

    @property
    def dissolves(self) -> bool:
        """Whether it is no more than its members where they could as well stand: inside a group, or alone."""
        return self.join == joins.DEFAULT

    @property
    def kwargs(self) -> dict[str, Any]:
        """What it is made of: the members, and how they are joined where that is not by default."""
        made_of: dict[str, Any] = {"tasks": self.tasks if isinstance(self.tasks, Lazy) else list(self.tasks)}
        if self.join != joins.DEFAULT:
            made_of["join"] = self.join.to_dict()
        if self.keep:
            made_of["keep"] = True
        return made_of

    @property
    def id(self) -> str | None:
        """The group's id, when one was chosen."""
        group_id: str | None = self.options.get("task_id")
        return group_id

    def found_app(self) -> Sender | None:
        """Return its own app, or its first member's as far as that is known."""
        if self.own_app is None and not isinstance(self.tasks, Lazy) and self.tasks:
            return self.tasks[0].found_app()
        return self.own_app

    def __len__(self) -> int:
        return len(self.tasks)

    def __iter__(self) -> Iterator[Canvas]:
        return iter(self.tasks)

    def __getitem__(self, key: Any) -> Any:
        """Return a field by its name, or members by index."""
        return self.tasks[key] if isinstance(key, (int, slice)) else super().__getitem__(key)

    @classmethod
    def of_fields(cls, data: Mapping[str, Any], app: Sender | None) -> Canvas:
        """Return a group from its plain data."""
        made_of = data["kwargs"]
        group = cls(list(made_of["tasks"]), app=app)
        group.join = Join.from_dict(made_of.get("join", {}))
        group.keep = made_of.get("keep", False)
        group.options = taken_options(data.get("options") or {})
        return group

    # --- copies and changes ----------------------------------------------------------------

    def copy(self) -> Self:
        """Return a copy. Of a lazy group, both read the same generator, which is read once."""
        copied = object.__new__(type(self))
        copied.tasks = _copied(self.tasks)
        copied.join = self.join
        copied.keep = self.keep
        copied.options = copied_options(self.options)
        copied.own_app = self.own_app
        return copied

    def merge(self, args: Iterable[Any], kwargs: Mapping[str, Any], options: Mapping[str, Any]) -> None:
        """Hand arguments to every member; options are kept for all of them."""
        opts.merge(self.options, options)
        if args or kwargs:
            args = tuple(args)
            self.for_each(lambda member: member.merge(args, kwargs, {}))

    def set_immutable(self, immutable: bool) -> None:  # noqa: FBT001 - Celery's
        """Say whether the members ignore the value of the step before."""
        self.for_each(lambda member: member.set_immutable(immutable))

    def linked(self, key: str, canvas: Canvas) -> Canvas:
        """Link a canvas of our own: to the first member, as immutable, or to each member's failure."""
        canvas.forget_ids()
        if key == "link":
            canvas.set_immutable(True)
        return super().linked(key, canvas)

    def skew(self, start: float = 1.0, stop: float | None = None, step: float = 1.0) -> Self:
        """Let the members start one after the other, and return the group.

        Args:
            start: Countdown of the first member, in seconds.
            stop: The largest countdown; members behind it have the same. None means none.
            step: How much larger each countdown is than the one before.
        """
        countdowns = _ticks(start, stop, step)
        self.for_each(lambda member: member.set(countdown=next(countdowns)))
        return self

    def for_each(self, change: Callable[[Canvas], Any]) -> None:
        """Change every member, those not yet read when they are."""

        def changed(members: Iterator[Canvas]) -> Iterator[Canvas]:
            for member in members:
                change(member)
                yield member

        if isinstance(self.tasks, Lazy):
            self.tasks = _copied(self.tasks).mapped(changed)
        else:
            for member in self.tasks:
                change(member)

    def stamped(self, stamping: Stamping) -> None:
        """Stamp the links and the members; members not yet read when they are, with the hooks around."""
        visitor, headers = stamping.visitor, stamping.headers
        self.stamp_members(
            stamping,
            lambda: visitor.on_group_start(self, **headers),
            lambda inside: visitor.on_group_end(self, **inside.headers),
        )

    def stamp_members(
        self,
        stamping: Stamping,
        start: Callable[[], Mapping[str, Any] | None],
        end: Callable[[Stamping], None],
    ) -> None:
        """Stamp the members between two hooks, and the links."""

        def stamped(members: Iterator[Canvas]) -> Iterator[Canvas]:
            inside = stamping.below(start())
            if not lazy:
                self.stamp_links(inside)
            for member in members:
                member.stamped(inside)
                yield member
            end(inside)

        lazy = isinstance(self.tasks, Lazy)
        if isinstance(self.tasks, Lazy):
            self.stamp_links(stamping)
            self.tasks = _copied(self.tasks).mapped(stamped)
        else:
            for _ in stamped(iter(self.tasks)):
                pass

    def identify(self, task_id: str | None) -> None:
        """Give the group and its members ids."""
        if task_id is not None or "task_id" not in self.options:
            self.options["task_id"] = task_id or str(uuid4())
        self.for_each(lambda member: member.identify(None))

    def forget_ids(self) -> None:
        """Take the ids of the group and its members away."""
        self.options.pop("task_id", None)
        self.for_each(lambda member: member.forget_ids())

    # --- composing and running -------------------------------------------------------------

    def flat_count(self) -> int | None:
        """Return how many members it has, those of groups directly inside included. None if not known."""
        if self.keep or isinstance(self.tasks, Lazy):
            return None
        count = 0
        for member in self.tasks:
            if isinstance(member, Group) and member.dissolves:
                inner = member.flat_count()
                if inner is None:
                    return None
                count += inner
            elif not member.known_empty:
                count += 1
        return count

    def steps(self) -> list[Canvas]:
        """Return no step for a group known to be empty, and the one member of a group of one."""
        count = self.flat_count() if self.dissolves else None
        if count is None or count > 1:
            return [self]
        return [step for member in self.dissolved() for step in member.steps()]

    def dissolved(self) -> list[Canvas]:
        """Return its members, those of groups directly inside in their place, with its options and links.

        It must be one whose members are known. It is used up: they are its own parts.
        """
        self.hand_links_down()
        handed = opts.handed_down(self.options)
        members: list[Canvas] = []
        for member in self.tasks:
            member.merge((), {}, handed)
            members.extend(member.dissolved() if isinstance(member, Group) and member.dissolves else [member])
        return members

    def hand_links_down(self) -> None:
        """Link what is linked to the group to its members instead.

        It is used up. Which member is the first is not known before lazy groups inside are read: they are then
        unrolled here.
        """
        links, error_links = (self.options.pop(key, []) for key in opts.LINKS)
        if not links and not error_links:
            return

        def linked(member: Canvas) -> None:
            for one in error_links:
                member.link_error(without_ids(one))
            nothing = member.known_empty
            if isinstance(member, Group) and member.dissolves:
                nothing = member.flat_count() == 0
            while links and not nothing:
                member.link(links.pop(0))

        if self.lazy:
            self.tasks = Lazy(self.unrolled())
        self.for_each(linked)

    @property
    def lazy(self) -> bool:
        """Whether members are still to be read, among them those of groups that are unrolled into it."""
        return isinstance(self.tasks, Lazy) or any(
            isinstance(member, Group) and member.dissolves and member.lazy for member in self.tasks
        )

    def unrolled(self) -> Iterator[Canvas]:
        """Return its members as they are read, those of lazy groups directly inside in their place.

        Those have the options and links of the group that they were in.
        """
        return _unrolled(self.tasks)

    def apply_async(
        self,
        args: Iterable[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> Any:
        """Submit it and return its GroupResult; otherwise as for any canvas.

        Raises:
            TypeError: If a link is given: a group is no task. `group.link` says whom it would link.
        """
        for key in opts.LINKS:
            if options.pop(key, None) is not None:
                raise TypeError(
                    f"A group takes no {key}= when it is called: use group.{key}(...) or a chord."
                )
        return super().apply_async(args, kwargs, **options)

    def __call__(self, *args: Any, **options: Any) -> Any:
        """Submit it with more arguments for each member, and options."""
        return self.apply_async(args, None, **options)

    def heads(self) -> Iterator[Running]:
        """Yield the first tasks of the members, if they are known."""
        if not isinstance(self.tasks, Lazy):
            for member in self.tasks:
                yield from member.heads()

    # --- printing --------------------------------------------------------------------------

    def parts(self) -> Parts:
        """Return `group((add(2), add(4)))` in parts."""
        if isinstance(self.tasks, Lazy):
            return ["group(", *self.tasks.parts(), ")"]
        if not self.tasks:
            return ["group(<empty>)"]
        return printing.shortened(["group(", *self.member_parts(), ")"], self.tasks[0].task)

    def member_parts(self) -> Parts:
        """Return the list of members in parts."""
        return self.tasks.parts() if isinstance(self.tasks, Lazy) else printing.sequence(self.tasks)

    def reprcall_parts(self, *first: Parts) -> Parts:
        """Return it as a call, in parts, as what stands behind a header prints."""
        return printing.call(self.task, first, {"tasks": self.tasks})


def _members(tasks: tuple[Any, ...], app: Sender | None) -> Members:
    """Return what `group(*tasks)` is made of, as its own."""
    if len(tasks) != 1:
        return tuple(as_element(task, app) for task in tasks)
    only = tasks[0]
    if isinstance(only, (Canvas, Mapping)):
        return [as_element(only, app)]
    if isinstance(only, tuple):
        return tuple(as_element(task, app) for task in only)
    if isinstance(only, Collection) and not isinstance(only, (str, bytes)):
        return [as_element(task, app) for task in only]
    if isinstance(only, Iterable):
        return Lazy(only).mapped(lambda read: (as_element(task, app) for task in read))
    return [as_canvas(only, app)]


def _unrolled(members: Members) -> Iterator[Canvas]:
    for member in members.stream() if isinstance(members, Lazy) else members:
        if isinstance(member, Group) and member.dissolves and member.lazy:
            inner = member.copy()
            inner.hand_links_down()
            handed = opts.handed_down(inner.options)
            for each in inner.unrolled():
                each.merge((), {}, handed)
                yield each
        else:
            yield member


def _copied(members: Members) -> Any:
    if isinstance(members, Lazy):
        return members.mapped(lambda read: (member.copy() for member in read))
    return type(members)([member.copy() for member in members])


def _ticks(start: float, stop: float | None, step: float) -> Iterator[float]:
    """Yield numbers from `start` to `stop`, and then the last one for ever."""
    last = start
    while stop is None or last + step <= stop:
        yield last
        last += step
    yield from repeat(last)
