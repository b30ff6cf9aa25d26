"""The reference: a canvas run here, one task after the other, and what every node of it ends with.

Written from semantics.md, so that the live system can be held to it. It walks the tree; there is no plan.

Source: semantics.md, "Chains", "Groups", "Chords", "Links, error links, replace".
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import count
from typing import Any, Protocol
from uuid import uuid4

from gesso.canvas import Canvas, Chain, Chord, Chunks, Group, Lazy, Signature, joins
from gesso.canvas import options as opts
from gesso.canvas.base import without_ids
from gesso.canvas.maps import OverItems
from gesso.canvas.options import Options
from gesso.canvas.retry import RetryPolicy
from gesso.canvas.wire_options import write_stamps
from gesso.eager.attempts import Invocation, failure_input, stored_arguments
from gesso.eager.node import Fate, Node, Stamps, last_task
from gesso.eager.tally import Tally
from gesso.request import Request
from gesso.task import Task
from gesso.v1 import node_pb2

_DEFAULT_QUEUE = "default"


class Project(Protocol):
    """The tasks that a canvas may call."""

    @property
    def tasks(self) -> Mapping[str, Task[..., Any]]:
        """The tasks, by name."""
        ...

    @property
    def error_classes(self) -> Mapping[str, type[BaseException]]:
        """What besides builtins and Gesso's own is raised as itself, by name."""
        ...

    @property
    def allow_error_cb_on_chord_header(self) -> bool:
        """Whether a chord's error links run for each failed member of its header, too."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where an element stands."""

    source: Node | None = None
    """The node that it waits for. None at the start, and for a replacement."""
    failed: Signature[Any] | None = None
    """For an error link, the signature of the source, which failed."""
    parent: Node | None = None
    """The step before it: the source but for a replacement, which has the replaced task's."""
    begins: bool = False
    """Whether it begins a member of a join, so that its result has no parent."""
    join: Tally | None = None
    """The join that its last node is a member of."""
    groups: tuple[Node, ...] = ()
    """The joins that it stands inside, from the outermost inwards. None waits for a link."""
    stamps: Stamps | None = None
    """Stamps of everything in it: those of the task that it replaces, or that added it."""
    id: str | None = None
    """The id that its last node takes over."""

    @property
    def open(self) -> bool:
        """Whether what stands here runs."""
        return self.source is None or self.failed is not None or self.source.fate is Fate.SUCCEEDED


class Evaluator:
    """Runs one canvas with the tasks of a project."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._canvas_id = uuid4().hex
        self._numbers = count()
        self._root: str | None = None
        self.nodes: list[Node] = []
        """Every node, in the order in which they were come to."""

    def evaluate(self, canvas: Canvas) -> Node | None:
        """Run a canvas, and return its last node; None for a canvas of nothing.

        Raises:
            LookupError: If there is no such task here.
            TypeError: If a chord has no body.
            EncodeError: If an argument could not be sent.
        """
        return self._run(canvas.copy(), Place())

    def _run(self, canvas: Canvas, place: Place) -> Node | None:
        """Run an element of our own, which is used up."""
        match canvas:
            case Chain():
                return self._chain(canvas, place)
            case Chunks():
                return self._run(canvas.group(), place)
            case Group():
                return self._group(canvas, place)
            case Chord():
                return self._chord(canvas, place)
            case Signature():
                return self._task(canvas, place)
            case _:
                raise TypeError(f"There is no way to run a {type(canvas).__name__}.")

    # --- chains ----------------------------------------------------------------------------

    def _chain(self, chain: Chain, place: Place) -> Node | None:
        """Run steps one after the other, each behind the one before."""
        steps = [step.as_element() for step in chain.tasks]
        kept = [step for step in steps if not _vanishes(step)]
        if not kept:
            empty = _empty_group(steps)
            return None if empty is None else self._group(empty, place)
        kept[0].merge((), {}, opts.handed_down(chain.options))
        node: Node | None = None
        for number, step in enumerate(kept):
            here = (
                place
                if number == 0
                else Place(source=node, parent=node, groups=place.groups, stamps=place.stamps)
            )
            if number + 1 < len(kept):
                here = replace(here, join=None, id=None)
            elif number:
                here = replace(here, join=place.join, id=place.id)
            node = self._run(_unrolled(step), here)
        return node

    # --- groups and chords -----------------------------------------------------------------

    def _group(self, group: Group, place: Place) -> Node:
        """Run members side by side, which here is in their order, and join them."""
        node = self._add(place, group.id)
        node.join = group.join
        tally = Tally(node, self._project.error_classes)
        if not place.open and place.source is not None:
            node.inherit(place.source)
        groups = (*place.groups, node)
        inside = replace(place, begins=True, join=tally, groups=groups, id=None)
        members = _members(group) if group.lazy else list(_members(group))
        if isinstance(members, list):
            tally.expect(len(members))
        for member in members:
            ended = self._run(member, replace(inside, source=_unwanted()) if tally.cancels else inside)
            if ended is not None:
                tally.arrive(ended)
        while tally.added:
            canvas, adder = tally.added.pop(0)
            node.adders.append(adder)
            fired = node.fate is not None
            ended = self._run(canvas, Place(begins=True, join=tally, groups=groups, stamps=adder.stamps))
            if ended is not None and fired:
                node.dropped.append(ended)
            elif ended is not None:
                tally.arrive(ended)
        tally.close()
        return node

    def _chord(self, chord: Chord, place: Place) -> Node:
        """Run the header, and the body with its value."""
        if chord.body is None:
            raise TypeError("A chord is sent with a body: chord(header)(body) or chord(header, body).")
        chord.complete(chord.body)
        options = opts.handed_down(chord.options)
        chord.tasks.merge((), {}, options)
        chord.body.merge((), {}, opts.without(options, ("countdown", "eta")))
        if self._project.allow_error_cb_on_chord_header:
            for link in _error_links(chord):
                chord.tasks.link_error(without_ids(link))
        header = self._group(chord.tasks, replace(place, id=None))
        behind = Place(
            source=header,
            parent=header,
            join=place.join,
            groups=place.groups,
            stamps=place.stamps,
            id=place.id,
        )
        return self._run(chord.body, behind) or header

    # --- tasks -----------------------------------------------------------------------------

    def _task(self, sig: Signature[Any], place: Place) -> Node:
        """Run one task, then what is linked to it."""
        node = self._add(place, place.id or sig.id, sig)
        if self._root is None and place.source is None and len(self.nodes) == 1:
            self._root = node.id
        if place.open:
            self._perform(node, sig, place)
        elif place.source is not None:
            node.inherit(place.source)
        for link in _unique(sig.options.get("link", ())):
            self._run(link.copy(), Place(source=node, parent=node, stamps=place.stamps))
        if node.fate is Fate.FAILED:
            for link in _unique(sig.options.get("link_error", ())):
                self._run(link.copy(), Place(source=node, failed=sig, parent=node, stamps=place.stamps))
        return node

    def _perform(self, node: Node, sig: Signature[Any], place: Place) -> None:
        task = self._task_named(node.task)
        function = task.run
        args, kwargs = self._arguments(sig, place, function)
        before = last_task(place.parent)
        request = Request(
            id=node.id,
            node_id=node.node_id,
            root_id=self._root or node.id,
            parent_id=None if before is None else before.id,
            group=None if place.join is None else place.join.node.id,
            groups=tuple(join.id for join in node.groups),
            task=node.task,
            args=args,
            kwargs=kwargs,
            retry=_retry_policy(sig.options),
            delivery_info=_delivery(sig.options),
            stamps={key: [json.loads(text) for text in stamp.values] for key, stamp in node.stamps.items()},
            headers=dict(sig.options.get("headers") or {}),
            called_directly=False,
            is_eager=True,
        )
        replacement, added = Invocation(node, sig, task, function, request).run()
        if place.join is not None:
            place.join.added += [(member, node) for member in added]
        if replacement is not None:
            self._replace(node, replacement.copy(), place)

    def _replace(self, node: Node, replacement: Canvas, place: Place) -> None:
        """Let a canvas run in a task's place."""
        within = Place(
            parent=place.parent, begins=place.begins, join=place.join, groups=place.groups, stamps=node.stamps,
            id=node.id,
        )  # fmt: skip
        last = self._run(replacement, within)
        if last is None or last.fate is Fate.IGNORED or last.fate is Fate.CANCELLED:
            node.end(Fate.IGNORED)
        elif last.cause is not None and last.cause.error is not None:
            node.raised = last.cause.raised
            node.fail(Fate.FAILED, last.cause.error, last.cause)
        else:
            node.end(Fate.SUCCEEDED, last.value)

    def _arguments(
        self, sig: Signature[Any], place: Place, function: Any
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return what a task is called with: its stored arguments, and in front of them what it stands behind."""
        args, kwargs = stored_arguments(sig)
        if isinstance(sig, OverItems):
            return (list(args),), kwargs
        if sig.immutable or place.source is None:
            return args, kwargs
        if place.failed is None:
            return (place.source.value, *args), kwargs
        stored = len(args), kwargs
        given = failure_input(place.source, place.failed, function, stored, self._project.error_classes)
        return (*given, *args), kwargs

    def _task_named(self, name: str) -> Task[..., Any]:
        task = self._project.tasks.get(name)
        if task is None:
            raise LookupError(
                f"There is no task {name!r} in this process; only workers that know it can run it."
            )
        return task

    def _add(self, place: Place, chosen_id: str | None, sig: Signature[Any] | None = None) -> Node:
        """Add a node: of a task, or without a signature a join."""
        node_id = f"{self._canvas_id}-{next(self._numbers)}"
        node = Node(node_id=node_id, id=chosen_id or node_id, parent=None if place.begins else place.parent)
        node.groups, node.sent = place.groups, sig
        if sig is not None:
            node.task = sig.inner.task if isinstance(sig, OverItems) else sig.task
            node.queue = sig.options.get("queue") or _DEFAULT_QUEUE
            stamps = node_pb2.Node(stamps=place.stamps or {})
            write_stamps(opts.stamps_in(sig.options), own := node_pb2.Node().stamps)
            node.stamps = {**stamps.stamps, **own}
        before = last_task(place.source)
        if before is not None and place.failed is None and not place.begins:
            before.children.append(node)
        self.nodes.append(node)
        return node


# --- what elements amount to -------------------------------------------------------------------------


def _vanishes(step: Canvas) -> bool:
    """Return whether a step is known to be nothing, and is left out."""
    if isinstance(step, Chain):
        return all(_vanishes(each.as_element()) for each in step.tasks)
    return isinstance(step, Group) and step.dissolves and step.flat_count() == 0


def _is_nothing(canvas: Canvas) -> bool:
    """Return whether an element has no value: a chain of nothing."""
    return _vanishes(canvas) and _empty_group([canvas]) is None


def _with_body(chord: Chord) -> Canvas:
    """Return a chord, or the header alone of one whose body is nothing."""
    if chord.body is None or not _is_nothing(chord.body):
        return chord
    chord.tasks.merge((), {}, opts.handed_down(chord.options))
    return chord.tasks


def _error_links(canvas: Canvas) -> list[Canvas]:
    """Return the error links of a canvas's first task, or group, that is no header."""
    own = list(canvas.options.get("link_error", ()))
    match canvas:
        case Chain() if canvas.tasks:
            return own + _error_links(canvas.tasks[0])
        case Chord() if canvas.body is not None:
            return own + _error_links(canvas.body)
        case _:
            return own


def _empty_group(steps: list[Canvas]) -> Group | None:
    """Return the group that a chain of only empty groups gives the value of; None if there is none."""
    for step in steps:
        found = (
            step if isinstance(step, Group) else _empty_group(step.tasks) if isinstance(step, Chain) else None
        )
        if found is not None:
            return found
    return None


def _unrolled(step: Canvas) -> Canvas:
    """Return a step of a chain, or the one member of a group that is known to have one."""
    if isinstance(step, Group) and step.dissolves and step.flat_count() == 1:
        return next(_members(step))
    return step


def _members(group: Group) -> Iterator[Canvas]:
    """Yield a group's members as they are read, with its options and links; groups inside give theirs."""
    options = opts.handed_down(group.options)
    links, error_links = (_unique(group.options.get(key, ())) for key in opts.LINKS)
    for member in _flat(group):
        member.merge((), {}, options)
        for one in links:
            member.link(without_ids(one).set(immutable=True))
        for one in error_links:
            member.link_error(without_ids(one))
        links = []
        yield member


def _flat(group: Group) -> Iterator[Canvas]:
    members = group.tasks.stream() if isinstance(group.tasks, Lazy) else iter(group.tasks)
    for member in (each.as_element() for each in members):
        if isinstance(member, Group) and member.join == joins.DEFAULT:
            yield from _members(member)
        elif isinstance(member, Chord):
            yield _with_body(member)
        elif not _is_nothing(member):
            yield member


def _unwanted() -> Node:
    """Return what members stand behind that are cancelled before they begin."""
    node = Node(node_id="", id="", task="none")
    node.end(Fate.CANCELLED)
    return node


def _unique(links: Any) -> list[Canvas]:
    found: list[Canvas] = []
    for link in links:
        if link not in found:
            found.append(link)
    return found


def _retry_policy(options: Options) -> RetryPolicy | None:
    plain = options.get("retry")
    return RetryPolicy.of(plain) if isinstance(plain, Mapping) else None


def _delivery(options: Options) -> dict[str, Any]:
    info: dict[str, Any] = {"redelivered": False}
    if options.get("queue"):
        info["routing_key"] = options["queue"]
    if options.get("priority") is not None:
        info["priority"] = options["priority"]
    return info
