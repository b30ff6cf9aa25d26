"""What is told of one attempt, in a worker and in eager mode alike: the task's hooks, and the signals.

In Celery's order: task_prerun and `before_start`; then the function; then the hook and the signal of how it ended,
`after_return`, and task_postrun. Of an ignored, rejected or replaced attempt only task_postrun is told. Whatever a
hook raises is logged and changes nothing, but for `before_start`: its error is the task's.
"""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from gesso import signals, states
from gesso.errors import Reject, Retry, TaskPredicate
from gesso.request import Request

__all__ = ["ExceptionInfo", "Hooks", "begin", "listened_to", "raised", "returned"]

_LOG = logging.getLogger("gesso.task")
_HOOKS = ("before_start", "on_success", "on_failure", "on_retry", "after_return")
_SIGNALS = (
    signals.task_prerun,
    signals.task_postrun,
    signals.task_success,
    signals.task_failure,
    signals.task_retry,
)


@dataclass(frozen=True, slots=True)
class ExceptionInfo:
    """An error as hooks and receivers get it, beside the error itself: Celery's `einfo`."""

    exception: BaseException
    """The error."""

    @property
    def type(self) -> type[BaseException]:
        """Its class."""
        return type(self.exception)

    @property
    def traceback(self) -> str:
        """Its traceback, as text."""
        return "".join(traceback.format_exception(self.exception))

    def __str__(self) -> str:
        return self.traceback


class Hooks:
    """What a task class may override to be told what becomes of each attempt. As they stand they do nothing."""

    name: str
    has_hooks: ClassVar[bool] = False
    """Whether the class overrides any."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Note whether a class has hooks, which is asked for at each attempt."""
        super().__init_subclass__(**kwargs)
        cls.has_hooks = any(getattr(cls, name) is not getattr(Hooks, name) for name in _HOOKS)

    def before_start(self, task_id: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Be told that an attempt begins. An error raised here is the task's."""

    def on_success(self, retval: Any, task_id: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Be told that it returned `retval`."""

    def on_failure(
        self,
        exc: BaseException,
        task_id: str,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        einfo: ExceptionInfo,
    ) -> None:
        """Be told that it failed with `exc`."""

    def on_retry(
        self,
        exc: BaseException,
        task_id: str,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        einfo: ExceptionInfo,
    ) -> None:
        """Be told that it is going to be run again, because of `exc`."""

    def after_return(
        self,
        status: str,
        retval: Any,
        task_id: str,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        einfo: ExceptionInfo | None,
    ) -> None:
        """Be told last that it ended, in the state `status`, with a value or an error."""


def listened_to(task: Hooks) -> bool:
    """Return whether anything needs to be told of its attempts."""
    return any(_SIGNALS) or task.has_hooks


def begin(task: Hooks, request: Request) -> None:
    """Tell that an attempt begins.

    Raises:
        Exception: What `before_start` raises.
    """
    signals.task_prerun.send(
        task, task_id=request.id, task=task, args=request.args, kwargs=dict(request.kwargs)
    )
    task.before_start(request.id or "", request.args, dict(request.kwargs))


def returned(task: Hooks, request: Request, value: Any) -> None:
    """Tell that it returned a value."""
    _told(task.on_success, value, request.id, request.args, dict(request.kwargs))
    signals.task_success.send(task, result=value)
    _told(task.after_return, states.SUCCESS, value, request.id, request.args, dict(request.kwargs), None)
    _finish(task, request, states.SUCCESS, value)


def raised(task: Hooks, request: Request, error: BaseException, *, again: bool) -> None:
    """Tell that it raised an error.

    Args:
        again: Whether it is going to be run again because of that.
    """
    match error:
        case asyncio.CancelledError() if request.is_aborted():
            state = states.REVOKED
        case Retry() if again:
            state = _retried(task, request, error, error.exc or error)
        case Retry():
            state = _failed(task, request, error.exc or error)
        case Reject():
            state = "REJECTED"
        case TaskPredicate():
            state = states.IGNORED
        case _ if again:
            state = _retried(task, request, error, error)
        case _:
            state = _failed(task, request, error)
    _finish(task, request, state, error)


def _failed(task: Hooks, request: Request, error: BaseException) -> str:
    kwargs, einfo = dict(request.kwargs), ExceptionInfo(error)
    _told(task.on_failure, error, request.id, request.args, kwargs, einfo)
    signals.task_failure.send(
        task, task_id=request.id, exception=error, args=request.args, kwargs=kwargs,
        traceback=error.__traceback__, einfo=einfo,
    )  # fmt: skip
    _told(task.after_return, states.FAILURE, error, request.id, request.args, kwargs, einfo)
    return states.FAILURE


def _retried(task: Hooks, request: Request, reason: BaseException, error: BaseException) -> str:
    kwargs, einfo = dict(request.kwargs), ExceptionInfo(error)
    _told(task.on_retry, error, request.id, request.args, kwargs, einfo)
    signals.task_retry.send(task, request=request, reason=reason, einfo=einfo)
    _told(task.after_return, states.RETRY, error, request.id, request.args, kwargs, einfo)
    return states.RETRY


def _finish(task: Hooks, request: Request, state: str, value: Any) -> None:
    signals.task_postrun.send(
        task, task_id=request.id, task=task, args=request.args, kwargs=dict(request.kwargs),
        retval=value, state=state,
    )  # fmt: skip


def _told(hook: Callable[..., None], *args: Any) -> None:
    try:
        hook(*args)
    except Exception:  # noqa: BLE001 - user code
        _LOG.exception("task.hook_failed hook=%s", getattr(hook, "__qualname__", "unknown"))
