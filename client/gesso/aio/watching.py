"""Watching canvases from coroutines; see `gesso.watching`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any, Protocol, cast

from gesso.aio.home import Home
from gesso.aio.registry import shared
from gesso.canvas import current_app
from gesso.control import own_canvas_id
from gesso.listing import Instant, canvas_filter
from gesso.v1 import coordinator_service_pb2 as pb
from gesso.watching import CanvasEvent, ResetEvent, SnapshotEvent, WatchEvent, canvas_events, events

__all__ = ["watch", "watch_canvases"]


class HasCanvas(Protocol):
    """A result."""

    id: str
    app: Home


async def watch(
    canvas: HasCanvas | str,
    *,
    group_limit: int = 50,
    expand: Iterable[str] = (),
    app: Home | None = None,
) -> AsyncIterator[WatchEvent]:
    """Yield how a canvas stands and then what changes, until it has ended; see `App.watch`.

    Args:
        canvas: A result of it, its id, or the id of a node in it.
        group_limit: Groups with more members are counted.
        expand: Ids of groups that are told member by member all the same.
        app: Whose. A result is of its own app; else None means the current one.
    """
    home = _home(canvas, app)
    coordinator = shared(home.address)
    text = canvas if isinstance(canvas, str) else canvas.id
    canvas_id = own_canvas_id(text)
    if not canvas_id:
        node = (await coordinator.get_node(pb.GetNodeRequest(node_id=text))).node
        canvas_id = own_canvas_id(node.handle.node_id)
    request = pb.WatchCanvasesRequest(
        canvas_id=canvas_id, group_limit=group_limit, expanded_group_ids=list(expand)
    )
    async for message in coordinator.watch(request):
        for event in events(message, home.error_classes):
            yield event


async def watch_canvases(
    *,
    state: str | Iterable[str] = (),
    task: str | None = None,
    stamps: Mapping[str, Any] | None = None,
    since: Instant | None = None,
    until: Instant | None = None,
    snapshot: bool = True,
    app: Home | None = None,
) -> AsyncIterator[CanvasEvent | SnapshotEvent | ResetEvent]:
    """Yield canvases and then what changes, without end; see `App.watch_canvases`."""
    home = app if app is not None else cast("Home", current_app())
    chosen = canvas_filter(state=state, task=task, stamps=stamps, since=since, until=until)
    request = pb.WatchCanvasesRequest(filter=chosen, changes_only=not snapshot)
    async for message in shared(home.address).watch(request):
        for event in canvas_events([message], home.error_classes):
            yield event


def _home(canvas: HasCanvas | str, app: Home | None) -> Home:
    if app is not None:
        return app
    return cast("Home", current_app()) if isinstance(canvas, str) else canvas.app
