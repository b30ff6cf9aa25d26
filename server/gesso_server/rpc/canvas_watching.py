"""CoordinatorService.WatchCanvases for a filter: canvases that match, without their nodes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from hashlib import blake2b

from gesso.v1 import canvas_summary_pb2
from gesso.v1 import coordinator_service_pb2 as pb
from gesso_server.dispatch.coordinator import Coordinator
from gesso_server.dispatch.watches import Watch
from gesso_server.rpc.canvases import NAMESPACE
from gesso_server.rpc.nodes import summary
from gesso_server.rpc.resume_token import FilterToken, read_filter, write_filter
from gesso_server.rpc.search import canvas_choice
from gesso_server.rpc.service import Context
from gesso_server.store.choice import CanvasChoice
from gesso_server.store.logs import FROM_NEWEST, NamespacePlace
from gesso_server.store.store import Store

_CANVASES_PER_READ = 200


class CanvasWatching:
    """Serves the watch of canvases that match a filter."""

    def __init__(self, coordinator: Coordinator) -> None:
        self._coordinator = coordinator

    async def watch(
        self, request: pb.WatchCanvasesRequest, context: Context
    ) -> AsyncIterator[pb.WatchCanvasesResponse]:
        """Send canvases that match, and then those that are new or have changed."""
        choice = canvas_choice(NAMESPACE, request.filter)
        content = request.filter.SerializeToString(deterministic=True)
        target = blake2b(content, digest_size=8).hexdigest()
        partitions = len(self._coordinator.store.partitions)
        token = read_filter(request.resume_token, target, partitions) if request.resume_token else None
        with self._coordinator.watches.namespace(NAMESPACE, context.peer()) as watch:
            reset = False
            while True:
                reader = _Reader(self._coordinator.store, choice, target, changes_only=request.changes_only)
                async for response in reader.read(token, watch):
                    response.reset, reset = reset, False
                    yield response
                token, reset = None, True


class _Reader:
    """Reads the logs of all partitions from a snapshot or a token on, until there is a gap."""

    def __init__(self, store: Store, choice: CanvasChoice, target: str, *, changes_only: bool) -> None:
        self._store = store
        self._choice = choice
        self._target = target
        self._changes_only = changes_only
        self._places: list[NamespacePlace] = []
        self._complete = False
        self._lost = False

    async def read(self, token: FilterToken | None, watch: Watch) -> AsyncIterator[pb.WatchCanvasesResponse]:
        """Read; what changes meanwhile follows."""
        watch.void = False
        if token is None:
            await self._begin()
        else:
            self._places, self._complete = token.places, token.complete
        for number in range(len(self._places)):
            watch.wake(number)
        behind = set(range(len(self._places)))
        while True:
            for number in sorted(await watch.woken()):
                async for response in self._read(number):
                    yield response
                behind.discard(number)
                if self._lost or watch.void:
                    return
            if not self._complete and not behind:
                self._complete = True
                yield self._response([], snapshot_complete=True)

    async def _begin(self) -> None:
        for partition in self._store.partitions:
            place, _ = await partition.logs.open_canvases(self._choice.namespace)
            self._places.append(place if self._changes_only else place._replace(accepted_ms=FROM_NEWEST))

    async def _read(self, number: int) -> AsyncIterator[pb.WatchCanvasesResponse]:
        """Read what a partition has now."""
        logs, more, begun = self._store.partitions[number].logs, True, ""
        while more:
            found = await logs.read_canvases(
                self._choice, self._places[number], begun=begun, most=_CANVASES_PER_READ
            )
            if found is None:
                self._lost = True
                return
            self._places[number], more, begun = found.place, found.more, found.begun
            if found.canvases:
                yield self._response([summary(canvas_id, canvas) for canvas_id, canvas in found.canvases])

    def _response(
        self, canvases: list[canvas_summary_pb2.CanvasSummary], *, snapshot_complete: bool = False
    ) -> pb.WatchCanvasesResponse:
        token = write_filter(self._target, FilterToken(list(self._places), self._complete))
        return pb.WatchCanvasesResponse(
            canvases=canvases, resume_token=token, snapshot_complete=snapshot_complete
        )
