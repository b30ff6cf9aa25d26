"""Fixtures for the tests of worker processes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from integration.worker.peer import Peer, running_peer
from integration.worker.workers import Gate


@pytest_asyncio.fixture
async def peer() -> AsyncIterator[Peer]:
    """A coordinator that does what the test says."""
    async with running_peer() as peer:
        yield peer


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    """Something that tasks wait for."""
    return Gate(tmp_path)
