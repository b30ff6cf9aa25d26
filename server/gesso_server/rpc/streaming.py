"""CoordinatorService.StreamCanvas: a canvas whose groups grow while it runs."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from functools import partial

import grpc

from gesso.v1 import canvas_pb2
from gesso.v1 import coordinator_service_pb2 as pb
from gesso_server.dispatch.coordinator import Coordinator
from gesso_server.dispatch.extension import CanvasGoneError
from gesso_server.dispatch.growth import Growing
from gesso_server.dispatch.large import beside, is_large
from gesso_server.rpc.canvases import NAMESPACE, Canvases
from gesso_server.rpc.elements import Elements
from gesso_server.rpc.nodes import submitted
from gesso_server.rpc.refusal import Refusal, draining, invalid
from gesso_server.rpc.service import Context
from gesso_server.store.calls import Accepted

_OPEN_LIMIT = 64
_PART = re.compile(r"\.(steps|members|header)\[(\d{1,7})\]|\.(body)", re.ASCII)


class Streams:
    """Serves streamed submissions."""

    def __init__(self, coordinator: Coordinator, canvases: Canvases) -> None:
        self._coordinator = coordinator
        self._canvases = canvases

    async def stream_canvas(
        self, requests: AsyncIterator[pb.StreamCanvasRequest], _context: Context
    ) -> pb.StreamCanvasResponse:
        """Serve CoordinatorService.StreamCanvas."""
        try:
            first = await anext(requests)
        except StopAsyncIteration:
            raise invalid("PROTOCOL", "the stream ended before a canvas", "start") from None
        if self._coordinator.draining:
            raise draining()
        if first.start.request_id or first.start.validate_only or first.start.wait:
            text = "request_id, validate_only and wait do not go with a stream"
            raise invalid("CONFLICTING_FIELDS", text, "start")
        config = self._coordinator.config
        elements = Elements(config.limits, config.routes, _opened(first.start.canvas, first.open_paths))
        async with self._canvases.turn(first.start):
            submission, plan = await self._canvases.planned(first.start, elements, watch=False)
            accepted = (await self._coordinator.submissions.keep(submission, plan)).accepted
        growing = self._coordinator.growing(accepted.canvas_id, NAMESPACE, plan)
        try:
            async with asyncio.TaskGroup() as group:
                alive = group.create_task(growing.touch())
                await _grow(growing, elements, first, requests)
                alive.cancel()
        except BaseException as error:
            await asyncio.shield(
                self._coordinator.cancellations.canvas(
                    NAMESPACE, accepted.canvas_id, terminate=False, forget=True
                )
            )
            if isinstance(error, ExceptionGroup):
                raise error.exceptions[0] from None
            raise
        return pb.StreamCanvasResponse(submitted=await self._answer(accepted))

    async def _answer(self, accepted: Accepted) -> pb.SubmitCanvasResponse:
        response = submitted(accepted, self._coordinator.durability)
        canvas, last = await self._canvases.last(accepted)
        response.node_count = canvas.node_count
        if last is not None:
            response.last.CopyFrom(last.handle())
        return response


async def _grow(
    growing: Growing,
    elements: Elements,
    first: pb.StreamCanvasRequest,
    requests: AsyncIterator[pb.StreamCanvasRequest],
) -> None:
    try:
        await _take(growing, elements, first)
        async for request in requests:
            if request.HasField("start") or request.open_paths:
                raise invalid("PROTOCOL", "a canvas stands in the first message only", "start")
            await _take(growing, elements, request)
        await growing.seal()
    except CanvasGoneError:
        raise _gone() from None


async def _take(growing: Growing, elements: Elements, request: pb.StreamCanvasRequest) -> None:
    for position, growth in enumerate(request.growths):
        path = f"growths[{position}]"
        if growth.open_index not in growing:
            raise invalid("PROTOCOL", "the group does not grow, or not any more", f"{path}.open_index")
        large = is_large(growth)
        try:
            members = await beside(partial(elements.later, growth.open_index, growth.members), large=large)
        except Refusal as refusal:
            raise refusal.within(path) from None
        await growing.bear(elements.take_stamps())
        await growing.add(growth.open_index, members, sealed=growth.sealed, large=large)


def _gone() -> Refusal:
    return Refusal(
        grpc.StatusCode.ABORTED, "CANVAS_NOT_FOUND", "the canvas was cancelled while it was submitted"
    )


def _opened(canvas: canvas_pb2.Canvas, paths: Sequence[str]) -> list[canvas_pb2.Canvas]:
    """Return the elements that paths name, in order.

    Raises:
        Refusal: If a path names none, or one that is neither a group nor a chord.
    """
    if len(paths) > _OPEN_LIMIT:
        raise invalid("OUT_OF_RANGE", f"at most {_OPEN_LIMIT} groups grow at one time", "open_paths")
    return [_element(canvas, path, f"open_paths[{number}]") for number, path in enumerate(paths)]


def _element(canvas: canvas_pb2.Canvas, path: str, field: str) -> canvas_pb2.Canvas:
    if not path.startswith("canvas"):
        raise invalid("PROTOCOL", "a path begins with canvas", field)
    found, at = canvas, len("canvas")
    while at < len(path):
        part = _PART.match(path, at)
        if part is None:
            raise invalid(
                "PROTOCOL", "a path has parts like .steps[0], .members[0], .header[0] and .body", field
            )
        try:
            found = found.body if part[3] else getattr(found, part[1])[int(part[2])]
        except IndexError:
            raise invalid("PROTOCOL", "the path names nothing", field) from None
        at = part.end()
    if found.WhichOneof("kind") not in {"group", "chord"}:
        raise invalid("PROTOCOL", "only groups and chords grow", field)
    return found
