"""Running one task here, until it has ended or is replaced.

What a worker does with an assignment is done here with a signature. Arguments, values and errors pass
through their codec, so that a task sees what it would see in a worker.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar, copy_context
from dataclasses import dataclass, replace
from typing import Any

from gesso import codec, lifecycle
from gesso.arity import accepts_failure
from gesso.canvas import Canvas, Signature
from gesso.canvas.maps import OverItems
from gesso.canvas.options import Options
from gesso.canvas.retry import DEFAULT_MAX_RETRIES
from gesso.eager.node import Fate, Node
from gesso.errors import Ignore, Reject, Replace, Retry, TaskPredicate, WorkerLost
from gesso.failure import Classes, base_types, from_task_error, to_task_error, type_name
from gesso.lifecycle import Hooks
from gesso.request import Asked, Request, current_request
from gesso.v1.task_error_pb2 import TaskError

#: The node whose function runs in this context. None outside of functions that are run here.
current_node: ContextVar[Node | None] = ContextVar("gesso_current_node", default=None)

#: How often a task is delivered that keeps asking for it.
_DELIVERY_COUNT = 20


@dataclass(frozen=True, slots=True)
class Invocation:
    """One task as it is about to be run."""

    node: Node
    sig: Signature[Any]
    task: Hooks
    """Whose hooks are called."""
    function: Callable[..., Any]
    """As it is called: without `self`."""
    request: Request
    """Its arguments are those of the call, and its limits those of the first attempt."""

    def run(self) -> tuple[Canvas | None, list[Canvas]]:
        """Run it until it has ended; return what it is to be replaced with, and what it adds to its join."""
        request = self.request
        while True:
            told = lifecycle.listened_to(self.task)
            try:
                value = copy_context().run(self._call, request, told=told)
            except (Exception, SystemExit) as error:  # noqa: BLE001 - user code may raise anything
                goes_on = self._goes_on(error, request)
                if told:
                    lifecycle.raised(self.task, request, error, again=goes_on)
                if not goes_on:
                    return self._end(error, request), request.asked.members
            else:
                if told:
                    lifecycle.returned(self.task, request, value)
                self.node.end(Fate.SUCCEEDED, value)
                return None, request.asked.members
            request = replace(request, retries=self.node.retries, attempt=request.attempt + 1, asked=Asked())

    def _goes_on(self, error: BaseException, request: Request) -> bool:
        """Return whether there is to be another attempt, and count the retries."""
        match error:
            case Retry():
                most = error.max_retries
                if most is None:
                    most = DEFAULT_MAX_RETRIES if request.retry is None else request.retry.most
                return self._counted(most, unlimited=error.unlimited)
            case Reject():
                return error.requeue and request.attempt - self.node.retries < _DELIVERY_COUNT
            case TaskPredicate():
                return False
            case _:
                policy = request.retry
                types = [type_name(type(error)), *base_types(type(error))]
                if policy is None or error is request.asked.spent or not policy.retries(types):
                    return False
                return self._counted(policy.most)

    def _counted(self, most: int, *, unlimited: bool = False) -> bool:
        """Return whether the task is run again after a failure, and count it if so."""
        goes_on = unlimited or self.node.retries < most
        self.node.retries += goes_on
        return goes_on

    def _end(self, error: BaseException, request: Request) -> Canvas | None:
        """End as what was raised says; return what it is to be replaced with, if that is it."""
        match error:
            case Replace(canvas=Canvas() as canvas):
                return canvas
            case Ignore():
                self.node.custom_state, self.node.custom_meta = request.asked.state, request.asked.meta
                self.node.end(Fate.IGNORED)
            case Reject(requeue=False):
                self.node.end(Fate.IGNORED)
            case Reject():
                self._fail(WorkerLost("the task was given up: it was delivered too often"))
            case Retry():
                self._fail(error.exc or error)
            case _:
                self._fail(error)
        return None

    def _call(self, request: Request, *, told: bool) -> Any:
        current_request.set(request)
        current_node.set(self.node)
        if told:
            lifecycle.begin(self.task, request)
        values = [_finished(self.function(*args, **request.kwargs)) for args in self._calls(request)]
        value = values if isinstance(self.sig, OverItems) else values[0]
        return passed(value, self.sig.options.get("result_serializer") or codec.DEFAULT)

    def _calls(self, request: Request) -> Iterator[tuple[Any, ...]]:
        """Yield the positional arguments of each call; there is one unless the task is a map."""
        if isinstance(self.sig, OverItems):
            yield from (self.sig.arguments(item) for item in request.args[0])
        else:
            yield request.args

    def _fail(self, error: BaseException) -> None:
        failed = to_task_error(error)
        failed.node_id, failed.task_id = self.node.node_id, self.node.chosen_id
        self.node.raised = error
        self.node.fail(Fate.FAILED, failed)


def failure_input(
    failed: Node,
    signature: Signature[Any],
    function: Callable[..., Any],
    stored: tuple[int, Options],
    classes: Classes,
) -> tuple[Any, ...]:
    """Return what an error link gets in front of its own arguments.

    Args:
        failed: The node that failed.
        signature: Its signature.
        function: The error link's function, without `self`.
        stored: How many positional arguments the error link has itself, and its keyword arguments.
        classes: What the error may become.
    """
    error = failed.error or TaskError()
    if not accepts_failure(function, *stored):
        return (failed.id,)
    theirs = stored_arguments(signature)
    request = Request(
        id=failed.id,
        task=failed.task,
        args=theirs[0],
        kwargs=theirs[1],
        headers=dict(signature.options.get("headers") or {}),
        called_directly=False,
    )
    return (request, from_task_error(error, classes), error.traceback)


def stored_arguments(sig: Signature[Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return the arguments that a signature itself has: of a map, the items."""
    if isinstance(sig, OverItems):
        return tuple(passed(list(sig.kwargs["it"]))), passed(sig.inner.kwargs)
    return tuple(passed(list(sig.args))), passed(sig.kwargs)


def passed(value: Any, encoding: str = codec.DEFAULT) -> Any:
    """Return a value as it arrives elsewhere.

    Raises:
        EncodeError: If it has no form in the encoding.
    """
    return codec.decode(codec.encode(value, encoding))


def _finished(value: Any) -> Any:
    """Return what a function returned, or what the coroutine that it returned comes to."""
    if not inspect.iscoroutine(value):
        return value
    coroutine: Coroutine[Any, Any, Any] = value
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(coroutine)
    with ThreadPoolExecutor(1) as pool:  # this thread's loop waits for us
        return pool.submit(copy_context().run, asyncio.run, coroutine).result()
