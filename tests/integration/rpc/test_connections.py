"""Connections that are no clients, or bad ones: they are closed, and harm nobody."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import timedelta
from typing import Any

import grpc
import pytest

from gesso.v1 import coordinator_service_pb2 as pb
from gesso_server.config import Limits, ServerConfig, Timing
from gesso_server.main import Started
from support.client import Client
from support.messages import refusal, sig

LIMIT_SECONDS = 20.0
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS = bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
PING = bytes([0, 0, 8, 6, 0, 0, 0, 0, 0]) + bytes(8)
GOAWAY = 7
SHORT = ServerConfig(timing=Timing(handshake=timedelta(milliseconds=300)))


async def talk(started: Started, *parts: bytes) -> bytes:
    """Say something over TCP, and return what was answered until the connection was closed."""
    host, _, port = started.address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    answers = asyncio.create_task(hear(reader))  # at once: a reset takes what was not read yet along
    async with asyncio.timeout(LIMIT_SECONDS):
        with suppress(ConnectionError):
            for part in parts:
                writer.write(part)
                await writer.drain()
        heard = await answers
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()
    return heard


async def hear(reader: asyncio.StreamReader) -> bytes:
    """Return everything that comes until the connection is closed."""
    heard = b""
    with suppress(ConnectionError):
        while data := await reader.read(1 << 16):
            heard += data
    return heard


def frames(data: bytes) -> list[int]:
    """Return the types of HTTP/2 frames."""
    found = []
    while len(data) >= 9:
        found.append(data[3])
        data = data[9 + int.from_bytes(data[:3]) :]
    return found


@pytest.mark.parametrize("config", [SHORT], indirect=True)
@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc",
        b"\x00" * 10_000,
    ],
    ids=["nothing", "HTTP/1.1", "TLS", "zeros"],
)
async def test_connection_that_speaks_no_http2_is_closed(
    started: Started, client: Client, said: bytes
) -> None:
    """Silence, HTTP/1.1, TLS and garbage end with a closed connection; clients are served on."""
    await talk(started, said)

    assert (await client.SubmitCanvas(pb.SubmitCanvasRequest(canvas=sig()))).canvas_id


async def test_client_that_floods_with_pings_is_disconnected(started: Started, client: Client) -> None:
    """Pings without calls, far more often than allowed, end with GOAWAY."""
    host, _, port = started.address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(PREFACE + SETTINGS)
    heard = b""
    async with asyncio.timeout(LIMIT_SECONDS):
        while GOAWAY not in frames(heard):
            writer.write(
                PING
            )  # one at a time: a connection closed with bytes unread is reset, and the answer lost
            data = await reader.read(1 << 16)
            assert data, "closed without a word"
            heard += data
    writer.close()

    assert (await client.SubmitCanvas(pb.SubmitCanvasRequest(canvas=sig()))).canvas_id


@pytest.mark.parametrize("config", [ServerConfig(limits=Limits(connections=2))], indirect=True)
async def test_connections_over_the_limit_are_closed(started: Started, client: Client) -> None:
    """More connections than allowed are closed at once; those that are open are served."""
    await client.SubmitCanvas(pb.SubmitCanvasRequest(canvas=sig()))
    host, _, port = started.address.rpartition(":")
    opened = [await asyncio.open_connection(host, int(port)) for _ in range(4)]
    for _, writer in opened:
        writer.write(PREFACE + SETTINGS)
    async with asyncio.timeout(LIMIT_SECONDS):
        reads = [asyncio.ensure_future(reader.read()) for reader, _ in opened]
        done, _ = await asyncio.wait(reads, return_when=asyncio.FIRST_COMPLETED)
    served = await client.SubmitCanvas(pb.SubmitCanvasRequest(canvas=sig()))
    for _, writer in opened:
        writer.close()
    await asyncio.wait(reads)

    assert done
    assert served.canvas_id


async def test_compressed_message_is_refused(channel: grpc.aio.Channel) -> None:
    """A small message that would become an enormous one is not unpacked."""
    call: Any = channel.unary_unary("/gesso.v1.CoordinatorService/SubmitCanvas")
    found = await refusal(call(bytes(3 << 20), compression=grpc.Compression.Gzip))

    assert found.code is grpc.StatusCode.UNIMPLEMENTED
