"""One server of the store, examined for `gesso doctor`: what it is, how it is doing, what it lets its user do."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

from gesso_server.store.errors import StoreUnavailable
from gesso_server.store.library import library
from gesso_server.store.link import execute
from gesso_server.store.location import Kind
from gesso_server.store.measurement import Health, Latency, measure_round_trip, measure_write, read_health
from gesso_server.store.requirements import StoreFacts, read_facts

_CALLED = re.compile(r"redis\.call\('([A-Z]+)'|'([LR]PUSH)'")
_KEY = "gesso:{0}:doctor"
_CHANNEL = "gesso:{0}:ch:doctor"
# Enough arguments to be checked, never run.
_DRY_ARGUMENTS = {
    "EXISTS": (_KEY,), "DEL": (_KEY,), "UNLINK": (_KEY,), "TIME": (), "FCALL": ("doctor", "1", _KEY),
    "FUNCTION|LOAD": ("#!lua name=doctor\n",), "SPUBLISH": (_CHANNEL, "text"), "SSUBSCRIBE": (_CHANNEL,), "PING": (),
    "INFO": (), "ROLE": (), "CLUSTER|SLOTS": (), "OBJECT": ("ENCODING", _KEY),
}  # fmt: skip
_OUTSIDE = ("FCALL", "FUNCTION|LOAD", "SSUBSCRIBE", "PING", "INFO", "GET", "SET")
"""What a coordinator calls itself; the rest is called by the functions, with the same user's rights."""
_FOLLOWING = {Kind.STANDALONE: (), Kind.SENTINEL: ("ROLE",), Kind.CLUSTER: ("CLUSTER|SLOTS",)}
"""What it needs to learn where the primaries are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A primary."""

    address: str
    facts: StoreFacts
    health: Health
    missing: tuple[str, ...] | None
    """Commands that its user may not run and a coordinator needs. None where it does not tell."""
    round_trip: Latency
    write: Latency | None
    """Which includes the disk's fsync where `appendfsync` is `always`. None for a replica, which takes none."""


async def examine(address: str, client: Redis, kind: Kind, tag: str = "0") -> Server:
    """Examine a primary.

    Args:
        address: Where it is.
        client: A connection to it.
        kind: What it is part of.
        tag: A hash tag whose slot it has.

    Raises:
        StoreUnavailable: If it does not answer.
    """
    facts = await read_facts(client)
    health = await read_health(client)
    missing = await missing_commands(client, kind)
    return Server(
        address=address, facts=facts, health=health, missing=missing, round_trip=await measure_round_trip(client),
        write=None if health.replica else await measure_write(client, tag),
    )  # fmt: skip


def needed_commands(kind: Kind) -> tuple[str, ...]:
    """Return the commands that a coordinator's user needs, sorted."""
    called = {first or second for first, second in _CALLED.findall(library().source)}
    return tuple(sorted(called.union(_OUTSIDE, _FOLLOWING[kind])))


async def missing_commands(client: Redis, kind: Kind) -> tuple[str, ...] | None:
    """Return the commands that the connection's user lacks; None if that cannot be asked.

    Raises:
        StoreUnavailable: If the store does not answer.
    """
    try:
        user = await execute(client, "ACL", "WHOAMI")
        name = user.decode() if isinstance(user, bytes) else str(user)
        return tuple([command for command in needed_commands(kind) if not await _may(client, name, command)])
    except ResponseError:  # its owner has taken ACL away
        return None
    except (RedisError, OSError) as error:
        raise StoreUnavailable(f"The store does not answer: {error}") from error


async def _may(client: Redis, user: str, command: str) -> bool:
    words: Sequence[str] = command.split("|")
    arguments = _DRY_ARGUMENTS.get(command)
    if arguments is None:
        arguments = (_KEY, *["1"] * await _more_arguments(client, command))
    answer = await execute(client, "ACL", "DRYRUN", user, *words, *arguments)
    return answer in (b"OK", "OK")


async def _more_arguments(client: Redis, command: str) -> int:
    """Return how many arguments a command takes at the least, beside its key."""
    info = await execute(client, "COMMAND", "INFO", command)
    described = info[0] if isinstance(info, list) else info[command.lower()]
    arity = described["arity"] if isinstance(described, dict) else described[1]
    return max(abs(int(arity)) - 2, 0)
