"""Values that were too large for an assignment: read from the coordinator while the task waits."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import grpc
from grpc import aio

from gesso.errors import Reject
from gesso.failure import Classes
from gesso.v1.worker_service_pb2 import ReadInputRequest, Token
from gesso.v1.worker_service_pb2_grpc import WorkerServiceStub
from gesso.values import ValueReader
from gesso_worker.backoff import Backoff
from gesso_worker.errors import InputUnavailable

# How long an input is tried for before the task is given to another worker.
_PATIENCE_SECONDS = 300.0
_FIRST_PAUSE, _LONGEST_PAUSE = timedelta(milliseconds=100), timedelta(seconds=5)
# What asking again does not change.
_FINAL_CODES = frozenset(
    {
        grpc.StatusCode.FAILED_PRECONDITION,
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.NOT_FOUND,
        grpc.StatusCode.PERMISSION_DENIED,
        grpc.StatusCode.UNAUTHENTICATED,
        grpc.StatusCode.UNIMPLEMENTED,
    }
)


class InputReader:
    """Reads inputs for the tasks of one session."""

    def __init__(
        self, channel: Callable[[], Awaitable[aio.Channel]], session_id: str, classes: Classes
    ) -> None:
        """Read nothing yet. On the event loop's thread.

        Args:
            channel: Waits for a connection.
            classes: Exceptions, by name, that errors within a value may become.
        """
        self._classes = classes
        self._channel = channel
        self._session_id = session_id
        self._loop = asyncio.get_running_loop()

    def read_from_thread(self, node_id: str, token: Token) -> Any:
        """As `read`, for a thread other than the event loop's."""
        return asyncio.run_coroutine_threadsafe(self.read(node_id, token), self._loop).result()

    async def read(self, node_id: str, token: Token) -> Any:
        """Return the value of a node, which is the input of an attempt.

        Raises:
            InputUnavailable: If the coordinator does not give it out.
            ValueError: If it is given out, and cannot be decoded.
            Reject: If no coordinator gave it out in five minutes; the task is then to run elsewhere.
        """
        pause = Backoff(first=_FIRST_PAUSE, longest=_LONGEST_PAUSE)
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                while True:
                    try:
                        return await self._read_once(node_id, token)
                    except aio.AioRpcError as error:
                        if error.code() in _FINAL_CODES:
                            raise InputUnavailable(f"The input cannot be read: {error.details()}") from error
                    await asyncio.sleep(pause.wait_seconds())
        except TimeoutError:
            raise Reject("no coordinator gave out the input", requeue=True) from None

    async def _read_once(self, node_id: str, token: Token) -> Any:
        stub = WorkerServiceStub(await self._channel())
        value = ValueReader(self._classes)
        request = ReadInputRequest(session_id=self._session_id, node_id=node_id, token=token)
        async for response in stub.ReadInput(request, timeout=_PATIENCE_SECONDS):
            value.feed(response.items)
        return value.value
