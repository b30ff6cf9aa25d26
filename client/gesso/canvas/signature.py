"""One task invocation as data: what to call, with what, and how."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Generic, Protocol, Self, TypeVar, overload
from uuid import uuid4

from gesso.canvas import options as opts
from gesso.canvas import printing
from gesso.canvas.base import KINDS, Canvas, Element, as_canvas, copied_options, taken_options
from gesso.canvas.printing import Parts
from gesso.canvas.sender import Sender
from gesso.canvas.stamping import Stamping

R = TypeVar("R")


class Named(Protocol):
    """A task, as far as a signature needs to know it."""

    @property
    def name(self) -> str:
        """The name that workers know it by."""
        ...


class Signature(Canvas, Generic[R]):
    """One task invocation. It may be partial: what is missing comes in front when it is called.

    Args:
        task: Name of the task, which need not exist here, or the task.
        args: Positional arguments.
        kwargs: Keyword arguments.
        options: How it is run; more may follow as keywords.
        immutable: Whether arguments given later, by a call or by the step before, are ignored.
        app: What sends it. None means the current app at the time of sending.
    """

    __slots__ = ("args", "immutable", "kwargs", "task")

    # Slots, where the primitives compute them.
    args: tuple[Any, ...]
    kwargs: dict[str, Any]

    def __init__(
        self,
        task: str | Named,
        args: Iterable[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
        *,
        immutable: bool = False,
        app: Sender | None = None,
        **more: Any,
    ) -> None:
        self.task = task if isinstance(task, str) else task.name
        self.args = tuple(args) if args else ()
        self.kwargs = dict(kwargs) if kwargs else {}  # pyright: ignore[reportIncompatibleMethodOverride]  # a slot
        self.options = taken_options({**(options or {}), **more}) if options or more else {}
        self.immutable = immutable
        self.own_app = app

    @property
    def id(self) -> str | None:
        """The task's id, when one was chosen."""
        task_id: str | None = self.options.get("task_id")
        return task_id

    @classmethod
    def of_fields(cls, data: Mapping[str, Any], app: Sender | None) -> Canvas:
        """Return a signature from its plain data."""
        return cls(
            data["task"],
            data.get("args"),
            data.get("kwargs"),
            data.get("options"),
            immutable=data.get("immutable", False),
            app=app,
        )

    def copy(self) -> Self:
        """Return a copy that shares nothing changeable but the values of arguments."""
        copied = object.__new__(type(self))
        copied.task = self.task
        copied.args = self.args
        copied.kwargs = self.kwargs.copy()
        copied.options = copied_options(self.options) if self.options else {}
        copied.immutable = self.immutable
        copied.own_app = self.own_app
        return copied

    def merge(self, args: Iterable[Any], kwargs: Mapping[str, Any], options: Mapping[str, Any]) -> None:
        """Put arguments in front and options over the stored ones."""
        if options:
            opts.merge(self.options, options)
        if not self.immutable:
            self.args = (*args, *self.args)  # pyright: ignore[reportIncompatibleMethodOverride]  # a slot
            self.kwargs.update(kwargs)

    def replace(
        self,
        args: Iterable[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> Self:
        """Return a copy in which what is given stands in place of what was there."""
        copied = self.copy()
        if args is not None:
            copied.args = tuple(args)
        if kwargs is not None:
            copied.kwargs = dict(kwargs)
        if options is not None:
            copied.options = taken_options(options)
        return copied

    def set_immutable(self, immutable: bool) -> None:  # noqa: FBT001 - Celery's
        """Say whether it ignores the value of the step before."""
        self.immutable = immutable

    def stamped(self, stamping: Stamping) -> None:
        """Stamp the links, then the task."""
        self.stamp_links(stamping)
        stamping.below(stamping.visitor.on_signature(self, **stamping.headers)).put_on(self.options)

    def identify(self, task_id: str | None) -> None:
        """Give the task an id, unless it has one and none is asked for."""
        if task_id is not None or "task_id" not in self.options:
            self.options["task_id"] = task_id or str(uuid4())

    def forget_ids(self) -> None:
        """Take the id away."""
        self.options.pop("task_id", None)

    def steps(self) -> list[Canvas]:
        """Return itself: a signature is one step."""
        return [self]

    def heads(self) -> Iterable[Canvas]:
        """Return itself."""
        return (self,)

    def __call__(self, *args: Any, **kwargs: Any) -> R:
        """Run the task's function in this process and return its value."""
        called = self.called(args, kwargs, {})
        value: R = self.app.call_inline(called.task, called.args, called.kwargs)
        return value

    def __invert__(self) -> R:
        """Submit it and return its value, as in `~add.s(2, 2)`."""
        value: R = super().__invert__()
        return value

    def parts(self) -> Parts:
        """Return it as a call, in parts."""
        return self.reprcall_parts()

    def reprcall_parts(self, *first: Parts) -> Parts:
        """Return it as a call, in parts, with `first` before its arguments."""
        args = [*first, *(printing.value(arg) for arg in self.args)]
        return printing.call(self.task, args, self.kwargs)


KINDS["signature"] = Signature


@overload
def signature(varies: Element, *, app: Sender | None = None) -> Canvas: ...  # type: ignore[overload-overlap]
@overload
def signature(
    varies: str | Named,
    args: Iterable[Any] | None = None,
    kwargs: Mapping[str, Any] | None = None,
    options: Mapping[str, Any] | None = None,
    *,
    immutable: bool = False,
    app: Sender | None = None,
    **more: Any,
) -> Signature[Any]: ...
def signature(varies: Any, *args: Any, **kwargs: Any) -> Canvas:
    """Return a new signature, or a copy of a canvas, or the canvas that a plain dict stands for.

        signature("tasks.add", args=(2, 2), countdown=10)

    Args:
        varies: A task or its name, a canvas, or what `to_dict` returned.
        args: As for `Signature`.
        kwargs: As for `Signature`.
    """
    if isinstance(varies, (Canvas, Mapping)):
        return as_canvas(varies, kwargs.get("app"))
    return Signature(varies, *args, **kwargs)


@overload
def maybe_signature(d: None, app: Sender | None = None, clone: bool = False) -> None: ...  # noqa: FBT001, FBT002
@overload
def maybe_signature(d: Element, app: Sender | None = None, clone: bool = False) -> Canvas: ...  # noqa: FBT001, FBT002
def maybe_signature(
    d: Element | None,
    app: Sender | None = None,
    clone: bool = False,  # noqa: FBT001, FBT002 - Celery's
) -> Canvas | None:
    """Return a canvas for what may be one, or its plain dict, or None.

    Args:
        d: The canvas, or what it can be made from.
        app: What sends it from now on. None leaves that as it is.
        clone: Whether a canvas is copied.
    """
    if d is None:
        return None
    canvas = d if isinstance(d, Canvas) and not clone else as_canvas(d)
    if app is not None:
        canvas.own_app = app
    return canvas
