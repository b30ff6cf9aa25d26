"""A coordinator in the test's own process, with a store of its own."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import grpc
import pytest

from gesso_server.config import ServerConfig
from gesso_server.main import Started, serving
from support.client import Client, client_of

PARTITIONS = int(os.environ["GESSO_PARTITIONS"]) if "GESSO_PARTITIONS" in os.environ else None
"""How many partitions the coordinators' stores have, as `make test-partitions` says."""


@pytest.fixture
def config(request: pytest.FixtureRequest) -> ServerConfig:
    """How the coordinator runs; `@pytest.mark.parametrize("config", …, indirect=True)` sets another."""
    return getattr(request, "param", ServerConfig(partitions=PARTITIONS))


@pytest.fixture
async def started(config: ServerConfig, tmp_path: Path) -> AsyncIterator[Started]:
    """A coordinator that serves."""
    async with serving(replace(config, address="localhost:0", data=tmp_path / "data")) as started:
        yield started


@pytest.fixture
async def channel(started: Started) -> AsyncIterator[grpc.aio.Channel]:
    """A connection to it."""
    async with grpc.aio.insecure_channel(started.address) as channel:
        yield channel


@pytest.fixture
async def client(channel: grpc.aio.Channel) -> Client:
    """A client of it."""
    return client_of(channel)
