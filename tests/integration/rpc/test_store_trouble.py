"""A store in trouble, of every kind that it can answer: what clients hear, what workers keep, and what the log says."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path

import grpc
import pytest
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from gesso.v1 import coordinator_service_pb2 as cs
from gesso_server.config import ServerConfig, Timing
from gesso_server.main import Started, serving
from gesso_server.store.link import execute
from support.client import Client
from support.grpc_worker import Stream, hello
from support.messages import read, refusal, sig
from support.stores import server
from support.system import System

LIMIT_SECONDS = 20
LIMIT = {"seconds": LIMIT_SECONDS}
SOON = Timing(sweep=timedelta(milliseconds=50))


@pytest.fixture(scope="module")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[System, int]]:
    """A store that may be made to do anything, and its port."""
    with System(tmp_path_factory.mktemp("trouble")) as system:
        port, _ = server(
            system, "store", enable_debug_command="yes", loading_process_events_interval_bytes="1024"
        )
        yield system, port


@pytest.fixture
def config(valkey: tuple[System, int]) -> ServerConfig:
    """A coordinator on it."""
    return ServerConfig(store=f"redis://127.0.0.1:{valkey[1]}", timing=SOON)


@pytest.fixture
async def redis(valkey: tuple[System, int]) -> AsyncIterator[Redis]:
    """A connection that brings trouble."""
    async with Redis(port=valkey[1], retry=Retry(NoBackoff(), 0)) as redis:
        await redis.flushall()
        yield redis


@pytest.fixture
async def started(config: ServerConfig, redis: Redis) -> AsyncIterator[Started]:
    """A coordinator that serves."""
    assert await redis.ping()
    async with serving(config) as started:
        yield started


# --- kinds of trouble ------------------------------------------------------------------------------------


@asynccontextmanager
async def readonly(redis: Redis, _: Path) -> AsyncGenerator[None]:
    """Let the store be a replica of nothing."""
    await execute(redis, "REPLICAOF", "127.0.0.1", "1")
    yield
    await execute(redis, "REPLICAOF", "NO", "ONE")


@asynccontextmanager
async def noreplicas(redis: Redis, _: Path) -> AsyncGenerator[None]:
    """Let the store refuse writes because it has too few replicas."""
    await redis.config_set("min-replicas-to-write", 1)
    yield
    await redis.config_set("min-replicas-to-write", 0)


@asynccontextmanager
async def busy(redis: Redis, _: Path) -> AsyncGenerator[None]:
    """Let a script of somebody else keep the store busy."""
    await redis.config_set("busy-reply-threshold", 1)
    endless = asyncio.create_task(execute(redis, "EVAL", "while true do end", 0))
    await until_answered(redis, "BUSY")
    yield
    await execute(redis, "SCRIPT", "KILL")
    await asyncio.gather(endless, return_exceptions=True)
    await redis.config_set("busy-reply-threshold", 5000)


@asynccontextmanager
async def misconf(redis: Redis, data: Path) -> AsyncGenerator[None]:
    """Let the store's disk take no snapshot."""
    await redis.config_set("save", "3600 1")
    in_the_way = data / "dump.rdb"
    in_the_way.unlink(missing_ok=True)
    in_the_way.mkdir()
    await snapshot(redis, "err")
    yield
    in_the_way.rmdir()
    await snapshot(redis, "ok")
    await redis.config_set("save", "")


@asynccontextmanager
async def loading(redis: Redis, _: Path) -> AsyncGenerator[None]:
    """Let the store read everything that it has, as at a start, slowly."""
    await redis.mset({f"ballast{number}": "x" * 4096 for number in range(1000)})
    await execute(redis, "CONFIG", "SET", "rdbcompression", "no")
    await execute(redis, "CONFIG", "SET", "key-load-delay", 10_000)
    reloading = asyncio.create_task(execute(redis, "DEBUG", "RELOAD"))
    await until_answered(redis, "LOADING")
    yield
    await execute(redis, "CONFIG", "SET", "key-load-delay", 0)
    await asyncio.gather(reloading, return_exceptions=True)


async def until_answered(redis: Redis, word: str) -> None:
    """Wait until the store answers a read with an error of this kind."""
    async with asyncio.timeout(LIMIT_SECONDS):
        while True:
            try:
                await redis.get("nothing")
            except Exception as error:  # noqa: BLE001  whatever its class
                if word in f"{type(error).__name__} {error}".upper():
                    return


async def snapshot(redis: Redis, status: str) -> None:
    """Let the store write a snapshot, and wait until it went like this."""
    async with asyncio.timeout(LIMIT_SECONDS):
        while (await redis.info("persistence"))["rdb_last_bgsave_status"] != status:
            if not (await redis.info("persistence"))["rdb_bgsave_in_progress"]:
                await redis.bgsave()


TROUBLES: list[Callable[[Redis, Path], AbstractAsyncContextManager[None]]] = [
    readonly, noreplicas, busy, misconf, loading,
]  # fmt: skip


# --- what comes of it ------------------------------------------------------------------------------------


async def holding(channel: grpc.aio.Channel, client: Client) -> tuple[Stream, cs.SubmitCanvasResponse]:
    """Return a worker that holds the task of a canvas."""
    canvas = await client.SubmitCanvas(cs.SubmitCanvasRequest(canvas=sig()))
    stream = Stream(channel)
    await stream.send(hello())
    await stream.until(lambda: stream.frames)
    await stream.frame(credit_count=1)
    await stream.take(1)
    return stream, canvas


async def until_said(caplog: pytest.LogCaptureFixture, text: str) -> None:
    """Wait until the log says something."""
    said = asyncio.Event()

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:  # noqa: ARG002
            said.set()

    listener = Listener()
    logging.getLogger("gesso_server").addHandler(listener)
    async with asyncio.timeout(LIMIT_SECONDS):
        while text not in caplog.text:
            said.clear()
            await said.wait()
    logging.getLogger("gesso_server").removeHandler(listener)


@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda each: each.__name__)
async def test_store_in_trouble_is_unavailable_and_nothing_is_lost(
    started: Started, client: Client, channel: grpc.aio.Channel, redis: Redis,
    trouble: Callable[[Redis, Path], AbstractAsyncContextManager[None]], caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    """Clients hear when to call again, results that come meanwhile are kept, the log has a line for each change."""
    assert started.address
    stream, canvas = await holding(channel, client)
    data = Path(str((await redis.config_get("dir"))["dir"]))
    caplog.set_level(logging.INFO)
    caplog.clear()

    async with trouble(redis, data):
        await stream.report(stream.assignments)
        found = [await refusal(client.SubmitCanvas(cs.SubmitCanvasRequest(canvas=sig()))) for _ in range(20)]
    ended = await client.WaitNode(cs.WaitNodeRequest(node_id=canvas.last.node_id, timeout=LIMIT))
    await stream.acknowledged()

    assert ended.HasField("value")
    assert {each[:2] for each in found} == {(grpc.StatusCode.UNAVAILABLE, "STORE_UNAVAILABLE")}
    assert all(each.retries for each in found)
    await until_said(caplog, "store.available")
    said = [record.getMessage() for record in caplog.records if record.name.startswith("gesso_server")]
    assert sum("store.unavailable" in line for line in said) == 1, said
    assert f"reason={trouble.__name__.upper()}" in caplog.text
    assert len(said) <= 4, said
    await stream.close()


async def test_store_that_is_gone_makes_no_noise(
    started: Started, client: Client, redis: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    """However often it is called in vain: a line that it is away, one that signals are, one that all is well."""
    assert started.address
    caplog.set_level(logging.INFO)
    caplog.clear()

    with suppress(RedisError):
        await execute(redis, "DEBUG", "RESTART", 1500)
    reasons = []
    async with asyncio.timeout(LIMIT_SECONDS):
        while True:
            try:
                await client.SubmitCanvas(cs.SubmitCanvasRequest(canvas=sig()))
            except grpc.aio.AioRpcError as error:
                reasons.append(read(error).reason)
            else:
                break
    await until_said(caplog, "store.available")

    assert set(reasons) == {"STORE_UNAVAILABLE"}
    assert len(reasons) > 10
    said = [record.getMessage() for record in caplog.records if record.name.startswith("gesso_server")]
    assert "reason=no answer" in caplog.text
    assert len(said) <= 5, said
