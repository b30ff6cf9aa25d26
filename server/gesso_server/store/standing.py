"""How the store stands, for metrics: how much its partitions have of what, and how its servers do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionStanding:
    """Numbers of one partition, as `scripts/amounts.lua` counts them, or of all together."""

    due: int
    """Tasks that wait for their time, and attempts and joins with a limit."""
    expiring: int
    """Tasks that expire if they have not begun by then."""
    deadlines: int
    """Canvases with a deadline."""
    dead: int
    """Dead tasks that are listed."""
    dead_trimmed: int
    """Dead tasks that the list had no room for."""
    canvases: int
    """Canvases that are kept, ended ones included."""
    open_nodes: int
    """Nodes that have not ended."""
    work: int
    """Items of the work list."""
    parked: dict[str, int]
    """By queue, of those that were asked for, how many tasks wait for a worker that knows them."""

    @classmethod
    def parse(cls, reply: Sequence[int], queues: Sequence[str]) -> Self:
        """Read what the script returns for some queues."""
        due, expiring, deadlines, dead, trimmed, canvases, open_nodes, work, *parked = reply
        return cls(
            due=due, expiring=expiring, deadlines=deadlines, dead=dead, dead_trimmed=trimmed, canvases=canvases,
            open_nodes=open_nodes, work=work, parked=dict(zip(queues, parked, strict=True)),
        )  # fmt: skip

    @classmethod
    def sum(cls, parts: Sequence[PartitionStanding]) -> Self:
        """Return the numbers of some partitions together, at least one, all asked for the same queues."""
        return cls(
            due=sum(part.due for part in parts),
            expiring=sum(part.expiring for part in parts),
            deadlines=sum(part.deadlines for part in parts),
            dead=sum(part.dead for part in parts),
            dead_trimmed=sum(part.dead_trimmed for part in parts),
            canvases=sum(part.canvases for part in parts),
            open_nodes=sum(part.open_nodes for part in parts),
            work=sum(part.work for part in parts),
            parked={queue: sum(part.parked[queue] for part in parts) for queue in parts[0].parked},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerStanding:
    """How a server of the store does."""

    address: str
    """Without its password; `local` for a Unix socket."""
    used_bytes: int
    limit_bytes: int
    """0 for none."""
    script_calls: int
    """Calls of functions since it started."""
    script_seconds: float
    """Time that they took of its one core."""

    @classmethod
    def parse(cls, address: str, info: Mapping[str, Any]) -> Self:
        """Read what INFO says of memory and commandstats."""
        stats = [info.get(f"cmdstat_{name}", {}) for name in ("fcall", "fcall_ro")]
        return cls(
            address=address,
            used_bytes=int(info["used_memory"]),
            limit_bytes=int(info.get("maxmemory", 0)),
            script_calls=sum(int(each.get("calls", 0)) for each in stats),
            script_seconds=sum(int(each.get("usec", 0)) for each in stats) / 1e6,
        )
