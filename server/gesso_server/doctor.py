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

from gesso_server.cli import FAILED, STORE_SCHEMES, UNREACHABLE, Output, bad_store, without_password
from gesso_server.config import DEFAULT_PORT
from gesso_server.promises import Finding, Verdict, findings
from gesso_server.store.embedded.address import read_address
from gesso_server.store.errors import StoreError
from gesso_server.store.measurement import (
    Health,
    Latency,
    measure_fsync,
    measure_round_trip,
    measure_write,
    read_health,
)
from gesso_server.store.requirements import StoreFacts, read_facts
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
    facts: StoreFacts
    health: Health
    round_trip: Latency
    write: Latency
    fsync: Latency | None
    """Of the disk under the data directory; None where that is not known."""
    findings: tuple[Finding, ...]
    coordinator: str
    """What is at the coordinator's address, as a phrase."""


def command(
    *,
    store: Annotated[
        str | None,
        typer.Option(envvar="GESSO_STORE", metavar="URL", help="The store: redis://, rediss:// or unix://."),
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

    It looks at the store in --store, or at the one that runs on the data directory. It writes one small key and
    removes it again. It ends with 1 if a promise cannot hold.

        gesso doctor --store redis://localhost:6379
    """
    if store is not None and not store.startswith(STORE_SCHEMES):
        raise typer.BadParameter(bad_store(store))
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
        await store.ping()
        facts, health = await read_facts(store.redis), await read_health(store.redis)
        return Report(
            store=without_password(url),
            facts=facts,
            health=health,
            round_trip=await measure_round_trip(store.redis),
            write=await measure_write(store.redis),
            fsync=await asyncio.to_thread(measure_fsync, data) if data else None,
            findings=findings(facts, health),
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
    facts = report.facts
    limit = f"of {_mebibytes(facts.maxmemory_bytes)}" if facts.maxmemory_bytes else "of no limit"
    fsync = f", the disk's fsync {_shown(report.fsync)}" if report.fsync else ""
    head = {
        "store": f"{report.store} ({facts.engine.capitalize()} {facts.version})",
        "holds": f"{_mebibytes(report.health.memory_bytes)} {limit}, {facts.replica_count} replicas",
        "takes": f"round trip {_shown(report.round_trip)}, write {_shown(report.write)}{fsync}",
        "coordinator": report.coordinator,
    }
    for name, text in head.items():
        console.print(f"{name:12} {text}", markup=False)
    console.print()
    for finding in report.findings:
        verdict = Text(f"{finding.verdict:8}", style=_STYLES[finding.verdict])
        console.print(verdict, finding.promise)
        console.print(Text(f"         {finding.reason}", style="dim"))


def described(report: Report) -> dict[str, object]:
    """Return a report as plain data."""
    latencies = {"round_trip": report.round_trip, "write": report.write, "fsync": report.fsync}
    return {
        "store": report.store,
        "coordinator": report.coordinator,
        "facts": asdict(report.facts) | {"version": str(report.facts.version)},
        "health": asdict(report.health),
        "latency_ms": {name: _milliseconds(latency) for name, latency in latencies.items() if latency},
        "findings": [asdict(finding) for finding in report.findings],
    }


def _milliseconds(latency: Latency) -> dict[str, float]:
    return {name: round(span / timedelta(milliseconds=1), 3) for name, span in asdict(latency).items()}


def _shown(latency: Latency) -> str:
    return ", ".join(f"{name} {span:.2f} ms" for name, span in _milliseconds(latency).items())


def _mebibytes(count: int) -> str:
    return f"{count / (1 << 20):.1f} MiB"
