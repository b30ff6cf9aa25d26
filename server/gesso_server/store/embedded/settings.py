"""How an embedded store is to run: what its owner chooses, and what nobody may change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType

from gesso_server.store.embedded.guard import Guard

# Needed for the promises: no port to attack, everything in the append-only file, nothing thrown away.
_FIXED: Mapping[str, str] = MappingProxyType(
    {
        "port": "0",
        "daemonize": "no",
        "unixsocketperm": "700",
        "save": "",
        "appendonly": "yes",
        "maxmemory-policy": "noeviction",
    }
)
_SET_HERE = frozenset(_FIXED) | {"appendfsync", "dir", "logfile", "unixsocket"}


class AppendFsync(StrEnum):
    """When the append-only file is forced to the disk."""

    EVERYSEC = "everysec"
    """Once a second, so a power cut loses about two seconds of writes at worst."""
    ALWAYS = "always"
    """Before every answer, for durability `fsync`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddedSettings:
    """How an embedded store is to run."""

    data_directory: Path
    """Where everything lies; made when missing. Of one owner at a time."""
    socket_root: Path = Path("/tmp")  # noqa: S108 - a private directory is made in it
    """Where the socket's private directory is made. Short: the socket's path has 107 bytes at most."""
    appendfsync: AppendFsync = AppendFsync.EVERYSEC
    options: Mapping[str, str] = field(default_factory=dict)
    """Further options of the server, such as `hash-max-listpack-value`. Those set here are refused."""
    guard: Guard | None = None
    """How the store is made to die with its owner. Unset means the best this machine has."""
    lock_limit: timedelta = timedelta(seconds=5)
    """Longest wait for a previous owner's store to end."""
    start_limit: timedelta = timedelta(minutes=10)
    """Longest wait until the store answers, its data loaded (100 MB or more of it a second)."""
    stop_limit: timedelta = timedelta(seconds=10)
    """Longest wait for an orderly end, before the store is killed."""

    def __post_init__(self) -> None:
        taken = sorted(_SET_HERE & self.options.keys())
        if taken:
            raise ValueError(f"Options that the embedded store sets itself: {', '.join(taken)}.")


def server_arguments(settings: EmbeddedSettings, *, socket: Path, log: Path) -> list[str]:
    """Return the server's command line, without the program."""
    options = {
        **settings.options,
        **_FIXED,
        "appendfsync": settings.appendfsync,
        "dir": str(settings.data_directory.resolve()),
        "logfile": str(log),
        "unixsocket": str(socket),
    }
    return [word for name, value in options.items() for word in (f"--{name}", str(value))]
