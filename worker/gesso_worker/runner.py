"""From one assignment to one outcome: decode, call the user's function, encode.

Whatever happens ends in an outcome; `run` and `run_on_loop` never raise. An error of the function is
the task's failure, also one that would end a program (SystemExit, KeyboardInterrupt). Only what ends
the process itself is not seen here: the blame page remembers that.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from gesso import lifecycle, signals
from gesso.app import App
from gesso.errors import TaskPredicate
from gesso.limits import Limit
from gesso.request import Request, current_request
from gesso.task import Task
from gesso.v1.worker_service_pb2 import Assignment, Outcome, Token
from gesso_telemetry.stamped import StampedTracer
from gesso_worker import interruption, outcomes
from gesso_worker.arguments import Arguments, arguments_of, items_of, stored_arguments
from gesso_worker.errors import WorkerError
from gesso_worker.interruption import CoroutineInterruption, ThreadInterruption
from gesso_worker.job import Job
from gesso_worker.requests import request_of
from gesso_worker.spans import RunSpans

_OWN_FILES = frozenset({__file__, interruption.__file__})
_LOG = logging.getLogger("gesso.worker")


@dataclass(frozen=True, slots=True)
class _Function:
    """A registered task, as it is called."""

    task: Task[..., Any]
    call: Callable[..., Any]
    is_coroutine: bool


class Inputs(Protocol):
    """Where inputs are read that are too large for an assignment."""

    def read_from_thread(self, node_id: str, token: Token) -> Any:
        """Return the value of a node, the input of an attempt, in a thread of its own."""

    async def read(self, node_id: str, token: Token) -> Any:
        """Return the value of a node, the input of an attempt, on the event loop."""


class Runner:
    """Runs the tasks of one app."""

    def __init__(self, app: App, worker: str, inputs: Inputs, tracer: StampedTracer | None = None) -> None:
        """Take over the tasks that `app` has now; with a tracer each attempt has a span."""
        self._functions = {name: _function(task) for name, task in app.tasks.items()}
        self._limits = [task.limit for task in app.tasks.values() if task.limit]
        self._classes = app.error_classes
        self._on_header = app.allow_error_cb_on_chord_header
        self._worker = worker
        self._inputs = inputs
        self._spans = RunSpans(worker, tracer)

    def task_names(self) -> list[str]:
        """Return the names of the tasks that it can run, sorted."""
        return sorted(self._functions)

    def limits(self) -> list[Limit]:
        """Return the limits that its tasks declare."""
        return self._limits

    def wants_loop(self, assignment: Assignment) -> bool:
        """Return whether the task is a coroutine function, to be run by `run_on_loop`."""
        function = self._functions.get(assignment.signature.task)
        return function is not None and function.is_coroutine

    def run(self, job: Job) -> Outcome:
        """Run a plain function, in this thread, and return what it ended with."""
        span = self._spans.begin(job.assignment)
        outcome = self._ran(job)
        self._spans.end(span, outcome)
        return outcome

    def _ran(self, job: Job) -> Outcome:
        assignment = job.assignment
        function = self._functions.get(assignment.signature.task)
        if function is None:
            return self._unknown(assignment)
        told = lifecycle.listened_to(function.task)
        try:
            node, token = _input_node(assignment), assignment.token
            elsewhere = self._inputs.read_from_thread(node, token) if node else None
            calls = self._calls(job, function, elsewhere)
            if told:
                lifecycle.begin(function.task, _request())
            if isinstance(job.interruption, ThreadInterruption):
                with job.interruption:
                    values = _called(function, calls)
            else:
                values = _called(function, calls)
            outcome = self._returned(job, values)
        except BaseException as error:  # noqa: BLE001 - user code may raise anything
            return self._raised(error, job, function.task if told else None)
        if told:
            lifecycle.returned(function.task, _request(), values if assignment.iteration else values[0])
        return outcome

    async def run_on_loop(self, job: Job) -> Outcome:
        """Run a coroutine function and return what it ended with."""
        span = self._spans.begin(job.assignment)
        outcome = await self._ran_on_loop(job)
        self._spans.end(span, outcome)
        return outcome

    async def _ran_on_loop(self, job: Job) -> Outcome:
        assignment = job.assignment
        function = self._functions[assignment.signature.task]
        told = lifecycle.listened_to(function.task)
        try:
            node, token = _input_node(assignment), assignment.token
            elsewhere = await self._inputs.read(node, token) if node else None
            calls = self._calls(job, function, elsewhere)
            if told:
                lifecycle.begin(function.task, _request())
            called = _called_in_turn(function, calls)
            guard = job.interruption
            values = await (guard.run(called) if isinstance(guard, CoroutineInterruption) else called)
            outcome = self._returned(job, values)
        except BaseException as error:  # noqa: BLE001 - as above, and cancellation ends the task alone
            return self._raised(error, job, function.task if told else None)
        if told:
            lifecycle.returned(function.task, _request(), values if assignment.iteration else values[0])
        return outcome

    def _unknown(self, assignment: Assignment) -> Outcome:
        name, node_id = assignment.signature.task, assignment.token.node_id
        if signals.task_unknown:
            error = LookupError(name)
            signals.task_unknown.send(self._worker, message=assignment, exc=error, name=name, id=node_id)
        return outcomes.unknown_task()

    def _calls(self, job: Job, function: _Function, elsewhere: Any) -> Iterable[Arguments]:
        """Return the calls to make, one unless the task is a map, and set the request for them."""
        assignment = job.assignment
        if assignment.iteration == Assignment.ITERATION_UNSPECIFIED:
            arguments = arguments_of(assignment, function.call, self._classes, elsewhere)
            current_request.set(request_of(assignment, arguments, self._worker, job.asked))
            return (arguments,)
        items, kwargs = items_of(assignment.signature), stored_arguments(assignment.signature).kwargs
        current_request.set(request_of(assignment, Arguments((items,), kwargs), self._worker, job.asked))
        spread = assignment.iteration == Assignment.ITERATION_STARMAP
        return (Arguments(tuple(item) if spread else (item,), kwargs) for item in items)

    def _returned(self, job: Job, values: list[Any]) -> Outcome:
        assignment = job.assignment
        value = values if assignment.iteration else values[0]
        outcome = outcomes.returned(value, assignment.signature.options.result_encoding)
        return outcomes.with_members(outcome, job.asked, on_header=self._on_header)

    def _raised(self, error: BaseException, job: Job, told: Task[..., Any] | None) -> Outcome:
        assignment, asked = job.assignment, job.asked
        while (trace := error.__traceback__) is not None and trace.tb_frame.f_code.co_filename in _OWN_FILES:
            error.__traceback__ = trace.tb_next  # begin where the user's code does
        request = current_request.get()
        outcome = outcomes.raised(error, asked, on_header=self._on_header)
        obeyed = isinstance(error, asyncio.CancelledError) and request is not None and asked.aborted
        if not isinstance(error, TaskPredicate) and not obeyed:
            name, node_id = assignment.signature.task, assignment.token.node_id
            text = outcome.error.traceback.rstrip()
            _LOG.error("task.failed task=%s node_id=%s", name, node_id, extra={"traceback": text})
        if isinstance(error, WorkerError) and signals.task_rejected:
            signals.task_rejected.send(self._worker, message=assignment, exc=error)
        if told is not None and request is not None:
            lifecycle.raised(told, request, error, again=outcomes.asks_again(outcome, assignment))
        return outcome


def _function(task: Task[..., Any]) -> _Function:
    return _Function(task, task.run, inspect.iscoroutinefunction(task.run))


def _called(function: _Function, calls: Iterable[Arguments]) -> list[Any]:
    return [function.call(*call.args, **call.kwargs) for call in calls]


async def _called_in_turn(function: _Function, calls: Iterable[Arguments]) -> list[Any]:
    return [await function.call(*call.args, **call.kwargs) for call in calls]


def _request() -> Request:
    """Return the request of the attempt that runs here, after `_calls`."""
    return current_request.get() or Request()


def _input_node(assignment: Assignment) -> str:
    """Return the node whose value is to be read for the task; empty when there is none."""
    if not assignment.HasField("elsewhere") or assignment.signature.immutable or assignment.iteration:
        return ""
    return assignment.elsewhere.node_id
