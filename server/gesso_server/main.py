"""One coordinator as a process: its store, its loops, its server; until a signal ends it."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import secrets
import signal
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from wsgiref.types import WSGIApplication

from gesso_server.config import Durability, ServerConfig
from gesso_server.dispatch.coordinator import Coordinator
from gesso_server.dispatch.instruments import Instruments, tally_of
from gesso_server.dispatch.standings import Standings
from gesso_server.pages import Pages
from gesso_server.rpc.listener import ListenRefusedError, check_address, check_page_address
from gesso_server.rpc.server import Server
from gesso_server.store.embedded import AppendFsync, EmbeddedSettings, EmbeddedStore, default_socket_root
from gesso_server.store.library import Bounds
from gesso_server.store.location import Kind
from gesso_server.store.requirements import StoreFacts, check_store
from gesso_server.store.store import Store
from gesso_telemetry.metering import Metering
from gesso_telemetry.stamped import StampedTracer

_log = logging.getLogger(__name__)

_SPANS_S = 2.0
"""How long the last spans may take at a stop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """A coordinator that serves."""

    address: str
    store: str
    """The store's address."""
    facts: StoreFacts
    """Of its first primary."""
    coordinator: Coordinator
    server: Server
    loops: asyncio.Task[None]
    """Ends only by a fault."""
    http: str | None = None
    """Address of the pages, if there are any."""


@asynccontextmanager
async def serving(
    config: ServerConfig, metrics: WSGIApplication | None = None
) -> AsyncGenerator[Started, None]:
    """Serve for as long as the context lasts, and drain at its end.

    Args:
        config: How.
        metrics: Serves the page of the process's metrics; None where there is none.

    Raises:
        ListenRefusedError: If the address may not, or cannot, be listened on.
        StoreRefused: If the store will not do.
        StoreUnavailable: If the store does not answer.
    """
    check_address(config.address, insecure=config.insecure)
    if config.http is not None:
        check_page_address(config.http, insecure=config.insecure)
    metering = Metering.found("gesso.coordinator")
    tally = tally_of(metering) if metering is not None else None
    async with AsyncExitStack() as stack:
        url = config.store
        embedded: EmbeddedStore | None = None
        if url is None:
            fsync = AppendFsync.ALWAYS if config.fsync else AppendFsync.EVERYSEC
            settings = EmbeddedSettings(
                data_directory=config.data, socket_root=default_socket_root(os.environ), appendfsync=fsync
            )
            embedded = await EmbeddedStore.start(settings)
            stack.push_async_callback(embedded.stop)
            url = embedded.url
        took = tally.called if tally is not None else None
        store = Store(url, secrets.token_hex(8), _bounds(config), replicas=config.replicas, took=took)
        stack.push_async_callback(store.close)
        await store.open()
        clustered = store.location.kind is Kind.CLUSTER
        facts = [
            await check_store(primary, fsync_always=config.fsync, clustered=clustered)
            for primary in store.primaries
        ]
        if min(fact.replica_count for fact in facts) < config.replicas:
            _log.warning(
                "durability.short wanted=%d: submissions fail until replicas connect", config.replicas
            )
        await store.connect(config.partitions)
        tracer = StampedTracer.found("gesso.coordinator")
        coordinator = Coordinator(store, config, durability(facts, config.replicas), tracer, tally)
        server = Server(coordinator)
        if metering is not None:
            stack.callback(_metered(metering, coordinator, server).close)
        loops = asyncio.create_task(_loops(coordinator, embedded))
        try:
            address = await server.start()
            http = await _paged(stack, config, coordinator, metrics)
            yield Started(
                address=address, store=url, facts=facts[0], coordinator=coordinator, server=server, loops=loops,
                http=http,
            )  # fmt: skip
        finally:
            await server.stop(config.timing.drain)
            await coordinator.ends.settled(_SPANS_S)
            loops.cancel()
            await asyncio.gather(loops, return_exceptions=True)


def _metered(metering: Metering, coordinator: Coordinator, server: Server) -> Standings:
    """Let what a coordinator with a tally does be collected."""
    standings = Standings(coordinator.store, coordinator.fleet)
    if coordinator.tally is not None:
        instruments = Instruments(coordinator.tally, coordinator.registry, standings)
        instruments.conversations = lambda: server.conversations
        instruments.rollbacks = lambda: coordinator.rollbacks
        instruments.register(metering)
    return standings


async def _paged(
    stack: AsyncExitStack, config: ServerConfig, coordinator: Coordinator, metrics: WSGIApplication | None
) -> str | None:
    """Serve the pages until the stack ends, if they are asked for; return their address."""
    if config.http is None:
        return None
    pages = Pages(lambda: not coordinator.draining, metrics)
    try:
        address = pages.start(*check_page_address(config.http, insecure=config.insecure))
    except OSError as error:
        message = f"{config.http} cannot be listened on: {error.strerror or error}"
        raise ListenRefusedError(message) from error
    stack.push_async_callback(asyncio.to_thread, pages.stop)
    return address


async def _loops(coordinator: Coordinator, embedded: EmbeddedStore | None) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(coordinator.run())
        if embedded is not None:
            group.create_task(embedded.run())


async def run(
    config: ServerConfig, ready: Callable[[Started], None], metrics: WSGIApplication | None = None
) -> None:
    """Serve until SIGTERM or SIGINT; `ready` is told when everything is up. A second signal ends at once."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()

    def stop() -> None:
        if stopping.is_set():
            raise SystemExit(1)
        stopping.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    async with serving(config, metrics) as started:
        # What there is now stays: the collector need not look at it whenever a large canvas has been compiled.
        gc.collect()
        gc.freeze()
        ready(started)
        stop_wait = asyncio.create_task(stopping.wait())
        await asyncio.wait([stop_wait, started.loops], return_when=asyncio.FIRST_COMPLETED)
        if not stop_wait.done():
            stop_wait.cancel()
            await started.loops
        _log.info("coordinator.draining")


def _bounds(config: ServerConfig) -> Bounds:
    limits = config.limits
    return Bounds(crashes=limits.crashes, deliveries=limits.deliveries, dead_letters=limits.dead_letters)


def durability(facts: Sequence[StoreFacts], replicas: int = 0) -> Durability:
    """Return how safe what such primaries have acknowledged is."""
    if replicas:
        return Durability.REPLICAS
    if not all(fact.appendonly for fact in facts):
        return Durability.MEMORY
    return Durability.FSYNC if all(fact.appendfsync == "always" for fact in facts) else Durability.OS
