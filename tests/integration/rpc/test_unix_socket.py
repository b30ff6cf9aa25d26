"""A coordinator that listens on a Unix socket: whose place it takes, whose not, and what is no path."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from gesso_server.config import ServerConfig
from gesso_server.main import serving
from gesso_server.rpc.listener import ListenRefusedError

LIMIT_SECONDS = 20.0


def config(folder: Path, path: str) -> ServerConfig:
    """Return a coordinator's settings, with the path of its socket."""
    return ServerConfig(address=f"unix:{path}", data=folder / "data")


async def serves(address: str) -> bool:
    """Whether a coordinator at an address says that it serves."""
    async with grpc.aio.insecure_channel(address) as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)  # its methods are made when it is, unseen by types
        answer = await stub.Check(
            health_pb2.HealthCheckRequest(service="ready"), timeout=LIMIT_SECONDS, wait_for_ready=True
        )
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


async def test_one_that_listens_keeps_its_place(tmp_path: Path) -> None:
    """A second coordinator is refused, and the first one goes on."""
    path = str(tmp_path / "socket")
    async with serving(config(tmp_path, path)) as first:
        second = config(tmp_path / "second", path)
        with pytest.raises(ListenRefusedError, match="another coordinator"):
            async with serving(second):
                pass

        assert await serves(first.address)


async def test_what_one_left_that_died_is_replaced(tmp_path: Path) -> None:
    """Also where the file is left that nobody listens at."""
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    assert path.is_socket()

    async with serving(config(tmp_path, str(path))) as started:
        assert await serves(started.address)
        assert await serves(f"unix://{path}")


@pytest.mark.parametrize("path", ["", "/" + "x" * 107])
async def test_path_that_is_none_is_refused(tmp_path: Path, path: str) -> None:
    """Before anything is started."""
    with pytest.raises(ListenRefusedError, match="1 to 107 bytes"):
        async with serving(config(tmp_path, path)):
            pass


async def test_file_that_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    """Whatever it is, it is somebody's."""
    path = tmp_path / "notes"
    path.write_text("keep")

    with pytest.raises(ListenRefusedError):
        async with serving(config(tmp_path, str(path))):
            pass

    assert path.read_text() == "keep"
