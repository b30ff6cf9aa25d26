"""Signatures that run one after the other, and how `|` and `chain()` compose.

A chain is kept flat: steps of a chain inside become its own. On the way

- what is known to be empty is left out, and a group known to have one member is that member;
- a group with something behind it becomes a chord with that as its body, and what follows the body
  follows as the next step;
- a chain that starts with a chord, and does not end in a group, is that chord, its body being the rest.

So the same canvas is built whichever way it is written, and its depth does not grow with its length.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Self

from gesso.canvas import options as opts
from gesso.canvas import printing
from gesso.canvas.base import Canvas, as_canvas, copied_options, kind, taken_options
from gesso.canvas.chord import Chord
from gesso.canvas.group import Group
from gesso.canvas.printing import Parts
from gesso.canvas.running import Running
from gesso.canvas.sender import Sender
from gesso.canvas.stamping import Stamping
from gesso.deadline import Timeout


@kind("chain", task="celery.chain")
class Chain(Canvas):
    """Signatures that run one after the other, each with the value of the one before.

        chain(add.s(2, 2), mul.s(8), mul.s(10))

    `chain()` returns what its steps amount to, which may be a chord or a group.

    Args:
        tasks: The steps, or one iterable of them, which is read at once.
        app: What sends it. None means the first step's app.
        options: Options for the first step.
    """

    __slots__ = ("tasks",)

    task = "celery.chain"
    immutable = False

    #: The steps.
    tasks: list[Canvas]

    def __new__(cls, *tasks: Any, app: Sender | None = None, **options: Any) -> Canvas:  # type: ignore[misc]  # what the steps amount to
        """Return the canvas that the steps amount to."""
        given: Iterable[Any] = tasks
        if len(tasks) == 1 and not isinstance(tasks[0], (Canvas, Mapping)):
            given = _iterable(tasks[0])
        elements = [as_canvas(one, app).as_element() for one in given]
        composed = _composed([step for one in elements for step in one.steps()], app)
        if isinstance(composed, Chain) and not composed.tasks:
            composed = next((one for one in elements if isinstance(one, Group)), composed)
        return composed.set(**options)

    @classmethod
    def of_steps(cls, steps: list[Canvas], app: Sender | None = None) -> Chain:
        """Return a chain made of canvases of our own."""
        chain = object.__new__(cls)
        chain.tasks = steps
        chain.options = {}
        chain.own_app = app
        return chain

    @classmethod
    def piped(cls, left: Canvas, right: Canvas) -> Canvas:
        """Return `left | right`, both of which are used up.

        A group on the left stays one, however many members it has.
        """
        left, right = left.as_element(), right.as_element()
        app = left.own_app or right.own_app
        first = [left] if isinstance(left, Group) else left.steps()
        return _composed([*first, *right.steps()], app)

    # --- what it is ------------------------------------------------------------------------

    @property
    def kwargs(self) -> dict[str, Any]:
        """What it is made of: the steps."""
        return {"tasks": list(self.tasks)}

    @property
    def id(self) -> str | None:
        """The last step's id, when one was chosen."""
        return self.tasks[-1].id if self.tasks else None

    @property
    def known_empty(self) -> bool:
        """Whether it has no steps."""
        return not self.tasks

    def found_app(self) -> Sender | None:
        """Return its own app, or its first step's."""
        return self.own_app or (self.tasks[0].found_app() if self.tasks else None)

    def __len__(self) -> int:
        return len(self.tasks)

    def __getitem__(self, key: Any) -> Any:
        """Return a field by its name, or steps by index."""
        return self.tasks[key] if isinstance(key, (int, slice)) else super().__getitem__(key)

    @classmethod
    def of_fields(cls, data: Mapping[str, Any], app: Sender | None) -> Canvas:
        """Return what a chain amounts to, from its plain data."""
        return cls(list(data["kwargs"]["tasks"]), app=app, **taken_options(data.get("options") or {}))

    # --- copies and changes ----------------------------------------------------------------

    def copy(self) -> Self:
        """Return a copy that shares nothing changeable but the values of arguments."""
        copied = object.__new__(type(self))
        copied.tasks = [step.copy() for step in self.tasks]
        copied.options = copied_options(self.options)
        copied.own_app = self.own_app
        return copied

    def merge(self, args: Iterable[Any], kwargs: Mapping[str, Any], options: Mapping[str, Any]) -> None:
        """Hand arguments to the first step and the id to the last; keep other options for the first."""
        if self.tasks:
            self.tasks[0].merge(args, kwargs, {})
        self._name(options)
        opts.merge(self.options, opts.without(options, ["task_id"]))

    def set_options(self, options: Mapping[str, Any]) -> None:
        """Set options, links excepted; the id is the last step's."""
        self._name(options)
        super().set_options(opts.without(options, ["task_id"]))

    def set_immutable(self, immutable: bool) -> None:  # noqa: FBT001 - Celery's
        """Say whether the first step ignores the value of the step before."""
        if self.tasks:
            self.tasks[0].set_immutable(immutable)

    def linked(self, key: str, canvas: Canvas) -> Canvas:
        """Link a canvas of our own: to the last step, or to the failure of each step.

        An empty chain has nothing to link to; the link is dropped.
        """
        canvas.forget_ids()
        if not self.tasks:
            return canvas
        if key == "link":
            return self.tasks[-1].linked(key, canvas)
        for step in self.tasks:
            step.linked(key, canvas.copy())
        return canvas

    def stamped(self, stamping: Stamping) -> None:
        """Stamp the steps."""
        visitor, headers = stamping.visitor, stamping.headers
        inside = stamping.below(visitor.on_chain_start(self, **headers))
        for step in self.tasks:
            step.stamped(inside)
        visitor.on_chain_end(self, **inside.headers)

    def identify(self, task_id: str | None) -> None:
        """Give every step an id; `task_id` is the last one's."""
        for step in self.tasks[:-1]:
            step.identify(None)
        if self.tasks:
            self.tasks[-1].identify(task_id)

    def forget_ids(self) -> None:
        """Take the steps' ids away."""
        for step in self.tasks:
            step.forget_ids()

    def unchain_tasks(self) -> list[Canvas]:
        """Return copies of the steps."""
        return [step.copy() for step in self.tasks]

    # --- composing and running -------------------------------------------------------------

    def steps(self) -> list[Canvas]:
        """Return the steps, the first with the chain's options."""
        if self.tasks:
            self.tasks[0].merge((), {}, opts.handed_down(self.options))
        return [deep for step in self.tasks for deep in _flat(step)]

    def submit(self, *, wait: bool, deadline: Timeout = None) -> Any:
        """Send it as it is. An empty chain is not sent, and has no result: None."""
        return super().submit(wait=wait, deadline=deadline) if self.tasks else None

    def heads(self) -> Iterator[Running]:
        """Yield the first tasks."""
        if self.tasks:
            yield from self.tasks[0].heads()

    # --- printing --------------------------------------------------------------------------

    def parts(self) -> Parts:
        """Return `add(4, 4) | mul(8)` in parts."""
        return _text(self.tasks) if self.tasks else [f"<chain@{id(self):#x}: empty>"]

    def reprcall_parts(self, *first: Parts) -> Parts:
        """Return it in parts, in parentheses, with `first` before the first step's arguments."""
        if not self.tasks:
            return super().reprcall_parts(*first)
        head, *rest = self.tasks
        text = [head.reprcall_parts(*first), *([_text(rest)] if rest else [])]
        return printing.shortened(["(", *printing.joined(text, " | "), ")"], head.task)

    def _name(self, options: Mapping[str, Any]) -> None:
        task_id = options.get("task_id")
        if task_id is not None and self.tasks:
            self.tasks[-1].set_options({"task_id": task_id})


def _iterable(value: Any) -> Iterable[Any]:
    if isinstance(value, Iterable) and not isinstance(value, (str, bytes)):
        return value
    return [value]


def _flat(step: Canvas) -> list[Canvas]:
    """Return a step of a chain as steps: a group that stands in a chain has earned its place."""
    return [step] if isinstance(step, Group) else step.steps()


def _composed(steps: list[Canvas], app: Sender | None) -> Canvas:
    """Return what steps of our own amount to."""
    chained: list[Canvas] = []
    for step in steps:
        last = chained[-1] if chained else None
        if isinstance(last, Group):
            chained[-1] = Chord.of_parts(last, step)
        elif isinstance(last, Chord) and last.ends_in_group:
            last.follow(step)
        else:
            chained.append(step)
    if len(chained) == 1 and isinstance(chained[0], (Group, Chord)):
        return chained[0]
    chord = chained[0] if chained else None
    if isinstance(chord, Chord) and chord.body is not None and not isinstance(chained[-1], Group):
        chord.body = Chain.of_steps([chord.body, *chained[1:]])
        return chord
    return Chain.of_steps(chained, app)


def _text(steps: list[Canvas]) -> Parts:
    """Return the steps' text: what follows a chord stands inside it, but for a group at the end."""
    trailing = [steps[-1].parts()] if isinstance(steps[-1], Group) else []
    texts: list[Parts] = []
    task = steps[-1].task
    for step in reversed(steps[: len(steps) - len(trailing)]):
        if isinstance(step, Chord) and texts:
            texts = [step.parts_before(printing.shortened(printing.joined(texts, " | "), task))]
        else:
            texts.insert(0, step.parts())
        task = step.task
    return printing.shortened(printing.joined([*texts, *trailing], " | "), steps[0].task)
