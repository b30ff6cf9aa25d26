"""How the connection to a coordinator is made: its address and its options."""

from __future__ import annotations

import ipaddress
import json
import os
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import grpc
import grpc.aio
from grpc._cython import cygrpc  # type: ignore[attr-defined]  # an extension without types

__all__ = ["DEFAULT_ADDRESS", "OPTIONS", "address_from", "open_aio_channel", "open_channel", "target"]

DEFAULT_ADDRESS = "localhost:7365"
"""Where a coordinator listens by default."""

KEEPALIVE = timedelta(seconds=10)
"""How long a connection may be silent before it is tested."""

FRAME_LIMIT = 4 << 20
"""The most that one message may have, in bytes, here and at the coordinator."""

# Repeating is the SDK's own: a retry policy here would stop after five attempts, and know nothing of what
# the coordinator asks for. gRPC itself repeats only what never left.
_SERVICE_CONFIG: dict[str, Any] = {"loadBalancingConfig": [{"round_robin": {}}]}

OPTIONS: tuple[tuple[str, Any], ...] = (
    ("grpc.keepalive_time_ms", int(KEEPALIVE.total_seconds() * 1000)),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.http2.ping_timeout_ms", 5_000),  # what grpcio 1.85 obeys instead; by default a minute
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    # A coordinator that restarts is found again in a moment: gRPC's own first pause is a second.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 5_000),
    ("grpc.max_receive_message_length", FRAME_LIMIT),
    ("grpc.enable_retries", 1),
    ("grpc.service_config", json.dumps(_SERVICE_CONFIG)),
    # Two channels of one process, an old and a new one, must not share a connection.
    ("grpc.use_local_subchannel_pool", 1),
)


def address_from(given: str | None, environment: Mapping[str, str] | None = None) -> str:
    """Return the address to use: `given`, else `GESSO_ADDRESS`, else the default."""
    return (
        given or (os.environ if environment is None else environment).get("GESSO_ADDRESS") or DEFAULT_ADDRESS
    )


def target(address: str) -> str:
    """Return gRPC's name for an address.

    Args:
        address: `host:port`, several of them with commas between, which must then be IP addresses, or a
            name that gRPC knows, such as `dns:///gesso:7365` or `unix:///run/gesso.sock`.

    Raises:
        ValueError: If one of several is not an IP address.
    """
    parts = [part.strip() for part in address.split(",") if part.strip()]
    if len(parts) <= 1:
        return address.strip()
    hosts = [part.rpartition(":")[0].strip("[]") for part in parts]
    try:
        versions = {ipaddress.ip_address(host).version for host in hosts}
    except ValueError as error:
        hint = "several addresses must be IP addresses; for a name with several, use dns:///NAME:PORT"
        raise ValueError(f"{address!r} is not an address of coordinators: {hint}.") from error
    if len(versions) != 1:
        raise ValueError(f"{address!r} is not an address of coordinators: IPv4 and IPv6 cannot be mixed.")
    return f"ipv{versions.pop()}:{','.join(parts)}"


def open_channel(address: str) -> grpc.Channel:
    """Return a new channel. It connects when it is first used."""
    channel = grpc.insecure_channel(target(address), OPTIONS)
    # In a forked child gRPC (1.85) cancels what the parent's channels had under way, and hangs if the channel's own
    # thread held its lock at that moment (seen in 2 of 75 runs under load). Nothing of ours is under way then, and the
    # child never uses the channel: gRPC need not know of it.
    _forget_at_fork(channel)
    return channel


def _forget_at_fork(channel: grpc.Channel) -> None:
    unregister = getattr(cygrpc, "fork_unregister_channel", None)
    if unregister is not None:
        unregister(channel)


def open_aio_channel(address: str) -> grpc.aio.Channel:
    """Return a new channel for the running event loop. It connects when it is first used."""
    return grpc.aio.insecure_channel(target(address), OPTIONS)
