"""An app: the tasks of a project, and where canvases are sent.

    app = App("proj")

    @app.task
    def add(x, y):
        return x + y

    add.delay(2, 2).get(timeout=10)

Making one opens nothing, and neither does declaring tasks: the connection is made when something is first
sent or asked.
"""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from types import MappingProxyType, TracebackType
from typing import Any, Concatenate, Literal, ParamSpec, Self, TypeVar, cast, overload

from opentelemetry.trace import Span

from gesso import connection, retrying
from gesso.canvas import Canvas, Chain, Chord, Group, Signature, set_current_app, signature
from gesso.canvas.sender import Route
from gesso.canvas.wire_options import write_options
from gesso.connection import Coordinator, End
from gesso.control import Control, own_canvas_id
from gesso.deadline import Timeout
from gesso.eager import applied
from gesso.failure import type_name
from gesso.group_result import GroupResult
from gesso.handle import shown_id
from gesso.limits import Limit
from gesso.listing import Instant, canvas_filter
from gesso.publishing import published
from gesso.result import AsyncResult, Result
from gesso.routing import TaskRoutes, routes_of
from gesso.submission import submission, submission_of
from gesso.task import AsyncTask, Task
from gesso.tracing import submitted, submitting
from gesso.v1 import canvas_pb2, node_pb2, signature_pb2
from gesso.v1 import coordinator_service_pb2 as pb
from gesso.watching import CanvasEvent, ResetEvent, SnapshotEvent, WatchEvent, canvas_events, events

__all__ = ["App"]

P = ParamSpec("P")
R = TypeVar("R")
E = TypeVar("E", bound=type[BaseException])


class App:
    """A project's tasks, and its way to a coordinator. Safe to use from many threads, and after a fork.

    The newest app is the one that canvases without an app of their own are sent by.

    Args:
        name: Name of the project. It begins the names of tasks of the module that is run as a script.
        address: `host:port` of a coordinator. None means `GESSO_ADDRESS`, or else `localhost:7365`; the
            environment is looked at when the connection is made.
        typing: Whether arguments are checked against a task's function when it is sent, unless the task says.
        submit_timeout: How long sending may take, while no coordinator answers.
        always_eager: Whether `delay` and the like run canvases in this process at once, as `apply` does.
        eager_propagates: Whether what such a canvas failed with is raised at once.
        allow_error_cb_on_chord_header: Whether a chord's error links run for each failed member of its header,
            too.
        task_routes: The queues of tasks that name none when they are declared or sent: a mapping, or a list of
            pairs, from names and patterns (`"proj.mail.*"`) to queues, as Celery's `task_routes`.
        options: Given to every task, such as `queue`, `priority`, `time_limit`.
    """

    def __init__(  # noqa: PLR0913 - an option is an argument here
        self,
        name: str = "app",
        address: str | None = None,
        *,
        typing: bool = True,
        submit_timeout: Timeout = connection.CALL_TIMEOUT,
        always_eager: bool = False,
        eager_propagates: bool = False,
        allow_error_cb_on_chord_header: bool = False,
        task_routes: TaskRoutes | None = None,
        **options: Any,
    ) -> None:
        self.name = name
        self.typing = typing
        self.submit_timeout = submit_timeout
        self.always_eager = always_eager
        self.eager_propagates = eager_propagates
        self.allow_error_cb_on_chord_header = allow_error_cb_on_chord_header
        self.options = options
        self._routes = routes_of(task_routes)
        self._given_address = address
        self._address: str | None = None
        self._tasks: dict[str, Task[..., Any]] = {}
        self._error_classes: dict[str, type[BaseException]] = {}
        shared = dict(options)
        retrying.taken(shared)
        _check_options(f"App({name!r})", shared)
        set_current_app(self)

    def __repr__(self) -> str:
        return f"<App {self.name}>"

    # --- tasks -------------------------------------------------------------------------------

    @property
    def tasks(self) -> Mapping[str, Task[..., Any]]:
        """The tasks, by name, in the order they were declared."""
        return MappingProxyType(self._tasks)

    @overload
    def task(
        self, function: Callable[P, Coroutine[Any, Any, R]], *, name: str | None = None, **options: Any
    ) -> AsyncTask[P, R]: ...
    @overload
    def task(self, function: Callable[P, R], *, name: str | None = None, **options: Any) -> Task[P, R]: ...
    @overload
    def task(
        self,
        *,
        bind: Literal[True],
        name: str | None = None,
        typing: bool | None = None,
        throws: Iterable[type[BaseException]] = (),
        base: type[Task[..., Any]] | None = None,
        **options: Any,
    ) -> Callable[[Callable[Concatenate[Any, P], R]], Task[P, R]]: ...
    @overload
    def task(
        self,
        *,
        bind: Literal[False] = False,
        name: str | None = None,
        typing: bool | None = None,
        throws: Iterable[type[BaseException]] = (),
        base: type[Task[..., Any]] | None = None,
        **options: Any,
    ) -> Callable[[Callable[P, R]], Task[P, R]]: ...
    def task(  # noqa: PLR0913 - what one declares about a task
        self,
        function: Callable[..., Any] | None = None,
        *,
        name: str | None = None,
        bind: bool = False,
        typing: bool | None = None,
        throws: Iterable[type[BaseException]] = (),
        rate_limit: str | float | None = None,
        concurrency_limit: int | None = None,
        base: type[Task[..., Any]] | None = None,
        **options: Any,
    ) -> Any:
        """Declare a task, as a decorator with or without arguments.

        Args:
            name: Its name. None means `module.function`.
            bind: Whether the function gets the task as its first argument, `self`.
            typing: Whether arguments are checked when it is sent. None means as the app says.
            throws: Errors that it may raise, which whoever waits for it then gets as they are.
            rate_limit: How many of it may be handed to workers in a time, over all workers: `'10/m'`, or a number for
                as many a second.
            concurrency_limit: How many of it workers may hold at one time, over all workers.
            base: A subclass of `Task` to make it of, for its hooks and whatever else it has. None means `Task`.
            options: Given to every signature of it: `queue`, `priority`, `time_limit`, `retry`, ...; and how it is
                retried, see `gesso.retrying.Retrying`: `autoretry_for`, `retry_backoff`, `max_retries`, ...

        Raises:
            TypeError: If there is no such option, or another task has the name.
        """

        def declare(declared: Callable[..., Any]) -> Task[..., Any]:
            kind = _task_class(base, is_coroutine=inspect.iscoroutinefunction(declared))
            chosen = {**self.options, **options}
            made = kind(
                self,
                declared,
                name=name or self._default_name(declared),
                bind=bind,
                typing=self.typing if typing is None else typing,
                retrying=retrying.taken(chosen),
                options=chosen,
            )
            made.limit = Limit(key=made.name, rate=rate_limit, concurrency=concurrency_limit, declared=True)
            _check_options(made.name, chosen)
            for error in throws:
                self.register_error(error)
            self._enter(made)
            return made

        return declare if function is None else declare(function)

    def _default_name(self, function: Callable[..., Any]) -> str:
        module = function.__module__
        return f"{self.name if module == '__main__' else module}.{function.__name__}"

    def _enter(self, task: Task[..., Any]) -> None:
        known = self._tasks.get(task.name)
        # A module that is loaded anew declares its tasks anew.
        if known is not None and known.function.__qualname__ != task.function.__qualname__:
            raise TypeError(f"There is another task called {task.name!r}: {known.function.__qualname__}.")
        self._tasks[task.name] = task

    def register_error(self, kind: E) -> E:
        """Let errors of this class be raised as themselves when a task ended with one; also a decorator."""
        self._error_classes[type_name(kind)] = kind
        return kind

    @property
    def error_classes(self) -> Mapping[str, type[BaseException]]:
        """What besides builtins and Gesso's own is raised as itself, by `module.Name`."""
        return self._error_classes

    # --- sending -----------------------------------------------------------------------------

    def signature(self, varies: Any, *args: Any, **kwargs: Any) -> Canvas:
        """Return a signature that is sent by this app; see `gesso.signature`."""
        made: Canvas = signature(varies, *args, **kwargs)
        made.own_app = self
        return made

    def send_task(
        self,
        name: str,
        args: Iterable[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> AsyncResult[Any]:
        """Send a task by its name, which need not exist here.

        Args:
            options: As `Canvas.apply_async` takes them.
        """
        return cast("AsyncResult[Any]", Signature(name, args, kwargs, options, app=self).apply_async())

    def send(
        self,
        canvas: Canvas,
        *,
        wait: bool = False,  # noqa: ARG002 - waiting costs nothing more
        deadline: Timeout = None,
    ) -> Any:
        """Submit a canvas as it is, and return the result of its last task or group.

        Args:
            canvas: Is not changed.
            wait: Whether the caller is going to wait for the value at once.
            deadline: How long the whole canvas may take; nothing to a canvas that is run eagerly. None for no limit.

        Returns:
            An AsyncResult or a GroupResult; None for an empty chain.

        Raises:
            InvalidCanvas: If the coordinator refused it.
            Unavailable: If no coordinator answered in time. It may have been accepted all the same.
            GessoError: If it was refused otherwise.
        """
        if self.always_eager:
            return self.apply(canvas)
        with submitting() as span:
            request, groups = submission(
                canvas,
                error_links_on_header=self.allow_error_cb_on_chord_header,
                route=self.route,
                deadline=deadline,
            )
            if not groups:
                return self._submit(request, span, canvas.id)
            response = self.coordinator.stream(request, groups)
            submitted(span, request.canvas, response)
        published(request.canvas)
        if not response.HasField("last"):
            return None
        return self.result_of(response.last).submitted(None, canvas.id)

    def apply(self, canvas: Canvas, *, throw: bool | None = None) -> Any:
        """Run a canvas in this process; see `Canvas.apply`."""
        return applied(canvas, self, throw=self.eager_propagates if throw is None else throw)

    def send_message(self, message: canvas_pb2.Canvas) -> Any:
        """Submit a canvas that is a protobuf message; otherwise as `send`."""
        with submitting() as span:
            return self._submit(submission_of(message), span)

    @property
    def route(self) -> Route | None:
        """What says the queue of a task by its name, as `task_routes` has it; None where there are none."""
        return self._routes.queue if self._routes is not None else None

    def _submit(
        self, request: pb.SubmitCanvasRequest, span: Span, chosen_id: str | None = None
    ) -> Result[Any] | None:
        end = End()
        response = self.coordinator.submit(request, end, self.submit_timeout)
        submitted(span, request.canvas, response)
        published(request.canvas)
        if not response.HasField("last"):
            return None
        return self.result_of(response.last).submitted(end if request.wait else None, chosen_id)

    def call_inline(self, task_name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """Run a task's function in this process and return its value.

        Raises:
            LookupError: If the task does not exist here.
        """
        task = self._tasks.get(task_name)
        if task is None:
            raise LookupError(
                f"There is no task {task_name!r} in this process; only workers that know it can run it."
            )
        return task(*args, **kwargs)

    def check_arguments(self, task_name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        """Check arguments against a task's function, where it is local and asks for it.

        Raises:
            TypeError: If the function does not take them.
        """
        task = self._tasks.get(task_name)
        if task is not None:
            task.check_arguments(args, kwargs)

    @cached_property
    def control(self) -> Control:
        """What stops tasks, by id or by stamp."""
        return Control(self)

    # --- results -----------------------------------------------------------------------------

    def AsyncResult(self, id: str) -> AsyncResult[Any]:  # noqa: A002, N802 - Celery's
        """Return the result of the task with this id. Nothing is asked for yet."""
        return AsyncResult(id, self)

    def GroupResult(self, id: str, results: Sequence[Result[Any]] | None = None) -> GroupResult[Any]:  # noqa: A002, N802
        """Return the result of the group with this id. Nothing is asked for yet."""
        return GroupResult(id, results, app=self)

    def result_of(self, handle: node_pb2.Handle) -> Result[Any]:
        """Return the result of a node."""
        if handle.kind == node_pb2.Node.KIND_JOIN:
            return GroupResult(shown_id(handle), app=self, member_count=handle.member_count)
        return AsyncResult(shown_id(handle), self)

    def result_for(self, canvas: Canvas) -> Result[Any] | None:
        """Return the result of a frozen canvas, sent or not; None for an empty chain."""
        last = _last(canvas)
        if last is None or last.id is None:
            return None
        if isinstance(last, Group):
            members = [each for member in last if (each := self.result_for(member)) is not None]
            return GroupResult(last.id, members, app=self).submitted()
        return AsyncResult[Any](last.id, self).submitted()

    # --- watching ----------------------------------------------------------------------------

    def watch(
        self,
        id: str,  # noqa: A002 - as AsyncResult
        *,
        group_limit: int = 50,
        expand: Iterable[str] = (),
    ) -> Iterator[WatchEvent]:
        """Yield how a canvas stands and then what changes, until it has ended.

        After a lost connection it goes on where it was, at whichever coordinator answers.

        Args:
            id: The canvas's, or that of a node in it.
            group_limit: Groups with more members, from 1 to 1,000, are counted, and nothing inside them is told.
            expand: Ids of groups that are told member by member all the same. At most 100.

        Raises:
            NotFound: If there is no such canvas.
            GessoError: If it was refused, or nobody answered for too long.
        """
        canvas_id = own_canvas_id(id)
        if not canvas_id:
            node = self.coordinator.get_node(pb.GetNodeRequest(node_id=id)).node
            canvas_id = own_canvas_id(node.handle.node_id)
        request = pb.WatchCanvasesRequest(
            canvas_id=canvas_id, group_limit=group_limit, expanded_group_ids=list(expand)
        )
        for message in self.coordinator.watch(request):
            yield from events(message, self.error_classes)

    def watch_canvases(
        self,
        *,
        state: str | Iterable[str] = (),
        task: str | None = None,
        stamps: Mapping[str, Any] | None = None,
        since: Instant | None = None,
        until: Instant | None = None,
        snapshot: bool = True,
    ) -> Iterator[CanvasEvent | SnapshotEvent | ResetEvent]:
        """Yield canvases and then those that are accepted, cancelled or end, if they match then. It does not end.

        Args:
            state: As `Control.canvases` has it, and so have the four that follow. All that is given must hold.
            task: Name of a task that it has.
            stamps: Stamps that it bears.
            since: Accepted then or later.
            until: Accepted before then.
            snapshot: Whether those that are there are told first.

        Raises:
            ValueError: If there is no such state.
            GessoError: If it was refused, or nobody answered for too long.
        """
        chosen = canvas_filter(state=state, task=task, stamps=stamps, since=since, until=until)
        request = pb.WatchCanvasesRequest(filter=chosen, changes_only=not snapshot)
        return canvas_events(self.coordinator.watch(request), self.error_classes)

    # --- the connection ----------------------------------------------------------------------

    @property
    def address(self) -> str:
        """Where its coordinator is. Settled when it is first asked for."""
        if self._address is None:
            self._address = connection.address_from(self._given_address)
        return self._address

    @property
    def coordinator(self) -> Coordinator:
        """This process's coordinator, shared with every app of the same address."""
        return connection.shared(self.address)

    def close(self) -> None:
        """Let go of the connection; waits under way fail. Using the app again opens another."""
        connection.close(self.address)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def _task_class(base: type | None, *, is_coroutine: bool) -> type[Task[..., Any]]:
    """Return the class to make a task of, which is an AsyncTask, too, for a coroutine function."""
    if base is None or base is Task:
        return AsyncTask if is_coroutine else Task
    if not issubclass(base, Task):
        raise TypeError(f"base= is a subclass of gesso.Task, not {base!r}.")
    if not is_coroutine or issubclass(base, AsyncTask):
        return base
    return types.new_class(base.__name__, (base, AsyncTask))


def _last(canvas: Canvas) -> Canvas | None:
    """Return the task or group whose value is the canvas's; None for an empty chain."""
    match canvas:
        case Chain():
            return _last(canvas.tasks[-1]) if canvas.tasks else None
        case Chord():
            return _last(canvas.body) if canvas.body is not None else None
        case _:
            return canvas.as_element()


def _check_options(name: str, options: Mapping[str, Any]) -> None:
    try:
        write_options(dict(options), signature_pb2.SignatureOptions())
    except TypeError as error:
        raise TypeError(f"{name}: {error}") from None
