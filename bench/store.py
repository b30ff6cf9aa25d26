"""A store for a peer: the program, the options and the socket that Gesso's embedded store has."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from redis import Redis

from bench.processes import Program
from gesso_server.store.embedded import EmbeddedSettings, find_binary
from gesso_server.store.embedded.settings import server_arguments


@dataclass(frozen=True, slots=True)
class StoreFacts:
    """What a store says of itself."""

    version: str
    fsync: str
    used_bytes: int
    """What its data takes, with what it needs around it."""
    resident_bytes: int
    process: int

    @property
    def text(self) -> str:
        """For the conditions."""
        return f"{self.version}, append-only file, appendfsync {self.fsync}"


@contextmanager
def peer_store(folder: Path) -> Generator[Path]:
    """Run a store, and yield its socket."""
    socket, data = folder / "s", folder / "data"
    data.mkdir()
    arguments = server_arguments(
        EmbeddedSettings(data_directory=data), socket=socket, log=Path("/dev/stdout")
    )
    with Program("store", [find_binary().path, *arguments], folder) as program:
        program.line("Ready to accept connections")
        yield socket


def store_facts(url: str) -> StoreFacts:
    """Ask a store."""
    with Redis.from_url(url) as redis:
        info = redis.info("everything")
        asked = redis.config_get("appendfsync")
    name = info.get("server_name", "redis")
    version = info["valkey_version"] if name == "valkey" else info["redis_version"]
    return StoreFacts(
        version=f"{name} {version}",
        fsync=str(asked["appendfsync"]),
        used_bytes=int(info["used_memory"]),
        resident_bytes=int(info["used_memory_rss"]),
        process=int(info["process_id"]),
    )
