"""CoordinatorService.WatchCanvases."""

from __future__ import annotations

from collections.abc import AsyncIterator

from gesso.v1 import coordinator_service_pb2 as pb
from gesso_server.dispatch.coordinator import Coordinator
from gesso_server.rpc.canvas_watching import CanvasWatching
from gesso_server.rpc.node_watching import NodeWatching
from gesso_server.rpc.refusal import draining, invalid
from gesso_server.rpc.service import Context


class Watches:
    """Serves watches."""

    def __init__(self, coordinator: Coordinator) -> None:
        self._coordinator = coordinator
        self._one = NodeWatching(coordinator)
        self._many = CanvasWatching(coordinator)

    async def watch_canvases(
        self, request: pb.WatchCanvasesRequest, context: Context
    ) -> AsyncIterator[pb.WatchCanvasesResponse]:
        """Serve CoordinatorService.WatchCanvases."""
        if self._coordinator.draining:
            raise draining()
        match request.WhichOneof("target"):
            case "canvas_id":
                responses = self._one.watch(request, context)
            case "filter":
                responses = self._many.watch(request, context)
            case _:
                raise invalid("BAD_ID", "say which canvas to watch, or which canvases", "canvas_id")
        async for response in responses:
            yield response
