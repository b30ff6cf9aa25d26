"""The gRPC server of a coordinator: its services, health, and how it stops."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_health.v1._async import HealthServicer
from grpc_reflection.v1alpha import reflection

from gesso.v1 import coordinator_service_pb2, operations_service_pb2, worker_service_pb2
from gesso_server.config import ServerConfig
from gesso_server.dispatch.coordinator import Coordinator
from gesso_server.rpc.canvases import NAMESPACE, Canvases
from gesso_server.rpc.conversation import Conversations
from gesso_server.rpc.dead_letters import DeadLetters
from gesso_server.rpc.limits import Limits
from gesso_server.rpc.listener import (
    ListenRefusedError,
    check_address,
    check_unused,
    is_loopback,
    socket_path,
)
from gesso_server.rpc.queues import Queues
from gesso_server.rpc.service import handlers
from gesso_server.rpc.spans import NodeSpans
from gesso_server.rpc.streaming import Streams
from gesso_server.rpc.watching import Watches
from gesso_server.rpc.work import Work

READY, LIVE = "ready", "live"
"""Names of the health service: whether it takes work, and whether its loop runs."""
_MS = timedelta(milliseconds=1)
_UNCOMPRESSED = 1
"""gRPC's set of compressions with none in it: a small message could become an enormous one."""


class _CoordinatorService:
    """All of CoordinatorService: what stands alone, and the conversation."""

    def __init__(
        self, canvases: Canvases, conversations: Conversations, streams: Streams, watches: Watches
    ) -> None:
        self.watch_canvases = watches.watch_canvases
        self.converse = conversations.converse
        self.submit_canvas = canvases.submit_canvas
        self.get_canvas = canvases.get_canvas
        self.get_node = canvases.get_node
        self.list_nodes = canvases.list_nodes
        self.list_canvases = canvases.list_canvases
        self.wait_node = canvases.wait_node
        self.read_value = canvases.read_value
        self.cancel_canvas = canvases.cancel_canvas
        self.retry_canvas = canvases.retry_canvas
        self.revoke_nodes = canvases.revoke_nodes
        self.forget_node = canvases.forget_node
        self.stream_canvas = streams.stream_canvas


class _OperationsService:
    """All of OperationsService that is served."""

    def __init__(self, limits: Limits, dead_letters: DeadLetters, queues: Queues) -> None:
        self.set_limit = limits.set_limit
        self.list_limits = limits.list_limits
        self.list_dead_letters = dead_letters.list_dead_letters
        self.replay_dead_letter = dead_letters.replay_dead_letter
        self.purge_dead_letters = dead_letters.purge_dead_letters
        self.list_queues = queues.list_queues
        self.list_workers = queues.list_workers
        self.pause_queue = queues.pause_queue
        self.resume_queue = queues.resume_queue


class Server:
    """Serves one coordinator."""

    def __init__(self, coordinator: Coordinator) -> None:
        self._coordinator = coordinator
        if coordinator.tracer is not None:
            coordinator.ends.tell = NodeSpans(coordinator.tracer, coordinator.config.tracing).tell
        canvases = Canvases(coordinator)
        self._conversations = Conversations(coordinator, canvases)
        self._server = grpc.aio.server(options=_options(coordinator.config))
        self._health = HealthServicer()
        services = {
            coordinator_service_pb2.DESCRIPTOR.services_by_name["CoordinatorService"]: _CoordinatorService(
                canvases, self._conversations, Streams(coordinator, canvases), Watches(coordinator)
            ),
            worker_service_pb2.DESCRIPTOR.services_by_name["WorkerService"]: Work(coordinator, canvases),
            operations_service_pb2.DESCRIPTOR.services_by_name["OperationsService"]: _OperationsService(
                Limits(coordinator), DeadLetters(coordinator, canvases), Queues(coordinator, NAMESPACE)
            ),
        }
        for descriptor, servicer in services.items():
            self._server.add_generic_rpc_handlers((handlers(descriptor, servicer),))
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        config = coordinator.config
        if is_loopback(config.address) if config.reflection is None else config.reflection:
            names = [descriptor.full_name for descriptor in services]
            reflection.enable_server_reflection(
                [*names, health.SERVICE_NAME, reflection.SERVICE_NAME], self._server
            )

    async def start(self) -> str:
        """Listen; return the address, with the port that was free if none was asked for.

        Raises:
            ListenRefusedError: If the address may not, or cannot, be listened on.
        """
        config = self._coordinator.config
        check_address(config.address, insecure=config.insecure)
        path = socket_path(config.address)
        if path is not None:
            check_unused(path)
        try:
            port = self._server.add_insecure_port(config.address)
        except RuntimeError as error:
            message = f"{config.address} cannot be listened on: is another coordinator running there?"
            raise ListenRefusedError(message) from error
        await self._server.start()
        await self._say(health_pb2.HealthCheckResponse.SERVING)
        return config.address if path is not None else f"{config.address.rpartition(':')[0]}:{port}"

    @property
    def conversations(self) -> int:
        """How many clients' conversations are open."""
        return len(self._conversations)

    async def stop(self, grace: timedelta) -> None:
        """Ask every stream to move to another coordinator, wait for that up to `grace`, and close."""
        await self._say(health_pb2.HealthCheckResponse.NOT_SERVING)
        self._coordinator.drain()
        self._conversations.drain()
        seconds = grace.total_seconds()
        try:
            async with asyncio.timeout(seconds):
                await self._coordinator.registry.emptied()
        except TimeoutError:
            pass
        await self._server.stop(min(seconds, 1.0))

    async def _say(self, status: int) -> None:
        for name in ("", READY):
            await self._health.set(name, status)
        await self._health.set(LIVE, health_pb2.HealthCheckResponse.SERVING)


def _options(config: ServerConfig) -> list[tuple[str, int]]:
    """Return gRPC's options. Sources: promises.md, decisions 9 and 10, G7; libraries.md, section 1."""
    limits, timing = config.limits, config.timing
    return [
        ("grpc.max_receive_message_length", limits.message_bytes),
        # One assignment may have more than the canvas that it comes from: the failure that it is told of, an input.
        ("grpc.max_send_message_length", 2 * limits.message_bytes),
        ("grpc.max_concurrent_streams", limits.streams_per_connection),
        ("grpc.max_allowed_incoming_connections", limits.connections),
        ("grpc.max_metadata_size", limits.metadata_bytes),
        ("grpc.absolute_max_metadata_size", limits.metadata_bytes),  # between the two, chance would decide
        ("grpc.keepalive_time_ms", 10_000),
        ("grpc.keepalive_timeout_ms", 5_000),
        ("grpc.http2.ping_timeout_ms", 5_000),  # what grpcio 1.85 obeys instead; by default a minute
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.min_ping_interval_without_data_ms", timing.ping // _MS),
        ("grpc.server_handshake_timeout_ms", timing.handshake // _MS),
        ("grpc.max_connection_age_ms", timing.connection_age // _MS),
        ("grpc.max_connection_age_grace_ms", timing.connection_grace // _MS),
        ("grpc.compression_enabled_algorithms_bitset", _UNCOMPRESSED),
        ("grpc.so_reuseport", 0),
    ]
