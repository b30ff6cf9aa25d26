"""Stores of several servers for a test: a cluster of three primaries with a replica each, and one behind Sentinels."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from redis import Redis
from redis.exceptions import RedisError

from gesso_server.store.embedded.binary import find_binary
from support.system import Program, System, free_port, until

NODE_TIMEOUT_MS = 1000
"""After so much silence others take a server for dead. By default a cluster waits for 15 s, Sentinels for 30 s."""
_SLOTS = 16_384
_SERVICE = "main"


@dataclass(slots=True)
class Servers:
    """The servers of one store, by port."""

    store: str
    """Its address."""
    programs: dict[int, Program] = field(default_factory=dict)

    def kill(self, port: int) -> None:
        """Kill a server, as `kill -9` does."""
        self.programs[port].kill()

    def ask(self, port: int, *words: str | int) -> Any:
        """Ask a server."""
        with Redis(port=port, decode_responses=True, socket_timeout=5) as client:
            return client.execute_command(*words)

    def asks(self, port: int, *words: str | int) -> Any:
        """Ask a server that may be dead; None if it does not answer."""
        try:
            return self.ask(port, *words)
        except (RedisError, OSError):
            return None

    def is_primary(self, port: int) -> bool:
        """Whether a server is, in its own eyes, a primary."""
        role = self.asks(port, "ROLE")
        return bool(role) and role[0] == "master"

    def primary(self) -> int:
        """Return the port of the primary. Not for clusters, which have more."""
        return next(port for port in self.programs if self.is_primary(port))


@dataclass(slots=True)
class Cluster(Servers):
    """Servers that share slots."""

    def slots(self) -> list[tuple[int, int, int]]:
        """Return first slot, last slot and port of the primary of each range, as somebody who lives says."""
        found = next(reply for port in self.programs if (reply := self.asks(port, "CLUSTER", "SHARDS")))
        ranges = []
        for shard in map(_pairs, found):
            primaries = [node for node in map(_pairs, shard["nodes"]) if node["role"] == "master"]
            online = [node for node in primaries if node["health"] == "online"] or primaries
            bounds = shard["slots"]
            port = int(online[0]["port"])
            ranges += [(int(bounds[at]), int(bounds[at + 1]), port) for at in range(0, len(bounds), 2)]
        return ranges

    def primary_of(self, slot: int) -> int:
        """Return the port of the primary that has a slot."""
        return next(port for first, last, port in self.slots() if first <= slot <= last)

    def serves(self) -> bool:
        """Whether every slot has a primary that lives, in the eyes of every server that does."""
        living = [port for port, program in self.programs.items() if program.process.poll() is None]
        return all("cluster_state:ok" in str(self.asks(port, "CLUSTER", "INFO")) for port in living)


def server(system: System, name: str, **options: str) -> tuple[int, Program]:
    """Start a server at a port of its own, which is an option's default."""
    port = free_port()
    data = system.folder / f"{name}-{port}"
    data.mkdir()
    known = {
        "port": str(port), "bind": "127.0.0.1", "dir": str(data), "save": "", "appendonly": "yes",
        "maxmemory-policy": "noeviction", "repl-diskless-sync-delay": "0", **options,
    }  # fmt: skip
    words = [word for option, value in known.items() for word in (f"--{option.replace('_', '-')}", value)]
    program = system.run(f"{name} {port}", [str(find_binary().path), *words])
    program.line("Ready to accept connections")
    return port, program


def cluster(system: System, **options: str) -> Cluster:
    """Start a cluster of three primaries, each with a replica, and wait until it serves."""
    made = Cluster("")
    for _ in range(6):
        port, program = server(
            system, "node", cluster_enabled="yes", cluster_port=str(free_port()),
            cluster_node_timeout=str(NODE_TIMEOUT_MS), cluster_allow_replica_migration="no", **options,
        )  # fmt: skip
        made.programs[port] = program
    ports = list(made.programs)
    primaries, replicas = ports[:3], ports[3:]
    for number, port in enumerate(primaries):
        made.ask(port, "CLUSTER", "ADDSLOTSRANGE", _SLOTS * number // 3, _SLOTS * (number + 1) // 3 - 1)
    for number, port in enumerate(ports):
        made.ask(port, "CLUSTER", "SET-CONFIG-EPOCH", number + 1)
    for port in ports[1:]:
        bus = made.ask(port, "CONFIG", "GET", "cluster-port")
        made.ask(ports[0], "CLUSTER", "MEET", "127.0.0.1", port, _pairs(bus)["cluster-port"])
    until(
        lambda: all("cluster_known_nodes:6" in made.ask(port, "CLUSTER", "INFO") for port in ports), "meeting"
    )
    until(made.serves, "the cluster's service")
    for primary, replica in zip(primaries, replicas, strict=True):
        made.ask(replica, "CLUSTER", "REPLICATE", made.ask(primary, "CLUSTER", "MYID"))
    until(lambda: all(_replicated(made, port) for port in primaries), "the replicas")
    until(made.serves, "the cluster's service")
    made.store = "redis+cluster://" + ",".join(f"127.0.0.1:{port}" for port in primaries[:2])
    return made


def sentinel_store(system: System, **options: str) -> Servers:
    """Start a primary, a replica and three Sentinels, and wait until they know each other."""
    made = Servers("")
    primary, program = server(system, "primary", **options)
    made.programs[primary] = program
    replica, program = server(system, "replica", replicaof=f"127.0.0.1 {primary}", **options)
    made.programs[replica] = program
    until(lambda: _replicated(made, primary), "the replica")
    sentinels = [_sentinel(system, primary) for _ in range(3)]

    def known(port: int) -> bool:
        facts = _pairs(made.ask(port, "SENTINEL", "MASTER", _SERVICE))
        return (facts["num-slaves"], facts["num-other-sentinels"]) == ("1", "2")

    until(lambda: all(map(known, sentinels)), "the Sentinels' meeting")
    made.store = "redis+sentinel://" + ",".join(f"127.0.0.1:{port}" for port in sentinels) + f"/{_SERVICE}"
    return made


def _sentinel(system: System, primary: int) -> int:
    port = free_port()
    folder = system.folder / f"sentinel-{port}"
    folder.mkdir()
    settings = folder / "sentinel.conf"
    settings.write_text(
        f"port {port}\nbind 127.0.0.1\ndir {folder}\n"
        f"sentinel monitor {_SERVICE} 127.0.0.1 {primary} 2\n"
        f"sentinel down-after-milliseconds {_SERVICE} {NODE_TIMEOUT_MS}\n"
        f"sentinel failover-timeout {_SERVICE} 5000\n"
    )
    system.run(f"sentinel {port}", [str(find_binary().path), str(settings), "--sentinel"]).line("+monitor")
    return port


@dataclass(slots=True)
class Watch:
    """Tells how long something took."""

    begin: float = field(default_factory=time.monotonic)

    def seconds(self) -> float:
        """Return the time since it began."""
        return time.monotonic() - self.begin


def _replicated(servers: Servers, port: int) -> bool:
    """Whether a primary has a replica that follows it."""
    return bool(servers.ask(port, "ROLE")[2])


def _pairs(reply: Any) -> dict[str, Any]:
    """Return a flat list of names and values as one, unless the client has."""
    return reply if isinstance(reply, dict) else dict(zip(reply[::2], reply[1::2], strict=True))
