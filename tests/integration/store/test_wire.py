"""The connection that every call to a server of the store goes over."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress

import pytest
from redis.asyncio import Redis
from redis.asyncio.connection import AbstractConnection, ConnectionPool
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from gesso_server.store.embedded import EmbeddedStore
from gesso_server.store.wire import Wire

LIMIT_S = 10.0
SHORT_S = 0.2
MIB = 1 << 20


def connector(url: str) -> Callable[[], Awaitable[AbstractConnection]]:
    """Return what opens connections to `url`."""

    async def connected() -> AbstractConnection:
        pool = ConnectionPool.from_url(url, protocol=2)
        connection: AbstractConnection = pool.make_connection()  # type: ignore[no-untyped-call]
        await connection.connect()  # type: ignore[no-untyped-call]
        return connection

    return connected


@pytest.fixture
async def wire(store: EmbeddedStore) -> AsyncIterator[Wire]:
    """A wire to a store."""
    wire = Wire(connector(store.url), LIMIT_S)
    yield wire
    wire.close()


async def test_calls_at_once_are_answered_each_with_its_own_reply(wire: Wire) -> None:
    """However many callers share the connection, none gets what another asked for."""
    replies = await asyncio.gather(*(wire.call("ECHO", number) for number in range(1000)))

    assert replies == [b"%d" % number for number in range(1000)]


async def test_what_is_larger_than_a_socket_takes_arrives_whole(wire: Wire) -> None:
    """Calls that must wait for room are written in the end, and read back in many pieces."""
    texts = [bytes([65 + number]) * 2 * MIB for number in range(8)]

    assert await asyncio.gather(*(wire.call("ECHO", text) for text in texts)) == texts


async def test_an_error_is_raised_for_its_caller_alone(wire: Wire) -> None:
    """A refused command fails; those before and after it do not."""
    calls = [wire.call("ECHO", 1), wire.call("FCALL", "nobody", 0), wire.call("ECHO", 2)]

    answers = await asyncio.gather(*calls, return_exceptions=True)

    assert answers[::2] == [b"1", b"2"]
    assert isinstance(answers[1], ResponseError)


async def test_a_caller_who_gives_up_costs_the_others_nothing(wire: Wire, client: Redis) -> None:
    """A cancelled call's reply is passed over, and the connection stays."""
    first = await wire.call("CLIENT", "ID")
    await client.execute_command("CLIENT", "PAUSE", 100, "ALL")  # type: ignore[no-untyped-call]
    given_up = asyncio.create_task(wire.call("ECHO", "given up"))
    kept = asyncio.create_task(wire.call("ECHO", "kept"))
    await asyncio.sleep(0)  # both are written
    given_up.cancel()

    assert await kept == b"kept"
    assert await wire.call("CLIENT", "ID") == first


async def test_a_connection_that_breaks_fails_its_calls_and_is_opened_again(
    wire: Wire, client: Redis
) -> None:
    """Whoever waited learns that the store did not answer; the next call is answered."""
    number = await wire.call("CLIENT", "ID")
    waiting = asyncio.create_task(wire.call("BLPOP", "nothing", 0))
    await asyncio.sleep(0)  # it is written
    await client.execute_command("CLIENT", "KILL", "ID", number)  # type: ignore[no-untyped-call]

    with pytest.raises(RedisConnectionError):
        await waiting
    assert await wire.call("CLIENT", "ID") != number


async def test_a_server_that_does_not_answer_in_time_is_asked_anew(store: EmbeddedStore) -> None:
    """All that wait behind a late reply fail together, and a later call gets its own reply, not an old one."""
    wire = Wire(connector(store.url), SHORT_S)
    number = await wire.call("CLIENT", "ID")

    late = await asyncio.gather(
        wire.call("BLPOP", "nothing", 0), wire.call("ECHO", "behind"), return_exceptions=True
    )

    assert [type(each) for each in late] == [RedisTimeoutError, RedisTimeoutError]
    assert await wire.call("CLIENT", "ID") != number
    wire.close()


async def test_a_server_that_wants_a_login_is_connected_to_anew(wire: Wire, client: Redis) -> None:
    """A connection that is told that it must log in is not used again."""
    number = await wire.call("CLIENT", "ID")
    await wire.call("ACL", "SETUSER", "other", "on", "nopass", "+@all")
    await wire.call("AUTH", "other", "any")
    await client.execute_command("ACL", "DELUSER", "other")  # type: ignore[no-untyped-call]

    with pytest.raises(RedisConnectionError):
        await wire.call("ECHO", "nobody")
    assert await wire.call("CLIENT", "ID") != number


async def test_who_speaks_another_protocol_is_given_up() -> None:
    """What is no reply, or answers nobody, breaks the connection instead of the coordinator."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(MIB)
        writer.write(b"+OK\r\n+twice\r\n")
        with suppress(ConnectionError):
            await reader.read()
        writer.close()
        await ended.put(None)

    async def connected() -> AbstractConnection:
        pool = ConnectionPool(host="127.0.0.1", port=port, protocol=2, driver_info=None)
        connection: AbstractConnection = pool.make_connection()  # type: ignore[no-untyped-call]
        await connection.connect()  # type: ignore[no-untyped-call]
        return connection

    ended: asyncio.Queue[None] = asyncio.Queue()
    async with await asyncio.start_server(talk, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        wire = Wire(connected, LIMIT_S)

        assert await wire.call("PING") == b"OK"
        assert await wire.call("PING") == b"OK"  # over another connection
        for _ in range(2):
            await asyncio.wait_for(ended.get(), LIMIT_S)


async def test_a_closed_one_takes_no_calls(wire: Wire) -> None:
    """A server that is no primary any more is not asked, and those who wait for it are told."""
    await wire.call("PING")
    waiting = asyncio.create_task(wire.call("BLPOP", "nothing", 0))
    await asyncio.sleep(0)
    wire.close()

    with pytest.raises(RedisConnectionError):
        await waiting
    with pytest.raises(RedisConnectionError):
        await wire.call("PING")
