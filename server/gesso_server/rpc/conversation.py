"""CoordinatorService.Converse: one client process, many calls under way, replies as they come.

A reader task takes calls in and starts each in a task of its own; the generator yields what has been answered,
everything at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta

import grpc

from gesso.v1 import coordinator_service_pb2 as pb
from gesso_server.dispatch.coordinator import Coordinator
from gesso_server.rpc.canvases import Canvases, timeout_of
from gesso_server.rpc.refusal import Refusal, invalid, refused
from gesso_server.rpc.service import Context

_REPLIES_PER_FRAME = 256
_FRAME_BYTES = 1 << 20


class Conversations:
    """Serves conversations, and everything of CoordinatorService that stands alone."""

    def __init__(self, coordinator: Coordinator, canvases: Canvases) -> None:
        self._canvases = canvases
        self._limit = coordinator.config.limits.calls_per_conversation
        self._open: set[_Conversation] = set()

    def __len__(self) -> int:
        return len(self._open)

    def drain(self) -> None:
        """Ask every client to move to another coordinator."""
        for conversation in self._open:
            conversation.drain()

    async def converse(
        self, requests: AsyncIterator[pb.ConverseRequest], _context: Context
    ) -> AsyncIterator[pb.ConverseResponse]:
        """Serve CoordinatorService.Converse."""
        conversation = _Conversation(self._canvases, self._limit)
        self._open.add(conversation)
        reader = asyncio.create_task(conversation.read(requests))
        try:
            async for response in conversation.replies():
                yield response
            await reader
        finally:
            self._open.discard(conversation)
            reader.cancel()
            await conversation.stop()


class _Conversation:
    def __init__(self, canvases: Canvases, limit: int) -> None:
        self._canvases = canvases
        self._limit = limit
        self._calls: dict[int, asyncio.Task[None]] = {}
        self._outbox: list[pb.ConverseResponse.Reply] = []
        self._event = asyncio.Event()
        self._finished = False
        self._broken = False
        self._draining = False

    def drain(self) -> None:
        """Tell the client to move."""
        self._draining = True
        self._event.set()

    async def stop(self) -> None:
        """End every call under way."""
        calls = list(self._calls.values())
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)

    async def read(self, requests: AsyncIterator[pb.ConverseRequest]) -> None:
        """Take calls in until the client has no more."""
        try:
            async for request in requests:
                for call in request.calls:
                    self._begin(call)
        except Exception:
            self._broken = True
            raise
        finally:
            self._finished = True
            self._event.set()

    async def replies(self) -> AsyncIterator[pb.ConverseResponse]:
        """Return replies until the client has no more calls and all are answered, or it broke the rules."""
        while not self._broken and (self._outbox or self._calls or not self._finished):
            await self._event.wait()
            self._event.clear()
            if self._draining:
                self._draining = False
                yield pb.ConverseResponse(draining=True)
            while self._outbox:
                yield pb.ConverseResponse(replies=self._part())

    def _part(self) -> list[pb.ConverseResponse.Reply]:
        """Take the first replies out of the outbox, as many as a frame holds."""
        size, count = 0, 0
        for reply in self._outbox[:_REPLIES_PER_FRAME]:
            size += reply.ByteSize()
            if count and size > _FRAME_BYTES:
                break
            count += 1
        part, self._outbox = self._outbox[:count], self._outbox[count:]
        return part

    def _begin(self, call: pb.ConverseRequest.Call) -> None:
        number = call.call_id
        if call.WhichOneof("method") == "stop":
            if under_way := self._calls.get(number):
                under_way.cancel()
            return
        if number <= 0 or number in self._calls:
            raise invalid("PROTOCOL", "a call's number is positive and not in use", "call_id")
        if len(self._calls) >= self._limit:
            self._reply(number, error=_too_many(self._limit).call_error())
            return
        serve = {"submit": self._submit, "wait": self._wait}.get(call.WhichOneof("method") or "")
        if serve is None:
            self._reply(number, error=invalid("PROTOCOL", "a call has a method", "calls").call_error())
            return
        task = asyncio.create_task(self._serve(call, serve))
        self._calls[number] = task
        task.add_done_callback(lambda _: self._done(number))

    def _done(self, number: int) -> None:
        del self._calls[number]
        if self._finished:
            self._event.set()  # there may be nothing left to wait for

    async def _serve(
        self, call: pb.ConverseRequest.Call, serve: Callable[[pb.ConverseRequest.Call], Awaitable[None]]
    ) -> None:
        try:
            await serve(call)
        except Exception as error:  # noqa: BLE001  the place that turns a call's errors into its answer
            self._reply(call.call_id, error=refused(error).call_error())

    async def _submit(self, call: pb.ConverseRequest.Call) -> None:
        response, made = await self._canvases.submit(call.submit, watch=call.submit.wait)
        self._reply(call.call_id, submitted=response)
        if made is not None and call.submit.wait:
            ended = await self._canvases.last_end(made)
            if ended is not None:
                self._reply(call.call_id, ended=ended)

    async def _wait(self, call: pb.ConverseRequest.Call) -> None:
        ended = await self._canvases.wait(call.wait, timeout_of(call.wait))
        self._reply(call.call_id, ended=ended)

    def _reply(self, number: int, **result: object) -> None:
        self._outbox.append(pb.ConverseResponse.Reply(call_id=number, **result))  # type: ignore[arg-type]  # one field
        self._event.set()


def _too_many(limit: int) -> Refusal:
    text = f"at most {limit} calls may be under way in one conversation"
    return Refusal(
        grpc.StatusCode.RESOURCE_EXHAUSTED, "BACKPRESSURE", text, retry_delay=timedelta(milliseconds=100)
    )
