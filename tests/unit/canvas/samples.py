"""Signatures to build with, an app that only remembers, and canvases at random."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hypothesis import strategies as st

from gesso.canvas import Canvas, Signature, chain, chord, group, xmap, xstarmap


class Recorder:
    """An app that remembers what it was asked. It knows one task, `strict`, of one argument."""

    route = None

    def __init__(self) -> None:
        self.sent: list[Canvas] = []
        self.waited: list[bool] = []

    def send(self, canvas: Canvas, *, wait: bool = False, deadline: object = None) -> Value:  # noqa: ARG002
        """Remember a canvas."""
        self.sent.append(canvas)
        self.waited.append(wait)
        return Value(canvas)

    def apply(self, canvas: Canvas, *, throw: bool | None = None) -> Value:  # noqa: ARG002 - nothing fails here
        """Do as `send`."""
        return self.send(canvas)

    def result_for(self, canvas: Canvas) -> Value:
        """Return something with the canvas's id."""
        return Value(canvas)

    def call_inline(self, task_name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """Return what was called."""
        return task_name, tuple(args), dict(kwargs)

    def check_arguments(self, task_name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        """Refuse `strict` anything but one argument."""
        if task_name == "strict" and (len(args) != 1 or kwargs):
            raise TypeError("strict takes one argument")


class Value:
    """What sending returns here."""

    def __init__(self, canvas: Canvas) -> None:
        self.canvas = canvas
        self.id = canvas.id

    def get(self) -> str:
        """Return the canvas's text."""
        return repr(self.canvas)


def sig(task: str, *args: Any, **kwargs: Any) -> Signature[Any]:
    """Return a signature."""
    return Signature(task, args, kwargs)


def add(*args: Any, **kwargs: Any) -> Signature[Any]:
    """Return a signature of `add`."""
    return sig("add", *args, **kwargs)


def mul(*args: Any, **kwargs: Any) -> Signature[Any]:
    """Return a signature of `mul`."""
    return sig("mul", *args, **kwargs)


def tsum(*args: Any, **kwargs: Any) -> Signature[Any]:
    """Return a signature of `tsum`."""
    return sig("tsum", *args, **kwargs)


def endless() -> Iterator[Signature[Any]]:
    """Yield signatures for ever."""
    number = 0
    while True:
        yield add(number)
        number += 1


# --- canvases at random ------------------------------------------------------------------------------

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
task_names = st.sampled_from(["add", "proj.tasks.mul", "tsum"])
options = st.fixed_dictionaries(
    {},
    optional={
        "queue": st.sampled_from(["fast", "slow"]),
        "priority": st.integers(0, 9),
        "countdown": st.integers(0, 100),
        "headers": st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=2),
    },
)


@st.composite
def signatures(draw: st.DrawFn) -> Canvas:
    """Return signatures and maps, stamped at times."""
    made: Canvas
    if draw(st.integers(0, 5)) == 0:
        kind = draw(st.sampled_from([xmap, xstarmap]))
        made = kind(draw(task_names), draw(st.lists(st.lists(json_values, max_size=2), max_size=3)))
    else:
        args = draw(st.lists(json_values, max_size=2))
        kwargs = draw(st.dictionaries(st.sampled_from("xyz"), json_values, max_size=2))
        made = Signature(draw(task_names), args, kwargs, draw(options), immutable=draw(st.booleans()))
    if draw(st.integers(0, 3)) == 0:
        made.stamp(mark=[draw(json_values)])
    return made


def _composed(inner: st.SearchStrategy[Canvas]) -> st.SearchStrategy[Canvas]:
    some = st.lists(inner, max_size=3)
    return st.one_of(
        st.builds(lambda steps: chain(*steps), some),
        st.builds(group, some),
        st.builds(chord, some, inner),
        st.builds(_linked, inner, inner, st.booleans()),
        st.builds(lambda canvas, given: canvas.clone().set(**given), inner, options),
    )


def _linked(canvas: Canvas, other: Canvas, errors: bool) -> Canvas:  # noqa: FBT001 - drawn
    copied = canvas.clone()
    if errors:
        copied.link_error(other)
    else:
        copied.link(other)
    return copied


canvases = st.recursive(signatures(), _composed, max_leaves=6)
