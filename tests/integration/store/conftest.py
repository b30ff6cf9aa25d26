"""An embedded store for each test, and processes that own one."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from redis.asyncio import Redis

from gesso_server.store.embedded import EmbeddedSettings, EmbeddedStore, Guard
from gesso_server.store.embedded.address import close_address, read_address
from integration.store.connections import connect
from integration.store.owners import Owner, StartOwner


@pytest.fixture(params=list(Guard))
def guard(request: pytest.FixtureRequest) -> Guard:
    """Each way in which a store follows its owner that this system has."""
    guard = Guard(request.param)
    if guard is Guard.PARENT_DEATH_SIGNAL and sys.platform != "linux":
        pytest.skip("the kernel has no parent-death signal")
    return guard


@pytest.fixture
def settings(tmp_path: Path) -> EmbeddedSettings:
    """Settings for a store in a directory of the test's own."""
    return EmbeddedSettings(data_directory=tmp_path / "data")


@pytest.fixture
async def store(settings: EmbeddedSettings) -> AsyncIterator[EmbeddedStore]:
    """A store that runs and is supervised."""
    async with _running(settings) as store:
        yield store


@pytest.fixture
async def client(store: EmbeddedStore) -> AsyncIterator[Redis]:
    """A connection to `store`."""
    async with connect(store.url) as client:
        yield client


@pytest.fixture
async def start_owner(settings: EmbeddedSettings) -> AsyncIterator[StartOwner]:
    """Start processes that own the store of `settings`; kill them when the test ends."""
    owners: list[Owner] = []

    async def start(guard: Guard) -> Owner:
        owners.append(await Owner.start(settings.data_directory, guard))
        return owners[-1]

    yield start
    for owner in owners:
        await owner.kill()
    address = read_address(settings.data_directory)
    if address is not None:  # nobody came after the killed owner to clear up
        close_address(settings.data_directory, address)


@asynccontextmanager
async def _running(settings: EmbeddedSettings) -> AsyncGenerator[EmbeddedStore]:
    store = await EmbeddedStore.start(settings)
    supervision = asyncio.create_task(store.run())
    yield store
    await store.stop()
    await supervision
