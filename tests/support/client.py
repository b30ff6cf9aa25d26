"""CoordinatorService's stub, typed for asyncio."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import grpc

from gesso.v1.coordinator_service_pb2_grpc import CoordinatorServiceStub

if TYPE_CHECKING:
    from gesso.v1.coordinator_service_pb2_grpc import CoordinatorServiceAsyncStub as Client
else:
    Client = Any

__all__ = ["Client", "client_of"]


def client_of(channel: grpc.aio.Channel) -> Client:
    """Return a client of a coordinator."""
    return CoordinatorServiceStub(channel)
