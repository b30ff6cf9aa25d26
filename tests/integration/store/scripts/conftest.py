"""The scripts on a store of the test's own."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from gesso_server.config import ServerConfig
from gesso_server.store.embedded import EmbeddedStore
from gesso_server.store.store import Store
from integration.store.scripts.post import Post
from integration.store.scripts.rig import Rig


@pytest.fixture
def config(request: pytest.FixtureRequest) -> ServerConfig:
    """The configuration that canvases are submitted with; `@pytest.mark.parametrize(…, indirect=True)` sets another."""
    return getattr(request, "param", ServerConfig())


@pytest.fixture
async def rig(store: EmbeddedStore, config: ServerConfig) -> AsyncIterator[Rig]:
    """A store with the scripts loaded."""
    connection = Store(store.url, "c1")
    await connection.connect(None)
    yield Rig(connection, config)
    await connection.close()


@pytest.fixture
async def other_store(store: EmbeddedStore, rig: Rig) -> AsyncIterator[Store]:
    """What another coordinator, `c2`, has of the same store."""
    assert rig.store.partitions
    connection = Store(store.url, "c2")
    await connection.connect(None)
    yield connection
    await connection.close()


@pytest.fixture(params=[1, 4])
async def post(store: EmbeddedStore, request: pytest.FixtureRequest) -> AsyncIterator[Post]:
    """A store with one partition or four, in which time stands."""
    connection = Store(store.url, "c1")
    await connection.connect(request.param)
    post = Post(connection)
    await post.stop_clocks()
    yield post
    await connection.close()
