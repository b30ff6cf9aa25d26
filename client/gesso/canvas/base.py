"""What signatures and primitives have in common.

A canvas is a tree: signatures at its leaves, chains, groups and chords above them. Each element owns
what is inside it: building, linking and sending copy what they take in and never change it. The kinds
stand in one table, so that a canvas can be made from its plain dict without knowing which it is.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar, Self, TypeAlias, TypeVar

from gesso.canvas import options as opts
from gesso.canvas import printing
from gesso.canvas.lazy import Lazy
from gesso.canvas.options import LINKS, Options
from gesso.canvas.printing import Parts, Printed
from gesso.canvas.running import Running
from gesso.canvas.sender import Sender
from gesso.canvas.stamping import PlainVisitor, Stamping, StampingVisitor, chosen

#: The fields of a canvas as plain data.
FIELDS = ("task", "args", "kwargs", "options", "subtask_type", "immutable")

#: The kinds of canvas, by `subtask_type` and by `task`. What stands under neither is a signature.
KINDS: dict[str, type[Canvas]] = {}

#: What may stand where a canvas is asked for.
Element: TypeAlias = "Canvas | Mapping[str, Any]"
#: What `link` takes.
Linkable: TypeAlias = "Element | list[Element] | tuple[Element, ...]"

K = TypeVar("K", bound="type[Canvas]")


def kind(name: str, task: str) -> Callable[[K], K]:
    """Return a decorator that enters a class as the kind called `name`."""

    def enter(cls: K) -> K:
        cls.subtask_type = name
        KINDS[name] = KINDS[task] = cls
        return cls

    return enter


class Canvas(Printed, Running):
    """A signature, or signatures composed in one of the primitives."""

    __slots__ = ("options", "own_app")

    #: Which primitive it is. None is a signature.
    subtask_type: ClassVar[str | None] = None

    #: How the element is run, see `gesso.canvas.options`.
    options: Options
    #: The app that it was made by. None means the current one at the time of sending.
    own_app: Sender | None

    # --- what it is ------------------------------------------------------------------------

    task: str
    immutable: bool

    @property
    def args(self) -> tuple[Any, ...]:
        """The positional arguments; a primitive has none of its own."""
        return ()

    @property
    @abstractmethod
    def kwargs(self) -> dict[str, Any]:
        """The keyword arguments; a primitive's are what it is made of."""

    @property
    def name(self) -> str:
        """The name of the task."""
        return self.task

    @property
    @abstractmethod
    def id(self) -> str | None:
        """The id of the task, or group, whose value is the canvas's. None while none was chosen."""

    @property
    def known_empty(self) -> bool:
        """Whether it is a chain of nothing, which counts as nothing wherever it stands."""
        return False

    def found_app(self) -> Sender | None:
        """Return its own app, or that of something in it."""
        return self.own_app

    def __getitem__(self, key: Any) -> Any:
        if key not in FIELDS:
            raise KeyError(key)
        return getattr(self, key)

    def get(self, key: str, default: Any = None) -> Any:
        """Return a field, as `sig['args']` does, or `default` where there is no such field."""
        return getattr(self, key) if key in FIELDS else default

    def __bool__(self) -> bool:
        return True

    # --- as data ---------------------------------------------------------------------------

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain data, all canvases in it included."""
        fields = {key: getattr(self, key) for key in FIELDS}
        return {key: plain(value) for key, value in fields.items()}

    @staticmethod
    def from_dict(data: Mapping[str, Any], app: Sender | None = None) -> Canvas:
        """Return the canvas that `to_dict` was called on, of whichever kind."""
        kind_name = data.get("subtask_type") or data["task"]
        return KINDS.get(kind_name, KINDS["signature"]).of_fields(data, app)

    @classmethod
    @abstractmethod
    def of_fields(cls, data: Mapping[str, Any], app: Sender | None) -> Canvas:
        """Return a canvas of this kind from its plain data."""

    def __json__(self) -> dict[str, Any]:
        """Return what a JSON codec writes for it."""
        return self.to_dict()

    def __reduce__(self) -> tuple[Any, ...]:
        return (Canvas.from_dict, (self.to_dict(),))

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Mapping):
            return bool(other) and set(other) <= set(FIELDS) and "task" in other and self == as_canvas(other)
        if not isinstance(other, Canvas):
            return NotImplemented
        if self is other:
            return True
        return all(getattr(self, key) == getattr(other, key) for key in FIELDS)

    __hash__ = None  # type: ignore[assignment]  # it can be changed

    # --- copies ----------------------------------------------------------------------------

    @abstractmethod
    def copy(self) -> Self:
        """Return a copy that shares nothing changeable but the values of arguments."""

    @abstractmethod
    def merge(self, args: Iterable[Any], kwargs: Mapping[str, Any], options: Mapping[str, Any]) -> None:
        """Take in call-time arguments and options, links excepted, where the kind puts them."""

    def clone(
        self, args: Iterable[Any] | None = None, kwargs: Mapping[str, Any] | None = None, **options: Any
    ) -> Self:
        """Return a copy with more arguments, put in front, and more options.

        Args:
            args: Go before the stored ones. Nothing happens with them on what is immutable.
            kwargs: Win over the stored ones, likewise.
            options: Win over the stored ones; None changes nothing, links are added.
        """
        copied = self.copy()
        links = {key: options.pop(key) for key in LINKS if key in options}
        copied.merge(args or (), kwargs or {}, options)
        copied.add_links(links)
        return copied

    def partial(
        self, args: Iterable[Any] | None = None, kwargs: Mapping[str, Any] | None = None, **options: Any
    ) -> Self:
        """Do as `clone`."""
        return self.clone(args, kwargs, **options)

    def __copy__(self) -> Self:
        return self.copy()

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self.copy()

    # --- changing it -----------------------------------------------------------------------

    def set(self, immutable: bool | None = None, **options: Any) -> Self:  # noqa: FBT001 - Celery's
        """Set options on this very canvas and return it. None takes an option away."""
        if immutable is not None:
            self.set_immutable(immutable)
        links = {key: options.pop(key) for key in LINKS if key in options}
        self.set_options(options)
        self.add_links(links)
        return self

    def set_options(self, options: Mapping[str, Any]) -> None:
        """Set options, links excepted."""
        opts.replace(self.options, options)

    @abstractmethod
    def set_immutable(self, immutable: bool) -> None:  # noqa: FBT001 - Celery's
        """Say whether it ignores the value of the step before."""

    def link(self, callback: Linkable) -> Any:
        """Have `callback` run with the value when this has succeeded.

        Args:
            callback: A canvas, its plain dict, or a list of them. An exact duplicate is left out.

        Returns:
            The link as this canvas keeps it, so that it can be linked to in turn.
        """
        return self.each_linked("link", callback)

    def link_error(self, errback: Linkable) -> Any:
        """Have `errback` run when this has failed by itself; otherwise as `link`."""
        return self.each_linked("link_error", errback)

    def on_error(self, errback: Linkable) -> Self:
        """Do as `link_error`, and return this canvas."""
        self.link_error(errback)
        return self

    def add_links(self, links: Mapping[str, Any]) -> None:
        """Link what options called `link` and `link_error` hold. None is nothing."""
        for key, linked in links.items():
            if linked is not None:
                self.each_linked(key, linked)

    def each_linked(self, key: str, linked: Linkable) -> Any:
        """Link one canvas or several, under `link` or `link_error`."""
        if isinstance(linked, (list, tuple)):
            return [self.linked(key, as_canvas(one)) for one in linked]
        return self.linked(key, as_canvas(linked))

    def linked(self, key: str, canvas: Canvas) -> Canvas:
        """Link a canvas of our own, and return it as it is kept."""
        kept: list[Canvas] = self.options.setdefault(key, [])
        for one in kept:
            if one == canvas:
                return one
        kept.append(canvas)
        return canvas

    def flatten_links(self) -> list[Canvas]:
        """Return this, its links, their links and so on, depth first."""
        return [self, *(deep for one in self.options.get("link", ()) for deep in one.flatten_links())]

    def stamp(
        self,
        visitor: StampingVisitor | None = None,
        append_stamps: bool = False,  # noqa: FBT001, FBT002 - Celery's
        **headers: Any,
    ) -> Self:
        """Stamp every element of this very canvas, links included, and return it.

        Args:
            visitor: Says what each element is stamped with. None means `headers` alone.
            append_stamps: Whether a stamp that is there already is kept, in a list with the new one.
            headers: Stamps for every element.
        """
        self.stamped(Stamping(visitor or PlainVisitor(), append_stamps, chosen(headers)))
        return self

    @abstractmethod
    def stamped(self, stamping: Stamping) -> None:
        """Stamp this element and everything in it."""

    def stamp_links(self, stamping: Stamping) -> None:
        """Stamp the links, and theirs."""
        visitor, headers = stamping.visitor, stamping.headers
        for one in self.options.get("link", ()):
            one.stamped(stamping.below(visitor.on_callback(one, **headers)))
        for one in self.options.get("link_error", ()):
            one.stamped(stamping.below(visitor.on_errback(one, **headers)))

    # --- ids -------------------------------------------------------------------------------

    def freeze(self, _id: str | None = None) -> Any:
        """Give every task and group in it an id, unless it has one, and return the result's handle.

        Args:
            _id: For the task or group whose value is the canvas's. None means a random one.
        """
        self.identify(_id)
        return self.app.result_for(self)

    @abstractmethod
    def identify(self, task_id: str | None) -> None:
        """Give every task and group in it an id."""

    @abstractmethod
    def forget_ids(self) -> None:
        """Take away every id in it, links excepted."""

    # --- composing -------------------------------------------------------------------------

    def __or__(self, other: object) -> Canvas:
        if not isinstance(other, (Canvas, Mapping)):
            return NotImplemented
        return KINDS["chain"].piped(self.copy(), as_canvas(other))

    @classmethod
    def piped(cls, left: Canvas, right: Canvas) -> Canvas:
        """Return `left | right`, both of which are used up; the chain's part."""
        raise NotImplementedError

    @abstractmethod
    def steps(self) -> list[Canvas]:
        """Return the steps that it stands for inside a chain. It is used up: they are its own parts."""

    def as_element(self) -> Canvas:
        """Return what it stands for inside another canvas: itself, but for chunks."""
        return self

    def reprcall_parts(self, *first: Parts) -> Parts:
        """Return it as a call, in parts, with `first` in front: how a chord prints its body."""
        return printing.call(self.task, first, self.kwargs)


def as_canvas(value: Any, app: Sender | None = None) -> Canvas:
    """Return a canvas of the caller's own: a copy, or made from a plain dict.

    Raises:
        TypeError: If it is neither.
    """
    if isinstance(value, Canvas):
        return value.copy()
    if isinstance(value, Mapping):
        return Canvas.from_dict(value, app)
    hint = "; did you mean .s(...)?" if hasattr(value, "s") else ""
    raise TypeError(f"A canvas is made of signatures, not of {type(value).__name__}{hint}")


def as_element(value: Any, app: Sender | None = None) -> Canvas:
    """Return what `value` stands for inside another canvas, as that one's own."""
    return as_canvas(value, app).as_element()


def without_ids(canvas: Canvas) -> Canvas:
    """Return a copy that has no ids."""
    copied = canvas.copy()
    copied.forget_ids()
    return copied


def copied_options(options: Options) -> Options:
    """Return options of which nothing is shared."""
    if not options:
        return {}
    copied = {key: opts.container_copy(value) for key, value in options.items() if key not in LINKS}
    for key in LINKS:
        if key in options:
            copied[key] = [one.copy() for one in options[key]]
    return copied


def taken_options(options: Mapping[str, Any]) -> Options:
    """Return options as they are stored, from plain data or from keyword arguments."""
    taken: Options = {}
    for key, value in options.items():
        if value is None:
            continue
        if key in LINKS:
            taken[key] = [as_canvas(one) for one in (value if isinstance(value, (list, tuple)) else [value])]
        else:
            taken[opts.option_name(key, value)] = opts.container_copy(opts.normal(value))
    return taken


def plain(value: Any) -> Any:
    """Return a value in which canvases are plain dicts, at any depth."""
    match value:
        case Canvas():
            return value.to_dict()
        case dict():
            return {key: plain(item) for key, item in value.items()}
        case tuple():
            return tuple(plain(item) for item in value)
        case list() | Lazy():
            return [plain(item) for item in value]
        case _:
            return value
