"""Sending canvases from coroutines."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Any, ParamSpec, TypeVar, cast, overload
from uuid import uuid4

from gesso.aio import registry
from gesso.aio.coordinator import Coordinator, End
from gesso.aio.eager import apply_here
from gesso.aio.group_result import GroupResult
from gesso.aio.result import AsyncResult, Home, Result, result_of
from gesso.app import App
from gesso.canvas import Canvas, Group, Signature, current_app
from gesso.canvas.sender import Route
from gesso.control import own_canvas_id, revocation, stamped_revocation
from gesso.deadline import Timeout
from gesso.listing import CanvasInfo, Instant, canvases_request
from gesso.publishing import published
from gesso.submission import submission
from gesso.task import Task
from gesso.tracing import submitted, submitting
from gesso.v1 import coordinator_service_pb2 as pb

__all__ = [
    "apply",
    "apply_async",
    "cancel",
    "canvases",
    "close",
    "delay",
    "retry",
    "revoke",
    "revoke_by_stamped_headers",
    "send",
]

P = ParamSpec("P")
R = TypeVar("R")


class _Sender:
    """An app that answers with coroutines: what a canvas calls when it is sent from here."""

    def __init__(self, app: App) -> None:
        self._app = app

    @property
    def route(self) -> Route | None:
        """What says the queue of a task."""
        return self._app.route

    def send(
        self,
        canvas: Any,
        *,
        wait: bool = False,  # noqa: ARG002 - waiting costs nothing more
        deadline: Timeout = None,
    ) -> Any:
        """Return a coroutine that submits a canvas."""
        return send(canvas, self._app, deadline=deadline)

    def apply(self, canvas: Any, *, throw: bool | None = None) -> Any:
        """Return a coroutine that runs a canvas in this process."""
        return apply_here(canvas, self._app, throw=throw)

    def result_for(self, canvas: Any) -> Any:
        """Return the result of a frozen canvas."""
        found = self._app.result_for(canvas)
        kind = GroupResult if hasattr(found, "results") else AsyncResult
        return None if found is None else kind(found.id, self._app).submitted()

    def call_inline(self, task_name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """Run a task's function in this process."""
        return self._app.call_inline(task_name, args, kwargs)

    def check_arguments(self, task_name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        """Check arguments against a task's function."""
        self._app.check_arguments(task_name, args, kwargs)


@overload
async def delay(canvas: Task[P, R], *args: P.args, **kwargs: P.kwargs) -> AsyncResult[R]: ...
@overload
async def delay(canvas: Signature[R], *args: Any, **kwargs: Any) -> AsyncResult[R]: ...
@overload
async def delay(canvas: Group, *args: Any, **kwargs: Any) -> GroupResult[Any]: ...
@overload
async def delay(canvas: Canvas, *args: Any, **kwargs: Any) -> Any: ...
async def delay(canvas: Any, *args: Any, **kwargs: Any) -> Any:
    """Submit a task or a canvas with these arguments, and return its result.

    Raises:
        TypeError: If a task that is local does not take its arguments.
    """
    return await apply_async(canvas, args, kwargs)


@overload
async def apply_async(
    canvas: Task[..., R] | Signature[R],
    args: Iterable[Any] | None = None,
    kwargs: Mapping[str, Any] | None = None,
    **options: Any,
) -> AsyncResult[R]: ...
@overload
async def apply_async(
    canvas: Group, args: Iterable[Any] | None = None, kwargs: Mapping[str, Any] | None = None, **options: Any
) -> GroupResult[Any]: ...
@overload
async def apply_async(
    canvas: Canvas, args: Iterable[Any] | None = None, kwargs: Mapping[str, Any] | None = None, **options: Any
) -> Any: ...
async def apply_async(
    canvas: Any, args: Iterable[Any] | None = None, kwargs: Mapping[str, Any] | None = None, **options: Any
) -> Any:
    """Submit a task or a canvas, and return its result.

    Args:
        canvas: Is not changed.
        args: As `Canvas.apply_async` takes them.
        kwargs: Likewise.
        options: Likewise.

    Returns:
        An AsyncResult or a GroupResult of this package; None for an empty chain.
    """
    coroutine = _sent(canvas).apply_async(args, kwargs, **options)
    return None if coroutine is None else await coroutine


async def apply(
    canvas: Any,
    args: Iterable[Any] | None = None,
    kwargs: Mapping[str, Any] | None = None,
    *,
    throw: bool | None = None,
    **options: Any,
) -> Any:
    """Run a task or a canvas in this process, in a thread, and return its result, which is ready.

    Args:
        canvas: Is not changed.
        args: As `Canvas.apply_async` takes them.
        kwargs: Likewise.
        throw: Whether what it failed with is raised here. None means as the app's `eager_propagates`.
        options: As `Canvas.apply_async` takes them.

    Raises:
        LookupError: If one of its tasks does not exist in this process.
        TypeError: If a task does not take its arguments.
    """
    return await _sent(canvas).apply(args, kwargs, throw=throw, **options)


def _sent(canvas: Any) -> Canvas:
    """Return a copy of a canvas that answers with coroutines."""
    sent: Canvas = canvas.signature() if isinstance(canvas, Task) else canvas.clone()
    sent.own_app = _Sender(cast("App", sent.found_app() or current_app()))
    return sent


async def send(canvas: Canvas, app: App | None = None, *, deadline: Timeout = None) -> Result[Any] | None:
    """Submit a canvas as it is, and return the result of its last task or group.

    Args:
        canvas: Is not changed.
        app: What sends it. None means its own, or the current one.
        deadline: As `Canvas.apply_async` takes it.

    Raises:
        GessoError: If it was refused, or no coordinator answered in time.
    """
    home = app if app is not None else cast("App", canvas.app)
    if home.always_eager:
        return await apply_here(canvas, home)
    on_header = home.allow_error_cb_on_chord_header
    with submitting() as span:
        request, groups = submission(
            canvas, error_links_on_header=on_header, route=home.route, deadline=deadline
        )
        coordinator = registry.shared(home.address)
        end: End | None = None
        if groups:
            response = await coordinator.stream(request, groups)
        else:
            end = asyncio.get_running_loop().create_future()
            response = await coordinator.submit(request, end, home.submit_timeout)
        submitted(span, request.canvas, response)
    published(request.canvas)
    if not response.HasField("last"):
        return None
    return result_of(response.last, home).submitted(end if request.wait else None, canvas.id)


async def revoke(
    task_id: str | Iterable[str],
    terminate: bool = False,  # noqa: FBT001, FBT002 - Celery's
    *,
    app: App | None = None,
) -> None:
    """Revoke tasks that have not ended, by their ids; see `Control.revoke`."""
    await _coordinator(app).revoke_nodes(revocation(task_id, terminate=terminate))


async def revoke_by_stamped_headers(
    headers: Mapping[str, Any], *, terminate: bool = False, app: App | None = None
) -> None:
    """Revoke whatever bears one of the stamps; see `Control.revoke_by_stamped_headers`."""
    await _coordinator(app).revoke_nodes(stamped_revocation(headers, terminate=terminate))


async def cancel(
    canvas: Result[Any] | str,
    terminate: bool = False,  # noqa: FBT001, FBT002 - as `revoke`
    *,
    app: App | None = None,
) -> bool:
    """Cancel what has not ended of a whole canvas; see `Control.cancel`. A result is of its own app."""
    coordinator = registry.shared(_home(canvas, app).address)
    request = pb.CancelCanvasRequest(canvas_id=await _canvas_id(canvas, coordinator), terminate=terminate)
    return not (await coordinator.cancel_canvas(request)).already_terminal


async def retry(canvas: Result[Any] | str, *, app: App | None = None) -> Result[Any] | None:
    """Run what failed or was cancelled of a canvas again, as a new one; see `Control.retry` and `cancel`."""
    home = _home(canvas, app)
    coordinator = registry.shared(home.address)
    request = pb.RetryCanvasRequest(canvas_id=await _canvas_id(canvas, coordinator), request_id=uuid4().hex)
    submitted = (await coordinator.retry_canvas(request)).submitted
    return result_of(submitted.last, home).submitted() if submitted.HasField("last") else None


async def canvases(
    *,
    state: str | Iterable[str] = (),
    task: str | None = None,
    stamps: Mapping[str, Any] | None = None,
    since: Instant | None = None,
    until: Instant | None = None,
    limit: int | None = None,
    app: App | None = None,
) -> AsyncIterator[CanvasInfo]:
    """Yield canvases, the newest first; see `Control.canvases`."""
    request = canvases_request(state=state, task=task, stamps=stamps, since=since, until=until, limit=limit)
    left = limit
    while True:
        page = await _coordinator(app).list_canvases(request)
        for message in page.canvases[:left]:
            yield CanvasInfo.read(message)
        left = None if left is None else left - len(page.canvases)
        if not page.next_page_token or (left is not None and left <= 0):
            return
        request.page_token = page.next_page_token


async def _canvas_id(canvas: Result[Any] | str, coordinator: Coordinator) -> str:
    text = canvas if isinstance(canvas, str) else canvas.id
    if found := own_canvas_id(text):
        return found
    node = (await coordinator.get_node(pb.GetNodeRequest(node_id=text))).node
    return own_canvas_id(node.handle.node_id)


def _home(canvas: Result[Any] | str, app: App | None) -> Home:
    if app is not None:
        return app
    return cast("App", current_app()) if isinstance(canvas, str) else canvas.app


def _coordinator(app: App | None) -> Coordinator:
    return registry.shared((app if app is not None else cast("App", current_app())).address)


async def close(app: App | None = None) -> None:
    """Let go of this event loop's connection; waits under way fail. Sending again opens another."""
    await registry.close((app if app is not None else cast("App", current_app())).address)
