"""A group, and a body that gets the list of its values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Any, Self

from gesso.canvas import joins, printing
from gesso.canvas import options as opts
from gesso.canvas.base import Canvas, Element, as_element, copied_options, kind, taken_options
from gesso.canvas.group import Group
from gesso.canvas.joins import Policy
from gesso.canvas.printing import Parts
from gesso.canvas.running import Running
from gesso.canvas.sender import Sender
from gesso.canvas.stamping import Stamping
from gesso.deadline import Timeout


@kind("chord", task="celery.chord")
class Chord(Canvas):
    """A header of signatures that run side by side, and a body that runs when they are done.

        chord((add.s(i, i) for i in range(100)), tsum.s())
        chord(header)(body)

    Args:
        header: The header's members: a group, or what a group is made of. A chain is one member.
        body: Gets the list of their values. None means that it follows when the chord is called.
        app: What sends it. None means the header's app, or the body's.
        policy: What counts as done, as for a group. None means as the header has it.
        deadline: As for a group.
        cancel_rest: As for a group.
        max_in_flight: As for a group.
        options: Options for the header's members and for the body; countdown and eta for the former.
    """

    __slots__ = ("body", "tasks")

    task = "celery.chord"
    immutable = False

    #: The header.
    tasks: Group
    #: What runs when the header is done.
    body: Canvas | None

    def __init__(
        self,
        header: Any,
        body: Element | None = None,
        *,
        app: Sender | None = None,
        policy: Policy | None = None,
        deadline: float | timedelta | None = None,
        cancel_rest: bool = False,
        max_in_flight: int = 0,
        **options: Any,
    ) -> None:
        element = as_element(header, app) if isinstance(header, (Canvas, Mapping)) else None
        self.tasks = element if isinstance(element, Group) else Group(header, app=app)
        join = joins.join_of(policy, deadline, cancel_rest=cancel_rest, max_in_flight=max_in_flight)
        if join != joins.DEFAULT:
            self.tasks.join = join
        self.tasks.keep = False  # a header is one anyway
        self.body = None if body is None else as_element(body, app)
        self.options = {}
        self.own_app = app
        self.set(**options)

    # --- what it is ------------------------------------------------------------------------

    @property
    def kwargs(self) -> dict[str, Any]:
        """What it is made of: header and body."""
        made_of = self.tasks.kwargs
        bare = not self.tasks.options and made_of.keys() == {"tasks"}
        return {"kwargs": {}, "header": made_of["tasks"] if bare else self.tasks, "body": self.body}

    @property
    def id(self) -> str | None:
        """The body's id, when one was chosen."""
        return None if self.body is None else self.body.id

    @property
    def ends_in_group(self) -> bool:
        """Whether its value is a list, of a group that is its body or the body's body."""
        return isinstance(self.body, Group) or (isinstance(self.body, Chord) and self.body.ends_in_group)

    def found_app(self) -> Sender | None:
        """Return its own app, or its header's or body's."""
        return self.own_app or self.tasks.found_app() or (self.body.found_app() if self.body else None)

    @classmethod
    def of_fields(cls, data: Mapping[str, Any], app: Sender | None) -> Canvas:
        """Return a chord from its plain data."""
        made_of = data["kwargs"]
        header = made_of["header"]
        chord = cls(header if isinstance(header, Mapping) else list(header), made_of.get("body"), app=app)
        chord.options = taken_options(data.get("options") or {})
        return chord

    # --- copies and changes ----------------------------------------------------------------

    def copy(self) -> Self:
        """Return a copy that shares nothing changeable but the values of arguments."""
        copied = object.__new__(type(self))
        copied.tasks = self.tasks.copy()
        copied.body = None if self.body is None else self.body.copy()
        copied.options = copied_options(self.options)
        copied.own_app = self.own_app
        return copied

    def merge(self, args: Iterable[Any], kwargs: Mapping[str, Any], options: Mapping[str, Any]) -> None:
        """Hand arguments to the header's members, the id to the body; keep other options for both."""
        self.tasks.merge(args, kwargs, {})
        self._name(options)
        opts.merge(self.options, opts.without(options, ["task_id"]))

    def set_options(self, options: Mapping[str, Any]) -> None:
        """Set options, links excepted; the id is the body's."""
        self._name(options)
        super().set_options(opts.without(options, ["task_id"]))

    def set_immutable(self, immutable: bool) -> None:  # noqa: FBT001 - Celery's
        """Say whether the header's members ignore the value of the step before."""
        self.tasks.set_immutable(immutable)

    def linked(self, key: str, canvas: Canvas) -> Canvas:
        """Link a canvas of our own to the body, now or when there is one; to the header where the body is nothing."""
        if self.body is None:
            return super().linked(key, canvas)
        return (self.tasks if self.body.known_empty else self.body).linked(key, canvas)

    def complete(self, body: Canvas) -> None:
        """Take a canvas of our own as the body, in place of the one there may be."""
        self.body = body
        for key in opts.LINKS:
            for one in self.options.pop(key, ()):
                self.linked(key, one)

    def stamped(self, stamping: Stamping) -> None:
        """Stamp the header, then the body; the chord shows the body's stamps as its own."""
        visitor, headers = stamping.visitor, stamping.headers
        self.stamp_links(stamping)
        self.tasks.stamp_members(
            stamping,
            lambda: visitor.on_chord_header_start(self, **headers),
            lambda inside: visitor.on_chord_header_end(self, **inside.headers),
        )
        if self.body is None:
            return
        self.body.stamped(stamping.below(visitor.on_chord_body(self, **headers)))
        stamps = opts.stamps_in(self.body.options)
        if stamps:
            self.options.update(opts.container_copy({**stamps, opts.STAMPED: sorted(stamps)}))

    def identify(self, task_id: str | None) -> None:
        """Give everything in it an id; `task_id` is the body's."""
        self.tasks.identify(None)
        if self.body is not None:
            self.body.identify(task_id)

    def forget_ids(self) -> None:
        """Take away every id in it."""
        self.tasks.forget_ids()
        if self.body is not None:
            self.body.forget_ids()

    # --- composing and running -------------------------------------------------------------

    def steps(self) -> list[Canvas]:
        """Return the chord with the first step of its body, and the body's other steps.

        Raises:
            TypeError: If it has no body yet.
        """
        if self.body is None:
            raise TypeError(
                "A chord without a body cannot be a step: complete it first, chord(header, body)."
            )
        if isinstance(self.body, Group):
            return [self]
        body = self.body.steps()
        if not body:
            return [self._header_alone()]
        self.body = body[0]
        return [self, *body[1:]]

    def _header_alone(self) -> Group:
        """Return what a chord amounts to whose body is a chain of nothing."""
        self.tasks.merge((), {}, opts.handed_down(self.options))
        self.tasks.keep = True
        return self.tasks

    def follow(self, step: Canvas) -> None:
        """Put a step behind the group that the chord ends in, which makes it a header."""
        if isinstance(self.body, Group):
            self.body = Chord.of_parts(self.body, step)
        elif isinstance(self.body, Chord):
            self.body.follow(step)

    @classmethod
    def of_parts(cls, header: Group, body: Canvas) -> Chord:
        """Return a chord made of canvases of our own."""
        chord = object.__new__(cls)
        chord.tasks, chord.body = header, body
        header.keep = False  # a header is one anyway
        chord.options = {}
        chord.own_app = None
        return chord

    def __call__(self, body: Element | None = None, **options: Any) -> Any:
        """Submit it, with `body` if one is given, and options."""
        called = self.called(None, None, options)
        if body is not None:
            called = called.copy()
            called.complete(as_element(body))
        return called.submit(wait=False)

    def submit(self, *, wait: bool, deadline: Timeout = None) -> Any:
        """Send it as it is.

        Raises:
            TypeError: If it has no body.
        """
        if self.body is None:
            raise TypeError("A chord is sent with a body: chord(header)(body) or chord(header, body).")
        return super().submit(wait=wait, deadline=deadline)

    def heads(self) -> Iterator[Running]:
        """Yield the first tasks of the header, if they are known."""
        yield from self.tasks.heads()

    # --- printing --------------------------------------------------------------------------

    def parts(self) -> Parts:
        """Return `%tsum([add(1), add(2)])` in parts."""
        return self.parts_before([])

    def parts_before(self, rest: Parts) -> Parts:
        """Return it in parts, with the text of the chain's steps behind it inside its body."""
        header = self.tasks.member_parts()
        if self.body is None:
            return ["<chord without body: ", *header, ">"]
        text = self.body.reprcall_parts(header)
        if rest:
            text = ["(", *text, " | ", *rest, ")"]
        return ["%", *printing.shortened(text, self.body.task)]

    def reprcall_parts(self, *first: Parts) -> Parts:
        """Return it as a call, in parts, as what stands behind a header prints."""
        made_of: dict[str, Any] = {"kwargs": {}, "header": self.tasks.tasks, "body": self.body}
        return printing.call(self.task, first, made_of)

    def _name(self, options: Mapping[str, Any]) -> None:
        task_id = options.get("task_id")
        if task_id is not None and self.body is not None:
            self.body.set_options({"task_id": task_id})
