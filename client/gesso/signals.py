"""Signals: functions that are called when something happens to a task, or in a worker. Celery's names and arguments.

    @task_failure.connect(sender="proj.tasks.add")
    def tell_someone(sender, task_id, exception, **more): ...

A receiver gets `signal`, `sender` and what the signal provides, by name; let it take `**more`. What it raises is
logged, and changes nothing. It runs where the thing happens: for a task in its slot, so a slow receiver slows the task;
for an `async def` task on the event loop. Only weak references to receivers are kept, unless `weak=False`.

A worker's parent process imports nothing of the user's. So `worker_init` to `worker_shutdown` are sent in each of its
child processes, which are what runs tasks.
"""

from __future__ import annotations

import logging
import threading
import weakref
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol, TypeVar, overload

__all__ = [
    "Signal",
    "after_task_publish",
    "before_task_publish",
    "task_failure",
    "task_postrun",
    "task_prerun",
    "task_received",
    "task_rejected",
    "task_retry",
    "task_revoked",
    "task_success",
    "task_unknown",
    "worker_init",
    "worker_process_init",
    "worker_process_shutdown",
    "worker_ready",
    "worker_shutdown",
    "worker_shutting_down",
]

_LOG = logging.getLogger("gesso.signals")

R = TypeVar("R", bound=Callable[..., Any])


class _Reference(Protocol):
    """What gives a receiver, or None once it is gone."""

    def __call__(self) -> Callable[..., Any] | None: ...


class _Entry(NamedTuple):
    """A receiver that is connected."""

    receiver: _Reference
    sender: object
    uid: object


class Signal:
    """One kind of event, and who wants to know of it. Safe to use from many threads.

    Its truth is whether anyone is connected.
    """

    def __init__(self, name: str, *providing: str) -> None:
        """Connect nobody.

        Args:
            providing: What receivers get besides `signal` and `sender`.
        """
        self.name = name
        self.providing = providing
        self._entries: tuple[_Entry, ...] = ()  # replaced, never changed
        self._lock = threading.RLock()  # a receiver's end may come while it is held

    def __repr__(self) -> str:
        return f"<Signal {self.name}>"

    def __bool__(self) -> bool:
        return bool(self._entries)

    @overload
    def connect(
        self,
        receiver: R,
        sender: object = None,
        weak: bool = True,  # noqa: FBT001, FBT002 - Celery's
        dispatch_uid: object = None,
    ) -> R: ...
    @overload
    def connect(
        self, *, sender: object = None, weak: bool = True, dispatch_uid: object = None
    ) -> Callable[[R], R]: ...
    def connect(
        self,
        receiver: Callable[..., Any] | None = None,
        sender: object = None,
        weak: bool = True,  # noqa: FBT001, FBT002 - Celery's
        dispatch_uid: object = None,
    ) -> Any:
        """Have a function called; also a decorator, with or without arguments.

        Args:
            sender: Only for what this one sends: a task, or its name. None means any.
            weak: Whether a receiver that nobody else refers to is let go.
            dispatch_uid: What with this id is connected already is not connected again.
        """

        def enter(given: R) -> R:
            with self._lock:
                if not any(_is_same(entry, given, sender, dispatch_uid) for entry in self._entries):
                    reference = self._weakly(given) if weak else _strongly(given)
                    self._entries = (*self._entries, _Entry(reference, sender, dispatch_uid))
            return given

        return enter if receiver is None else enter(receiver)

    def disconnect(
        self, receiver: Callable[..., Any] | None = None, sender: object = None, dispatch_uid: object = None
    ) -> bool:
        """Call a function no more; return whether it was connected."""
        with self._lock:
            kept = tuple(
                entry for entry in self._entries if not _is_same(entry, receiver, sender, dispatch_uid)
            )
            found = len(kept) < len(self._entries)
            self._entries = kept
        return found

    def send(self, sender: object, **provided: Any) -> list[tuple[Callable[..., Any], Any]]:
        """Call every receiver that wants to know of `sender`.

        Returns:
            Each with what it returned, or with the error that it raised.
        """
        answers = []
        for entry in self._entries:
            receiver = entry.receiver()
            if receiver is not None and _wants(entry.sender, sender):
                answers.append((receiver, self._call(receiver, sender, provided)))
        return answers

    def _call(self, receiver: Callable[..., Any], sender: object, provided: dict[str, Any]) -> Any:
        try:
            return receiver(signal=self, sender=sender, **provided)
        except Exception as error:  # noqa: BLE001 - user code
            _LOG.exception("signal.receiver_failed signal=%s receiver=%r", self.name, receiver)
            return error

    def _weakly(self, receiver: Callable[..., Any]) -> _Reference:
        if hasattr(receiver, "__self__") and hasattr(receiver, "__func__"):
            return weakref.WeakMethod(receiver, self._let_go)
        return weakref.ref(receiver, self._let_go)

    def _let_go(self, reference: object) -> None:
        with self._lock:
            self._entries = tuple(entry for entry in self._entries if entry.receiver is not reference)


def _strongly(receiver: Callable[..., Any]) -> _Reference:
    return lambda: receiver


def _is_same(entry: _Entry, receiver: Callable[..., Any] | None, sender: object, uid: object) -> bool:
    if uid is not None or entry.uid is not None:
        return entry.uid == uid
    return entry.receiver() == receiver and entry.sender == sender


def _wants(wanted: object, sender: object) -> bool:
    """Return whether a receiver for `wanted` is to know of `sender`. Tasks and their names stand for each other."""
    return wanted is None or wanted is sender or _name(wanted) == _name(sender)


def _name(sender: object) -> object:
    return sender if isinstance(sender, str) else getattr(sender, "name", sender)


# --- where canvases are sent -----------------------------------------------------------------------------

before_task_publish = Signal(
    "before_task_publish",
    "body",
    "exchange",
    "routing_key",
    "headers",
    "properties",
    "declare",
    "retry_policy",
)
"""A task is about to be sent. The sender is its name; of a canvas, each task that stands in it sends one."""
after_task_publish = Signal("after_task_publish", "body", "exchange", "routing_key", "headers")
"""A task was accepted. The sender is its name."""

# --- where tasks run -------------------------------------------------------------------------------------

task_received = Signal("task_received", "request")
"""A worker was given a task. The sender is the worker's name."""
task_prerun = Signal("task_prerun", "task_id", "task", "args", "kwargs")
"""An attempt is about to begin. The sender is the task, as in those below."""
task_postrun = Signal("task_postrun", "task_id", "task", "args", "kwargs", "retval", "state")
"""An attempt has ended, however it did."""
task_success = Signal("task_success", "result")
"""An attempt returned a value."""
task_failure = Signal("task_failure", "task_id", "exception", "args", "kwargs", "traceback", "einfo")
"""An attempt failed, and is not retried as far as the worker knows."""
task_retry = Signal("task_retry", "request", "reason", "einfo")
"""An attempt asked to be run again, and is going to be."""
task_revoked = Signal("task_revoked", "request", "terminated", "signum", "expired")
"""A task that the worker holds is cancelled. The sender is the task, or its name when the worker has none."""
task_unknown = Signal("task_unknown", "message", "exc", "name", "id")
"""A worker was given a task that it does not know; another one gets it. The sender is the worker's name."""
task_rejected = Signal("task_rejected", "message", "exc")
"""A worker was given a task that it cannot run as it came; the task fails. The sender is the worker's name."""

# --- a worker's life -------------------------------------------------------------------------------------

worker_init = Signal("worker_init")
"""A worker process has imported the app and is about to connect. The sender is the worker's name, as in those below."""
worker_process_init = Signal("worker_process_init")
"""The same moment, as Celery calls it in each process that runs tasks. The sender is None."""
worker_ready = Signal("worker_ready")
"""A coordinator has welcomed it."""
worker_shutting_down = Signal("worker_shutting_down", "sig", "how", "exitcode")
"""It begins to leave: it takes nothing more, and finishes what runs."""
worker_process_shutdown = Signal("worker_process_shutdown", "pid", "exitcode")
"""It has left; the process is about to end. The sender is None."""
worker_shutdown = Signal("worker_shutdown")
"""The same moment, for the worker."""
