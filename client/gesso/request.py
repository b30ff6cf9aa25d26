"""What a running task knows about itself."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Self

from gesso import codec
from gesso.canvas.retry import RetryPolicy
from gesso.v1 import payload_pb2

__all__ = ["Asked", "Request", "allow_join_result", "current_request", "joining_allowed"]


STATE = re.compile(r"[A-Z][A-Z0-9_. -]{0,63}", re.ASCII)
"""What a state's name looks like."""
META_BYTES = 64 << 10
"""The most that a task says about its state, encoded."""


@dataclass(slots=True)
class Asked:
    """What an attempt asked for so far, besides what it is going to return or raise; and what it was asked."""

    members: list[Any] = field(default_factory=list)
    """Canvases to add to the join that it is a member of."""
    state: str = ""
    """The state that it set for itself. Empty when it set none."""
    meta: payload_pb2.Payload | None = None
    """What it said about it."""
    aborted: bool = False
    """Whether it is asked to end, because its result is no longer wanted."""
    state_unsent: bool = False
    """Whether it set a state since that was last told."""
    state_set: Callable[[], object] | None = None
    """Called, in the task's thread, when there is a state to tell and was none before."""
    spent: BaseException | None = None
    """The error that it ends with for good, having asked to be retried too often. None when it has not."""

    def set_state(self, state: str, meta: Any) -> None:
        """Set a state.

        Raises:
            ValueError: If it is no name of a state, or `meta` is too large.
            EncodeError: If `meta` cannot be encoded.
        """
        if not STATE.fullmatch(state):
            raise ValueError(
                f"A state begins with an upper-case letter and has at most 64 of A-Z, 0-9, _, -, . and space,"
                f" not {state!r}."
            )
        payload = None if meta is None else codec.encode(meta)
        if payload is not None and len(payload.data) > META_BYTES:
            raise ValueError(f"meta= takes {len(payload.data):,} bytes, and at most {META_BYTES:,} are kept.")
        self.state, self.meta = state, payload
        if not self.state_unsent:
            self.state_unsent = True
            if self.state_set is not None:
                self.state_set()


class _Deferred:
    """A frozen dataclass with slots, whose fields may be filled in only when the first of them is read."""

    __slots__ = ("_made",)

    _made: Callable[[], Self]

    @classmethod
    def deferred(cls, made: Callable[[], Self]) -> Self:
        """Return what is in all things as `made()`, called when it is first looked at. Two threads may both call it."""
        value = cls.__new__(cls)
        object.__setattr__(value, "_made", made)
        return value

    if not TYPE_CHECKING:  # to a type checker, any name would be one of its own

        def __getattr__(self, name: str) -> Any:
            # Only asked for what is not set: a name that there is not, or a field that is not filled in yet.
            names = [each.name for each in fields(self)]
            if name not in names:
                raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
            made = self._made()
            for each in names:
                object.__setattr__(self, each, getattr(made, each))
            return getattr(self, name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request(_Deferred):
    """One attempt of a task, as the task sees it: `self.request` in a bound task.

    The defaults are those of a task that is called as a plain function.
    """

    id: str | None = None
    """Id that the task goes by: chosen by the client, or the node's own. None when called directly."""
    node_id: str | None = None
    """Id of its node, `<canvas_id>-<index>`."""
    root_id: str | None = None
    """Id of the first task of the canvas, or of the task itself where there is no single first one."""
    parent_id: str | None = None
    """Id of the task before this one."""
    group: str | None = None
    """Id of the join that it is a member of."""
    groups: tuple[str, ...] = ()
    """Ids of the joins that it stands inside, from the outermost inwards: those that wait for it."""
    task: str = ""
    """Its name."""
    args: tuple[Any, ...] = ()
    """Positional arguments, the value of the step before included."""
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    """Keyword arguments."""
    retries: int = 0
    """How often it has failed by itself so far."""
    retry: RetryPolicy | None = None
    """The retry policy that it was sent with. None means as the task declares."""
    attempt: int = 1
    """Number of the delivery, from 1."""
    delivery_info: Mapping[str, Any] = field(default_factory=dict)
    """`routing_key` (the queue), `priority`, `redelivered`, as far as they are known."""
    stamps: Mapping[str, list[Any]] = field(default_factory=dict)
    """Its stamps, by key."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Headers given when it was sent."""
    timelimit: tuple[float | None, float | None] = (None, None)
    """Hard and soft limit in seconds."""
    hostname: str | None = None
    """Name of the worker."""
    trace_id: str | None = None
    """The canvas's trace, 32 hexadecimal digits."""
    span_id: str | None = None
    """The span that the task was stamped with, 16 hexadecimal digits."""
    tracestate: str = ""
    """The submitter's `tracestate`."""
    called_directly: bool = True
    """Whether it was called as a plain function. A worker sets this to False."""
    is_eager: bool = False
    """Whether it runs in the process that called `apply`, and not in a worker."""
    caller: Request | None = None
    """Of a task that was called as a plain function by another task: that one's."""
    asked: Asked = field(default_factory=Asked, repr=False, compare=False)
    """What it asked for so far."""

    @property
    def canvas_id(self) -> str | None:
        """Id of the canvas that it belongs to."""
        return self.node_id.rpartition("-")[0] if self.node_id else None

    def is_aborted(self) -> bool:
        """Return whether the task is revoked, or its attempt is otherwise no longer wanted. Look now and then.

        An `async def` task is cancelled besides.
        """
        return self.asked.aborted

    @property
    def level(self) -> int:
        """In how many joins it stands, one within the other."""
        return len(self.groups)

    @property
    def stamped_headers(self) -> list[str]:
        """The keys of its stamps."""
        return list(self.stamps)


current_request: ContextVar[Request | None] = ContextVar("gesso_current_request", default=None)
"""The attempt that runs in this context. None outside of tasks."""

_joining_allowed: ContextVar[bool] = ContextVar("gesso_joining_allowed", default=False)


@contextmanager
def allow_join_result() -> Generator[None, None, None]:
    """Let a task wait for results here. It holds its worker's slot meanwhile, so it may wait for ever."""
    token = _joining_allowed.set(True)
    try:
        yield
    finally:
        _joining_allowed.reset(token)


def joining_allowed() -> bool:
    """Return whether waiting for a result is allowed here: outside of tasks, or because a task said so."""
    request = current_request.get()
    while request is not None and request.called_directly:
        request = request.caller
    return request is None or _joining_allowed.get()
