"""Running what failed of a canvas again, as a new canvas: read, decide, stage, submit."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from hashlib import sha256
from itertools import islice
from typing import TypeVar

from gesso_server.config import ServerConfig
from gesso_server.dispatch.duties import DutyDesk
from gesso_server.dispatch.submission import RequestIdReusedError, Submissions
from gesso_server.dispatch.values import NoValueError
from gesso_server.ids import CanvasId, NodeRef, Trace, new_canvas_id
from gesso_server.store.calls import Accepted, RerunCanvas, Rerunnable, StoredRecord, Unfit
from gesso_server.store.errors import StoreUnavailable
from gesso_server.store.partition import Partition
from gesso_server.store.records import StoredNode
from gesso_server.store.rerun import ForgottenError, Rerun
from gesso_server.store.store import Store

_MS = timedelta(milliseconds=1)
_PIECES_PER_CALL = 500

T = TypeVar("T")


class CanvasActiveError(Exception):
    """The canvas has not ended."""


class Reruns:
    """Runs canvases again."""

    def __init__(self, store: Store, config: ServerConfig, desk: DutyDesk, submissions: Submissions) -> None:
        self._store = store
        self._request_ttl_ms = config.timing.request_ttl // _MS
        self._submissions = submissions
        self._desk = desk
        self._names = submissions.names
        # One at a time: what failed of a canvas is in memory meanwhile.
        self._turn = asyncio.Lock()

    async def run(self, namespace: str, canvas_id: CanvasId, request_id: str) -> Accepted | None:
        """Run what failed of a canvas again. When this returns, the store has the new one.

        Returns:
            The new canvas, or that of the same request; None when there is no such canvas to run again.

        Raises:
            CanvasActiveError: If it has not ended.
            NothingFailedError: If nothing of it failed.
            IncompleteCanvasError: If a group of it was not read to its end, or a record could not be read.
            NoValueError: If a value that is needed was forgotten.
            BackpressureError: If the store is nearly full.
            QuotaError: If the namespace has too much open.
            RequestIdReusedError: If the request id was used for another canvas.
            StoreError: If the store does not answer; repeating with the same request id is safe.
        """
        partition = self._store.partition_of(canvas_id)
        if partition is None:
            return None
        digest = sha256(canvas_id.encode()).hexdigest()
        begun = await partition.rerun_begin(namespace, canvas_id, request_id, digest)
        if not isinstance(begun, Rerunnable):
            return await self._answer(partition, namespace, canvas_id, begun)
        self._submissions.pressure.check()
        async with self._turn:
            new_id = new_canvas_id(partition.number)
            trace, root = self._submissions.traces.begin("", new_id, again=begun.trace)
            new = await self._staged(partition, namespace, canvas_id, request_id, (begun, new_id, trace))
        accepted, duties = await partition.submit_rerun(new)
        if isinstance(accepted, Accepted) and accepted.canvas_id == new_id:
            self._desk.accepted(accepted)
            if root is not None:
                root.end()
        self._desk.see_to(partition, duties)
        return await self._answer(partition, namespace, canvas_id, accepted)

    async def known(self, partition: Partition, namespace: str, canvas_id: CanvasId, request_id: str) -> bool:
        """Return whether a request is known that ran this canvas again."""
        digest = sha256(canvas_id.encode()).hexdigest()
        return isinstance(await partition.rerun_begin(namespace, canvas_id, request_id, digest), Accepted)

    async def _answer(
        self, partition: Partition, namespace: str, old: CanvasId, answer: Accepted | Unfit
    ) -> Accepted | None:
        match answer:
            case Accepted():
                # Also for a repeated request: its first coordinator may have died in between.
                await self._rename(partition, namespace, old, answer)
                return answer
            case Unfit.GONE:
                return None
            case Unfit.ACTIVE:
                raise CanvasActiveError
            case Unfit.REQUEST_ID_REUSED:
                raise RequestIdReusedError
            case Unfit.STAGING_LOST:
                message = "the canvas took too long to be staged and was removed"
                raise StoreUnavailable(message)

    async def _staged(
        self,
        partition: Partition,
        namespace: str,
        old: CanvasId,
        request_id: str,
        beginning: tuple[Rerunnable, CanvasId, Trace],
    ) -> RerunCanvas:
        """Decide what is run again, and stage it as another canvas, in a trace of its own."""
        begun, new, trace = beginning
        rerun = Rerun(await self._last(partition, namespace, old))
        async for index, stored in _stored(partition, old, begun.end):
            rerun.read(index, stored.record, forgotten=stored.forgotten)
        try:
            rerun.decide()
        except ForgottenError:
            raise NoValueError from None
        part: list[StoredNode] = []
        async for index, stored in _stored(partition, old, begun.end):
            record = rerun.rewritten(index, stored.record, begun.created_ms - begun.now_ms)
            if record is not None:
                name = f"{index} {stored.task_id}" if stored.task_id else index
                part.append(StoredNode(name, record, b""))
            if len(part) == _PIECES_PER_CALL:
                await partition.stage(new, part)
                part = []
        if part:
            await partition.stage(new, part)
        for pieces in _parts(rerun.pieces()):
            await partition.stage_rerun(new, pieces)
        return RerunCanvas(
            canvas_id=new, namespace=namespace, request_id=request_id, digest=sha256(old.encode()).hexdigest(),
            old=old, created_ms=begun.now_ms, node_count=rerun.total, left=rerun.left, trace=trace,
            request_ttl_ms=self._request_ttl_ms, quota=self._submissions.quota(),
        )  # fmt: skip

    async def _last(self, partition: Partition, namespace: str, canvas_id: CanvasId) -> int | None:
        found = await partition.look(namespace, canvas_id)
        return found[0].last if found else None

    async def _rename(self, partition: Partition, namespace: str, old: CanvasId, new: Accepted) -> None:
        """Let the ids that the client chose name the new canvas's nodes."""
        begun = await partition.rerun_begin(namespace, old, "", "")
        if not isinstance(begun, Rerunnable):
            return
        names: list[tuple[str, str]] = []
        async for index, stored in _stored(partition, old, begun.end):
            if stored.task_id:
                names.append((stored.task_id, NodeRef(new.canvas_id, index).node_id))
            if len(names) == _PIECES_PER_CALL:
                await self._names.keep_all(namespace, names)
                names = []
        await self._names.keep_all(namespace, names)


async def _stored(
    partition: Partition, canvas_id: CanvasId, end: int
) -> AsyncIterator[tuple[int, StoredRecord]]:
    """Yield what is stored of a canvas's nodes, by index."""
    index = 0
    while index < end:
        for stored in await partition.records(canvas_id, index, end):
            yield index, stored
            index += 1


def _parts(pieces: Iterator[T]) -> Iterator[list[T]]:
    while part := list(islice(pieces, _PIECES_PER_CALL)):
        yield part
