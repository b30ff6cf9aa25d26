"""The connection of a child: one stream after the other, for ever.

Each attempt makes a new channel, so that no attempt inherits another's waits or resolved names. With
several addresses the attempts go through them in turn, from a place chosen by chance; a name with
several addresses behind it is spread by gRPC. An outage is logged once when it begins and once when it
ends.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

import grpc
from grpc import aio

from gesso_worker.backoff import Backoff
from gesso_worker.session import Session
from gesso_worker.stream import Ended, Stream, StreamBroken

_LOG = logging.getLogger("gesso.worker")
_FIRST_PAUSE, _LONGEST_PAUSE = timedelta(milliseconds=100), timedelta(seconds=5)
_MAX_MESSAGE_BYTES = 8 << 20
_OPTIONS: tuple[tuple[str, int | str], ...] = (
    ("grpc.max_receive_message_length", _MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", _MAX_MESSAGE_BYTES),
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.http2.ping_timeout_ms", 5_000),  # what grpcio 1.85 obeys instead; by default a minute
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.service_config", json.dumps({"loadBalancingConfig": [{"round_robin": {}}]})),
)
# What a coordinator answers to a hello that it would refuse the next time too.
_REFUSALS = frozenset(
    {
        grpc.StatusCode.FAILED_PRECONDITION,
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.PERMISSION_DENIED,
        grpc.StatusCode.UNAUTHENTICATED,
    }
)


class CoordinatorRefused(Exception):
    """A coordinator refused this worker before any had welcomed it. Its text is for a person."""


class Connection:
    """Keeps a session connected until it is over."""

    def __init__(self, addresses: tuple[str, ...], *, welcomed: Callable[[], None]) -> None:
        """Connect to nothing yet; `welcomed` is called after each welcome."""
        self._addresses = addresses
        self._turn = random.randrange(len(addresses))  # noqa: S311 - no secret
        self._announce = welcomed
        self._pause = Backoff(first=_FIRST_PAUSE, longest=_LONGEST_PAUSE)
        self._stream: Stream | None = None
        self._channel: aio.Channel | None = None
        self._connected = asyncio.Event()
        self._failure_count = 0  # attempts since the last welcome

    @property
    def is_open(self) -> bool:
        """Whether a coordinator has welcomed the session on a stream that is open."""
        return self._connected.is_set()

    def wake(self) -> None:
        """Have the session asked what there is to say, if a stream is open."""
        if self._stream is not None:
            self._stream.wake()

    async def channel(self) -> aio.Channel:
        """Return the channel of the stream, waiting for a welcome. The caller sets the limit."""
        await self._connected.wait()
        if self._channel is None:
            raise RuntimeError("connected without a channel")
        return self._channel

    async def run(self, session: Session) -> None:
        """Hold one stream after the other until `session` has said goodbye.

        Raises:
            CoordinatorRefused: If no coordinator has ever welcomed the session, and one never will.
        """
        while True:
            try:
                if await self._hold_stream(session) is Ended.OVER:
                    return
                _LOG.debug("stream.left")
            except StreamBroken as broken:
                if broken.code in _REFUSALS and not session.welcomed:
                    raise CoordinatorRefused(f"the coordinator refuses this worker ({broken})") from broken
                session.disconnected()
                if session.over:
                    return
                self._log_outage(broken)
                await asyncio.sleep(self._pause.wait_seconds())

    async def _hold_stream(self, session: Session) -> Ended:
        async with self._open_channel() as channel:
            self._stream = Stream(channel, session, self._on_welcome)
            return await self._stream.run()

    @asynccontextmanager
    async def _open_channel(self) -> AsyncGenerator[aio.Channel, None]:
        address = self._addresses[self._turn % len(self._addresses)]
        self._turn += 1
        async with aio.insecure_channel(address, options=_OPTIONS) as channel:
            self._channel = channel
            try:
                yield channel
            finally:
                self._connected.clear()
                self._channel = None
                self._stream = None

    def _on_welcome(self) -> None:
        self._connected.set()
        self._pause.reset()
        if self._failure_count >= len(self._addresses):
            _LOG.info("coordinator.found")
        self._failure_count = 0
        self._announce()

    def _log_outage(self, broken: StreamBroken) -> None:
        """Say once that no address answers, after each was tried."""
        self._failure_count += 1
        if self._failure_count == len(self._addresses):
            _LOG.warning("coordinator.unreachable addresses=%s reason=%s", ",".join(self._addresses), broken)
