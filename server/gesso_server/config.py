"""What a coordinator is told when it starts."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum
from pathlib import Path

from gesso_server.routes import Routes

DEFAULT_PORT = 7365
DEFAULT_NAMESPACE = "default"
"""The namespace of callers without credentials."""


class Durability(Enum):
    """How safe an accepted canvas is. The names are those of the contract's enum, without prefix."""

    MEMORY = "in the store's memory"
    OS = "handed to the store's operating system, which writes it out each second"
    FSYNC = "on the store's disk"
    REPLICAS = "in the memory of the store's replicas"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How large, and how many, things may be. What is over a limit is refused before anything is kept."""

    payload_bytes: int = 1 << 20
    """One payload. Default 1 MiB."""
    depth: int = 64
    """Nesting of a canvas. Default 64."""
    nodes: int = 1_000_000
    """Nodes of a compiled canvas. Default 1,000,000."""
    calls_per_conversation: int = 1000
    """Calls under way in one client's conversation. Default 1,000."""
    watches: int = 1000
    """Watches of canvases under way on one coordinator. Default 1,000."""
    watches_per_connection: int = 50
    """Those of them that one connection may have. Default 50."""
    message_bytes: int = 4 << 20
    """One gRPC message, either way. Default 4 MiB."""
    metadata_bytes: int = 16 << 10
    """Metadata of one call. Default 16 KiB."""
    streams_per_connection: int = 100
    """Calls and streams under way on one connection. Default 100: more made rapid resets an effective attack."""
    connections: int = 10_000
    """Connections open at one time; more are closed at once. Default 10,000."""
    open_nodes: int = 20_000_000
    """Nodes of one namespace that have not ended, all canvases together: the quota. Default 20,000,000."""
    store_watermark: float = 0.8
    """The part of the store's `maxmemory` above which nothing new is accepted. Default 0.8."""
    crashes: int = 3
    """Processes that may die under a task before it is dead. Default 3."""
    deliveries: int = 20
    """How often a task is handed out before it is dead. Default 20."""
    dead_letters: int = 10_000
    """Dead tasks listed of one namespace, in each partition; of more the oldest are let go. Default 10,000."""
    strict_tasks: bool = False
    """Whether a canvas is refused that names a task which no connected worker knows. Default false: it waits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How long things may take."""

    lease: timedelta = timedelta(seconds=30)
    """After so much silence a session loses its tasks. Default 30 s."""
    grace: timedelta = timedelta(seconds=10)
    """So long after its connection broke a session loses its tasks. Default 10 s."""
    renewal: timedelta = timedelta(seconds=5)
    """How often leases are renewed. Default 5 s."""
    sweep: timedelta = timedelta(seconds=1)
    """How often each partition is swept. Default 1 s."""
    hello: timedelta = timedelta(seconds=10)
    """A worker's stream must begin with a hello in this time. Default 10 s."""
    heartbeat: timedelta = timedelta(seconds=5)
    """A worker must send something so often. Default 5 s."""
    silence: timedelta = timedelta(seconds=15)
    """A worker's stream that was silent for so long is closed. Default 15 s."""
    standstill: timedelta = timedelta(seconds=15)
    """So long a worker with free slots may begin nothing of what it was given. Default 15 s."""
    staging: timedelta = timedelta(minutes=10)
    """How long a large canvas may take to be sent to the store. Default 10 min."""
    result_ttl: timedelta = timedelta(hours=24)
    """How long results are kept after a canvas has ended. Default 24 h."""
    request_ttl: timedelta = timedelta(hours=24)
    """How long a request id is remembered. Default 24 h."""
    ping: timedelta = timedelta(seconds=5)
    """A client that pings more often than this is disconnected. Default 5 s."""
    handshake: timedelta = timedelta(seconds=10)
    """A connection that has not begun to speak HTTP/2 by then is closed. Default 10 s."""
    connection_age: timedelta = timedelta(minutes=30)
    """A connection that is so old is asked to go, so that load moves to new coordinators. Default 30 min."""
    connection_grace: timedelta = timedelta(minutes=1)
    """How long calls on such a connection may still take; streams are opened anew. Default 1 min."""
    drain: timedelta = timedelta(seconds=10)
    """How long open streams may take to move to another coordinator at a stop. Default 10 s."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tracing:
    """What spans tell. Whether there are any, and where they go, OpenTelemetry's own variables say."""

    group_threshold: int = 100
    """A group of more members is one span, instead of one for each member. Default 100."""
    stamps: tuple[str, ...] = ()
    """Keys of the stamps that tasks' spans tell. Default none."""
    baggage: tuple[str, ...] = ()
    """Keys of the submitter's baggage that tasks are given. Default none."""
    baggage_attributes: tuple[str, ...] = ()
    """Those of them that tasks' spans tell. Default none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerConfig:
    """One coordinator."""

    address: str = f"localhost:{DEFAULT_PORT}"
    """Host and port to listen on, port 0 for any that is free; or `unix:` and the path of a socket."""
    http: str | None = None
    """Host and port of the pages for machines: metrics and health; None for none."""
    store: str | None = None
    """Address of the store, as `store/location.py` says. None for an embedded one."""
    data: Path = Path("gesso-data")
    """Where the embedded store keeps its data."""
    partitions: int | None = None
    """How many partitions the store has; None for what it was set up with, or 1, or 64 on a cluster."""
    insecure: bool = False
    """Whether to listen off loopback without TLS and credentials."""
    reflection: bool | None = None
    """Whether the service tells anyone its contract (gRPC server reflection). None for on loopback only."""
    fsync: bool = False
    """Whether every acknowledged change must be on the store's disk."""
    replicas: int = 0
    """How many replicas must have a canvas before it is accepted."""
    routes: Routes = field(default_factory=Routes)
    """Which queue tasks go to whose signature names none. By default all go to `default`."""
    limits: Limits = field(default_factory=Limits)
    timing: Timing = field(default_factory=Timing)
    tracing: Tracing = field(default_factory=Tracing)
