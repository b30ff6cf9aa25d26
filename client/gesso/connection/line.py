"""The channel to one address: opened when it is first used, kept still during a fork."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager

import grpc

from gesso.connection.channel import open_channel
from gesso.errors import Unavailable
from gesso.v1.coordinator_service_pb2_grpc import CoordinatorServiceStub
from gesso.v1.operations_service_pb2_grpc import OperationsServiceStub

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
        self._opening = threading.Lock()
        self._gate = threading.Condition()
        self._paused = False
        self._inside = 0  # threads of ours that are in gRPC
        self._channel: grpc.Channel | None = None
        self._stub: CoordinatorServiceStub | None = None

    @contextmanager
    def service(self, *, wait: bool = True) -> Generator[CoordinatorServiceStub, None, None]:
        """Give the service to begin calls with; the channel is opened if there is none.

        A fork waits, for a time, until all have left. Nobody comes in between `pause` and `resume`.

        Args:
            wait: Wait for `resume`; else fail.

        Raises:
            Unavailable: If it is not to wait, and would have to.
        """
        while True:
            self._enter(wait=wait)
            try:
                stub = self._stub
                if stub is None:
                    self._open()  # and come in again: a fork may be waiting
                    continue
                yield stub
                return
            finally:
                self._leave()

    @contextmanager
    def operations(self) -> Generator[OperationsServiceStub, None, None]:
        """Give the service for those who run a fleet; otherwise as `service`."""
        with self.service():
            channel = self._channel
            if channel is None:
                raise Unavailable("the connection is let go of", code="CANCELLED")
            yield OperationsServiceStub(channel)

    def hang_up(self) -> None:
        """Close the channel. Calls under way end as cancelled; a later one opens another channel."""
        with self._opening:
            channel, self._channel, self._stub = self._channel, None, None
        if channel is not None:
            channel.close()

    def pause(self) -> None:
        """Let nobody begin a call until `resume`."""
        with self._gate:
            self._paused = True

    def wait_empty(self, seconds: float) -> None:
        """Wait until no thread of ours is in gRPC, but no longer than `seconds`."""
        with self._gate:
            self._gate.wait_for(lambda: not self._inside, seconds)

    def resume(self) -> None:
        """Take calls again."""
        with self._gate:
            self._paused = False
            self._gate.notify_all()

    # --- inside ------------------------------------------------------------------------------

    def _enter(self, *, wait: bool) -> None:
        with self._gate:
            if self._paused and not wait:
                raise Unavailable("the connection is let go of", code="CANCELLED")
            self._gate.wait_for(lambda: not self._paused)
            self._inside += 1

    def _leave(self) -> None:
        with self._gate:
            self._inside -= 1
            if not self._inside:
                self._gate.notify_all()

    def _open(self) -> None:
        with self._opening:
            if self._stub is None:
                self._channel = open_channel(self.address)
                self._stub = CoordinatorServiceStub(self._channel)
                self._opened()
