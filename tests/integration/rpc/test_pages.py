"""What the HTTP port says to who restarts a coordinator, and to who knocks at it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from gesso_server.config import ServerConfig
from gesso_server.main import serving
from gesso_server.pages import Pages
from gesso_server.rpc.listener import ListenRefusedError
from support.scrape import fetch


@pytest.fixture
def state() -> dict[str, bool]:
    """Whether the coordinator is ready, to be changed."""
    return {"ready": True}


@pytest.fixture
async def address(state: dict[str, bool]) -> AsyncIterator[str]:
    """Where pages are, without metrics."""
    pages = Pages(lambda: state["ready"], None)
    yield pages.start("127.0.0.1", 0)
    await asyncio.to_thread(pages.stop)


async def test_supervisors_are_told_how_it_is(address: str, state: dict[str, bool]) -> None:
    """It lives as long as its loop runs, is ready until it drains, and has no page of metrics without the extra."""
    before = await statuses(address, "/healthz", "/readyz", "/metrics", "/", "/../metrics")
    state["ready"] = False
    after = await statuses(address, "/healthz", "/readyz")

    assert before == [200, 200, 404, 404, 404]
    assert after == [200, 503]


async def test_loop_that_does_not_run_is_not_alive(address: str) -> None:
    """While something keeps the event loop from running, whoever asks is told so."""
    asked = ThreadPoolExecutor(1).submit(fetch, address, "/healthz")

    stuck = asked.result(30)  # which keeps the loop from running until then

    assert stuck[0] == 503


async def test_what_is_no_request_harms_nobody(address: str) -> None:
    """Garbage, other methods, and connections that say nothing leave the pages as they are."""
    host, port = address.split(":")
    silent = [socket.create_connection((host, int(port))) for _ in range(8)]
    with socket.create_connection((host, int(port))) as other:
        other.sendall(b"\x16\x03\x01 garbage\r\n\r\n")
        await asyncio.to_thread(other.recv, 1024)
    with socket.create_connection((host, int(port))) as other:
        other.sendall(b"POST /healthz HTTP/1.0\r\n\r\n")
        assert b" 405 " in await asyncio.to_thread(other.recv, 1024)

    assert await statuses(address, "/healthz") == [200]
    for connection in silent:
        connection.close()


async def test_pages_are_for_this_machine_unless_said_otherwise(tmp_path: Path) -> None:
    """Off loopback they are not served unless that is asked for in so many words, and what is no address is refused."""
    config = ServerConfig(address="localhost:0", data=tmp_path)

    for http in ("0.0.0.0:0", "9365", "unix:pages:80"):
        with pytest.raises(ListenRefusedError):
            async with serving(replace(config, http=http)):
                pass


async def statuses(address: str, *paths: str) -> list[int]:
    """Return the statuses of pages."""
    return [(await asyncio.to_thread(fetch, address, path))[0] for path in paths]
