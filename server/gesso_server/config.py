"""What a coordinator is told when it starts."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum
from pathlib import Path

DEFAULT_PORT = 7365
DEFAULT_NAMESPACE = "default"
"""The namespace of callers without credentials."""


class Durability(Enum):
    """How safe an accepted canvas is. The names are those of the contract's enum, without prefix."""

    MEMORY = "in the store's memory"
    OS = "handed to the store's operating system, which writes it out each second"
    FSYNC = "on the store's disk"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How large things may be. What is larger is refused before anything is kept."""

    payload_bytes: int = 1 << 20
    """One payload. Default 1 MiB."""
    depth: int = 64
    """Nesting of a canvas. Default 64."""
    nodes: int = 1_000_000
    """Nodes of a compiled canvas. Default 1,000,000."""
    calls_per_conversation: int = 1000
    """Calls under way in one client's conversation. Default 1,000."""


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
    staging: timedelta = timedelta(minutes=10)
    """How long a large canvas may take to be sent to the store. Default 10 min."""
    result_ttl: timedelta = timedelta(hours=24)
    """How long results are kept after a canvas has ended. Default 24 h."""
    request_ttl: timedelta = timedelta(hours=24)
    """How long a request id is remembered. Default 24 h."""
    drain: timedelta = timedelta(seconds=10)
    """How long open streams may take to move to another coordinator at a stop. Default 10 s."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerConfig:
    """One coordinator."""

    address: str = f"localhost:{DEFAULT_PORT}"
    """Host and port to listen on; port 0 for any that is free."""
    store: str | None = None
    """Address of the store, `redis://`, `rediss://` or `unix://`. None for an embedded one."""
    data: Path = Path("gesso-data")
    """Where the embedded store keeps its data."""
    partitions: int | None = None
    """How many partitions the store has; None for what it was set up with, or 1."""
    insecure: bool = False
    """Whether to listen off loopback without TLS and credentials."""
    fsync: bool = False
    """Whether every acknowledged change must be on the store's disk."""
    limits: Limits = field(default_factory=Limits)
    timing: Timing = field(default_factory=Timing)
