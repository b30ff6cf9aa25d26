"""The channel to one address: opened when it is first used, kept still during a fork."""

from __future__ import annotations

import threading
from collections.abc import Callable

import grpc

from gesso.connection.channel import open_channel
from gesso.v1.coordinator_service_pb2_grpc import CoordinatorServiceStub

__all__ = ["Line"]


class Line:
    """One channel, shared by the threads of a process.

    Args:
        address: As `channel.target` takes it.
        opened: Called when a channel has been opened.
    """

    def __init__(self, address: str, opened: Callable[[], None]) -> None:
        self.address = address
        self._opened = opened
        self._lock = threading.Lock()
        self._open = threading.Event()
        self._open.set()
        self._channel: grpc.Channel | None = None
        self._stub: CoordinatorServiceStub | None = None

    def stub(self) -> CoordinatorServiceStub:
        """Return the service; the channel is opened if there is none. Waits while a fork is under way."""
        self._open.wait()
        with self._lock:
            if self._stub is None:
                self._channel = open_channel(self.address)
                self._stub = CoordinatorServiceStub(self._channel)
                self._opened()
            return self._stub

    def hang_up(self) -> None:
        """Close the channel. Calls under way end as cancelled; a later one opens another channel."""
        with self._lock:
            channel, self._channel, self._stub = self._channel, None, None
        if channel is not None:
            channel.close()

    def pause(self) -> None:
        """Let nobody begin a call until `resume`."""
        self._open.clear()

    def resume(self) -> None:
        """Take calls again."""
        self._open.set()
