"""What an event loop asks of a coordinator; the same as `gesso.connection.coordinator`, with `await`."""

from __future__ import annotations

import asyncio
import logging
from asyncio import Future
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol, TypeVar

import grpc
import grpc.aio

from gesso.aio.conversation import Conversation
from gesso.aio.upload import stream
from gesso.canvas.wire import OpenGroup
from gesso.connection.channel import open_aio_channel
from gesso.connection.coordinator import (
    ATTEMPT_TIMEOUT,
    CALL_TIMEOUT,
    CONVERSE_BYTES,
    pause_after,
    trouble,
)
from gesso.connection.refusals import from_call_error, from_rpc_error, repeatable
from gesso.connection.resumption import Resumption
from gesso.deadline import Deadline, Timeout
from gesso.errors import GessoError, TimeoutError, Unavailable  # noqa: A004 - Celery's name
from gesso.v1 import coordinator_service_pb2 as pb
from gesso.v1.coordinator_service_pb2_grpc import CoordinatorServiceStub

if TYPE_CHECKING:  # it exists for type checkers only
    from gesso.v1.coordinator_service_pb2_grpc import CoordinatorServiceAsyncStub

__all__ = ["Coordinator", "End"]

logger = logging.getLogger(__name__)

End = Future[pb.WaitNodeResponse | pb.CallError]
"""Where the end of a node arrives. Whoever lets go of it stops the wait."""

Q = TypeVar("Q")
R = TypeVar("R")
Q_contra = TypeVar("Q_contra", contravariant=True)
R_co = TypeVar("R_co", covariant=True)
T = TypeVar("T")


class Method(Protocol[Q_contra, R_co]):
    """A call of the service's, of one request and one response."""

    def __call__(self, request: Q_contra, /, *, timeout: float) -> Awaitable[R_co]:
        """Make it."""
        ...


class Coordinator:
    """The coordinators at one address, for one event loop."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._channel: grpc.aio.Channel | None = None
        self._opened: CoordinatorServiceAsyncStub | None = None
        self._conversation = Conversation(address, self._stub)
        self._closed = 0  # how often it was

    # --- submissions and ends ----------------------------------------------------------------

    async def submit(
        self, request: pb.SubmitCanvasRequest, end: End | None = None, timeout: Timeout = CALL_TIMEOUT
    ) -> pb.SubmitCanvasResponse:
        """Submit a canvas, and return when it is accepted; see the synchronous one."""
        deadline = Deadline(timeout)
        if request.ByteSize() > CONVERSE_BYTES:
            return await self._call(lambda stub: stub.SubmitCanvas, request, deadline)
        return await self._repeated(lambda: self._submit(request, end, deadline), deadline)

    async def stream(
        self, request: pb.SubmitCanvasRequest, groups: Sequence[OpenGroup]
    ) -> pb.SubmitCanvasResponse:
        """Submit a canvas whose groups grow while they are read, and return when they have ended.

        Raises:
            GessoError: If it was refused, or the connection broke: it is then cancelled.
            Exception: What reading a group raises; the canvas is then cancelled.
        """
        return await stream(self._stub(), request, groups)

    def wait(self, node_id: str) -> End:
        """Begin to wait for a node's end."""
        end: End = asyncio.get_running_loop().create_future()
        self._conversation.wait(node_id, end)
        return end

    async def ended(self, node_id: str, end: End | None, deadline: Deadline) -> pb.WaitNodeResponse:
        """Return how a node ended, once it has; see the synchronous one."""
        attempt = 0
        while True:
            awaited = end or self.wait(node_id)
            # Not `await awaited`: whoever is cancelled would cancel it for everyone.
            await asyncio.wait([awaited], timeout=deadline.left())
            if not awaited.done():
                raise TimeoutError(f"{node_id} did not end in time.")
            answer = awaited.result()
            if isinstance(answer, pb.WaitNodeResponse):
                return answer
            attempt += 1
            error, end = from_call_error(answer), None
            pause = repeatable(error)
            if pause is None:
                raise error
            await asyncio.sleep(min(pause_after(pause, attempt), deadline.at_most(CALL_TIMEOUT)))

    # --- calls of their own ------------------------------------------------------------------

    async def get_node(
        self, request: pb.GetNodeRequest, timeout: Timeout = CALL_TIMEOUT
    ) -> pb.GetNodeResponse:
        """Return a node."""
        return await self._call(lambda stub: stub.GetNode, request, Deadline(timeout))

    async def list_nodes(
        self, request: pb.ListNodesRequest, timeout: Timeout = CALL_TIMEOUT
    ) -> pb.ListNodesResponse:
        """Return a page of nodes."""
        return await self._call(lambda stub: stub.ListNodes, request, Deadline(timeout))

    async def list_canvases(
        self, request: pb.ListCanvasesRequest, timeout: Timeout = CALL_TIMEOUT
    ) -> pb.ListCanvasesResponse:
        """Return a page of canvases."""
        return await self._call(lambda stub: stub.ListCanvases, request, Deadline(timeout))

    async def cancel_canvas(
        self, request: pb.CancelCanvasRequest, timeout: Timeout = CALL_TIMEOUT
    ) -> pb.CancelCanvasResponse:
        """Cancel what has not ended of a canvas."""
        return await self._call(lambda stub: stub.CancelCanvas, request, Deadline(timeout))

    async def retry_canvas(
        self, request: pb.RetryCanvasRequest, timeout: Timeout = CALL_TIMEOUT
    ) -> pb.RetryCanvasResponse:
        """Run what failed of a canvas again."""
        return await self._call(lambda stub: stub.RetryCanvas, request, Deadline(timeout))

    async def revoke_nodes(
        self, request: pb.RevokeNodesRequest, timeout: Timeout = CALL_TIMEOUT
    ) -> pb.RevokeNodesResponse:
        """Cancel single nodes."""
        return await self._call(lambda stub: stub.RevokeNodes, request, Deadline(timeout))

    async def forget_node(
        self, request: pb.ForgetNodeRequest, timeout: Timeout = CALL_TIMEOUT
    ) -> pb.ForgetNodeResponse:
        """Remove a node's value."""
        return await self._call(lambda stub: stub.ForgetNode, request, Deadline(timeout))

    async def read_value(
        self,
        request: pb.ReadValueRequest,
        take: Callable[[AsyncIterator[pb.ReadValueResponse]], Awaitable[T]],
        timeout: Timeout = None,
    ) -> T:
        """Return what `take` makes of the parts of a value; after a lost connection it gets them anew."""
        deadline = Deadline(timeout)

        async def read() -> T:
            try:
                return await take(aiter(self._stub().ReadValue(request, timeout=deadline.left())))
            except grpc.RpcError as error:
                raise from_rpc_error(error) from error

        return await self._repeated(read, deadline)

    async def watch(self, request: pb.WatchCanvasesRequest) -> AsyncGenerator[pb.WatchCanvasesResponse, None]:
        """Yield the messages of a watch; after a lost connection it goes on where it was; see the synchronous one."""
        resumption = Resumption(request, CALL_TIMEOUT)
        closed = self._closed
        while True:
            try:
                async with aclosing(self._watch(resumption)) as messages:
                    async for message in messages:
                        resumption.take(message)
                        yield message
            except GessoError as error:
                if self._closed != closed:
                    raise
                await asyncio.sleep(resumption.pause(error))
            else:
                return

    async def _watch(self, resumption: Resumption) -> AsyncGenerator[pb.WatchCanvasesResponse, None]:
        """Yield the messages of one connection."""
        resumption.opening()
        call = self._stub().WatchCanvases(resumption.request)
        try:
            async for message in call:
                yield message
        except grpc.RpcError as error:
            raise from_rpc_error(error) from error
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            raise Unavailable("the connection was closed", code="CANCELLED") from None
        finally:
            call.cancel()

    # --- its life ----------------------------------------------------------------------------

    def unanswered_count(self) -> int:
        """Return how many calls of the conversation are not answered."""
        return self._conversation.unanswered_count()

    async def close(self) -> None:
        """Let go of the connection, and fail what is unanswered. A later call opens another."""
        self._closed += 1
        await self._conversation.close()
        channel, self._channel, self._opened = self._channel, None, None
        if channel is not None:
            await channel.close()

    # --- inside ------------------------------------------------------------------------------

    def _stub(self) -> CoordinatorServiceAsyncStub:
        if self._opened is None:
            self._channel = open_aio_channel(self.address)
            self._opened = CoordinatorServiceStub(self._channel)
        return self._opened

    async def _submit(
        self, request: pb.SubmitCanvasRequest, end: End | None, deadline: Deadline
    ) -> pb.SubmitCanvasResponse:
        answer: Future[pb.SubmitCanvasResponse | pb.CallError] = asyncio.get_running_loop().create_future()
        call_id = self._conversation.submit(request, answer, end)
        try:
            await asyncio.wait([answer], timeout=deadline.left())
        finally:
            if not answer.done():
                self._conversation.drop(call_id)
        if not answer.done():
            trouble = self._conversation.trouble
            text = f"No coordinator answered at {self.address} in time" + (f": {trouble}" if trouble else "")
            raise Unavailable(text, code="DEADLINE_EXCEEDED")
        result = answer.result()
        if isinstance(result, pb.CallError):
            raise from_call_error(result)
        return result

    async def _call(
        self, method: Callable[[CoordinatorServiceAsyncStub], Method[Q, R]], request: Q, deadline: Deadline
    ) -> R:
        async def attempt() -> R:
            try:
                return await method(self._stub())(request, timeout=deadline.at_most(ATTEMPT_TIMEOUT))
            except grpc.RpcError as error:
                raise from_rpc_error(error) from error

        return await self._repeated(attempt, deadline)

    async def _repeated(self, attempt: Callable[[], Awaitable[T]], deadline: Deadline) -> T:
        """Return what `attempt` does, made again as long as that may help and there is time."""
        count = 0
        while True:
            count += 1
            try:
                return await attempt()
            except GessoError as error:
                pause = repeatable(error)
                seconds = 0.0 if pause is None else pause_after(pause, count)
                if pause is None or not deadline.allows(timedelta(seconds=seconds)):
                    raise
                logger.log(
                    logging.WARNING if count > 1 else logging.INFO,
                    "%s %s (%s); trying again in %.1f s.",
                    *(trouble(error), self.address, error, seconds),
                )
            await asyncio.sleep(seconds)
