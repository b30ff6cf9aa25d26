"""Server reflection: to whom a coordinator tells its contract."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import grpc
import pytest
from grpc_reflection.v1alpha import reflection_pb2 as pb

from gesso_server.config import ServerConfig
from gesso_server.main import serving
from support.messages import refusal

OPEN = "0.0.0.0:0"


async def told(address: str) -> set[str]:
    """Return the services that a coordinator tells of."""
    async with grpc.aio.insecure_channel(f"localhost:{address.rpartition(':')[2]}") as channel:
        tell = channel.stream_stream(
            "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
            request_serializer=pb.ServerReflectionRequest.SerializeToString,
            response_deserializer=pb.ServerReflectionResponse.FromString,
        )
        call = tell(iter([pb.ServerReflectionRequest(list_services="")]))
        (response,) = [response async for response in call]
    return {service.name for service in response.list_services_response.service}


@pytest.mark.parametrize(
    ("config", "tells"),
    [
        (ServerConfig(address="localhost:0"), True),
        (ServerConfig(address="127.0.0.1:0", reflection=False), False),
        (ServerConfig(address=OPEN, insecure=True), False),
        (ServerConfig(address=OPEN, insecure=True, reflection=True), True),
    ],
)
async def test_contract_is_told_on_loopback_unless_said_otherwise(
    tmp_path: Path, config: ServerConfig, *, tells: bool
) -> None:
    """Whoever reaches an open port learns nothing by default."""
    async with serving(replace(config, data=tmp_path / "data")) as started:
        if tells:
            assert "gesso.v1.CoordinatorService" in await told(started.address)
        else:
            assert (await refusal(told(started.address))).code is grpc.StatusCode.UNIMPLEMENTED
