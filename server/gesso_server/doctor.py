"""`gesso doctor`: what a store is worth, before something depends on it."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import grpc
import typer
from grpc_health.v1 import health_pb2, health_pb2_grpc
from rich.console import Console
from rich.text import Text

from gesso_server.cli import FAILED, UNREACHABLE, Output, check_location
from gesso_server.config import DEFAULT_PORT
from gesso_server.promises import Finding, Verdict, findings
from gesso_server.store.embedded.address import read_address
from gesso_server.store.errors import StoreError
from gesso_server.store.examination import Server
from gesso_server.store.examination import examine as examine_server
from gesso_server.store.location import Kind, shown
from gesso_server.store.measurement import Latency, measure_fsync
from gesso_server.store.store import Store

_COORDINATOR_LIMIT = timedelta(seconds=2)
_STYLES = {
    Verdict.HOLDS: "green",
    Verdict.LIMITED: "yellow",
    Verdict.UNKNOWN: "yellow",
    Verdict.BROKEN: "bold red",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What was found out."""

    store: str
    kind: Kind
    servers: tuple[Server, ...]
    """The primaries."""
    fsync: Latency | None
    """Of the disk under the data directory; None where that is not known."""
    findings: tuple[Finding, ...]
    coordinator: str
    """What is at the coordinator's address, as a phrase."""


def command(
    *,
    store: Annotated[
        str | None,
        typer.Option(envvar="GESSO_STORE", metavar="URL", help="The store, as `gesso server` takes it."),
    ] = None,
    data: Annotated[
        Path, typer.Option(envvar="GESSO_DATA", metavar="DIR", help="Or the data directory of one that runs.")
    ] = Path("gesso-data"),
    address: Annotated[
        str,
        typer.Option(envvar="GESSO_ADDRESS", metavar="HOST:PORT", help="A coordinator to look for as well."),
    ] = f"localhost:{DEFAULT_PORT}",
    output: Annotated[
        Output, typer.Option("--output", "-o", help="For people, or one JSON object.")
    ] = Output.TEXT,
) -> None:
    """Examine a store: its settings, how fast it is, and which promises hold with it.

    It looks at the store in --store, or at the one that runs on the data directory; behind Sentinels at the primary,
    of a cluster at every primary. It says what a failover can lose, and what to change. It writes one small key to each
    and removes it again. It ends with 0, with 1 if a promise cannot hold, or with 3 if the store does not answer.

        gesso doctor --store redis://localhost:6379
    """
    check_location(store)
    local = read_address(data) if store is None else None
    url = store or (local and local.url)
    if not url:
        typer.echo(
            f"Error: No store runs on {data.absolute()}: start one with `gesso dev` or `gesso server`, say where it is "
            "with --data, or name one with --store.",
            err=True,
        )
        raise typer.Exit(UNREACHABLE)
    try:
        report = asyncio.run(examine(url, data if local else None, address))
    except (StoreError, OSError, ValueError) as error:
        typer.echo(f"Error: {error}", err=True)
        raise typer.Exit(UNREACHABLE) from None
    if output is Output.JSON:
        typer.echo(json.dumps(described(report)))
    else:
        show(report)
    if any(finding.verdict is Verdict.BROKEN for finding in report.findings):
        raise typer.Exit(FAILED)


async def examine(url: str, data: Path | None, address: str) -> Report:
    """Find out about a store.

    Args:
        url: Where it is.
        data: Where it keeps its data, if that is on this machine and known.
        address: Where a coordinator may be.

    Raises:
        StoreError: If it does not answer.
        OSError: If the data directory cannot be written.
    """
    store = Store(url, "doctor")
    try:
        await store.open()
        kind = store.location.kind
        servers = [
            await examine_server(str(primary), client, kind, store.topology.tag_on(primary))
            for primary, client in zip(store.topology.primaries, store.primaries, strict=True)
        ]
        return Report(
            store=shown(url),
            kind=kind,
            servers=tuple(servers),
            fsync=await asyncio.to_thread(measure_fsync, data) if data else None,
            findings=findings(servers, kind, covered=store.topology.covered),
            coordinator=await look_for_coordinator(address),
        )
    finally:
        await store.close()


async def look_for_coordinator(address: str) -> str:
    """Return what is at a coordinator's address."""
    async with grpc.aio.insecure_channel(address) as channel:
        request = health_pb2.HealthCheckRequest(service="ready")
        try:
            stub: Any = health_pb2_grpc.HealthStub(
                channel
            )  # its methods are made when it is, unseen by types
            answer = await stub.Check(
                request, timeout=_COORDINATOR_LIMIT.total_seconds(), wait_for_ready=False
            )
        except grpc.aio.AioRpcError:
            return f"none answers at {address}"
    ready = answer.status == health_pb2.HealthCheckResponse.SERVING
    return f"ready at {address}" if ready else f"draining at {address}"


def show(report: Report) -> None:
    """Print a report for a person."""
    console = Console(soft_wrap=True, highlight=False)
    lines = [("store", f"{report.store} ({report.kind}, {len(report.servers)} primaries)")]
    for server in report.servers:
        lines += _described(server)
    if report.fsync:
        lines.append(("disk", f"fsync {_shown(report.fsync)}"))
    lines.append(("coordinator", report.coordinator))
    for name, text in lines:
        console.print(f"{name:12} {text}", markup=False)
    console.print()
    for finding in report.findings:
        verdict = Text(f"{finding.verdict:8}", style=_STYLES[finding.verdict])
        console.print(verdict, finding.promise)
        console.print(Text(f"         {finding.reason}", style="dim"))


def _described(server: Server) -> list[tuple[str, str]]:
    facts, health = server.facts, server.health
    limit = f"of {_mebibytes(facts.maxmemory_bytes)}" if facts.maxmemory_bytes else "of no limit"
    replicas = f"{facts.replica_count} replicas"
    if facts.replica_count:
        replicas += f", {health.lag_bytes or 0} bytes and {health.lag_seconds or 0} s behind"
    write = f", write {_shown(server.write)}" if server.write else ""
    return [
        ("primary", f"{server.address} ({facts.engine.capitalize()} {facts.version})"),
        ("  holds", f"{_mebibytes(health.memory_bytes)} {limit}, {replicas}"),
        ("  takes", f"round trip {_shown(server.round_trip)}{write}"),
    ]


def described(report: Report) -> dict[str, object]:
    """Return a report as plain data."""
    return {
        "store": report.store,
        "kind": report.kind,
        "coordinator": report.coordinator,
        "primaries": [
            {
                "address": server.address,
                "facts": asdict(server.facts) | {"version": str(server.facts.version)},
                "health": asdict(server.health),
                "missing_commands": server.missing,
                "latency_ms": _latencies(round_trip=server.round_trip, write=server.write),
            }
            for server in report.servers
        ],
        "latency_ms": _latencies(fsync=report.fsync),
        "findings": [asdict(finding) for finding in report.findings],
    }


def _latencies(**known: Latency | None) -> dict[str, dict[str, float]]:
    return {name: _milliseconds(latency) for name, latency in known.items() if latency}


def _milliseconds(latency: Latency) -> dict[str, float]:
    return {name: round(span / timedelta(milliseconds=1), 3) for name, span in asdict(latency).items()}


def _shown(latency: Latency) -> str:
    return ", ".join(f"{name} {span:.2f} ms" for name, span in _milliseconds(latency).items())


def _mebibytes(count: int) -> str:
    return f"{count / (1 << 20):.1f} MiB"
