"""`gesso server`: what a person types to start a coordinator."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated
from wsgiref.types import WSGIApplication

import typer

from gesso_server.config import DEFAULT_PORT, ServerConfig, Timing
from gesso_server.main import Started, run
from gesso_server.routes import Routes
from gesso_server.rpc.listener import ListenRefusedError
from gesso_server.settings import SettingError, settings
from gesso_server.store.errors import StoreError, StoreRefused
from gesso_server.store.location import parse_location, shown
from gesso_telemetry.current import span_fields
from gesso_telemetry.logs import LogFormat, LogLevel, log_to_stderr
from gesso_telemetry.setup import set_up, set_up_metrics

_log = logging.getLogger(__name__)

# As the exit codes that every command's help lists.
FAILED, REFUSED, UNREACHABLE = 1, 2, 3
_DURABILITY = re.compile(r"os|fsync|replicas:(?P<replicas>[1-9]\d?)")


class Output(StrEnum):
    """How the ready line is said."""

    TEXT = "text"
    JSON = "json"


def command(  # noqa: PLR0913 - an option is an argument here
    *,
    address: Annotated[
        str,
        typer.Option(
            envvar="GESSO_ADDRESS",
            metavar="HOST:PORT|unix:PATH",
            help="Where to listen; port 0 for any free one.",
        ),
    ] = f"localhost:{DEFAULT_PORT}",
    http: Annotated[
        str | None,
        typer.Option(
            envvar="GESSO_HTTP",
            metavar="HOST:PORT",
            help="Where to serve /metrics, /healthz and /readyz.",
            show_default="nowhere",
        ),
    ] = None,
    data: Annotated[
        Path,
        typer.Option(envvar="GESSO_DATA", metavar="DIR", help="Where the embedded store keeps its data."),
    ] = Path("gesso-data"),
    store: Annotated[
        str | None,
        typer.Option(
            envvar="GESSO_STORE",
            metavar="URL",
            help="A running Valkey or Redis instead: redis://, rediss://, unix://, redis+sentinel://, redis+cluster://.",
        ),
    ] = None,
    partitions: Annotated[
        int | None,
        typer.Option(
            envvar="GESSO_PARTITIONS",
            min=1,
            help="Slices of the store, fixed at its first use.",
            show_default="as it has, or 1; 64 on a cluster",
        ),
    ] = None,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Listen off loopback, without TLS and credentials.")
    ] = False,
    reflection: Annotated[
        bool | None,
        typer.Option(
            help="Tell anyone who asks what can be called (gRPC reflection).", show_default="on loopback only"
        ),
    ] = None,
    durability: Annotated[
        str,
        typer.Option(
            metavar="os|fsync|replicas:N",
            help="Acknowledge a canvas when the store's operating system has it, its disk, or N of its replicas.",
        ),
    ] = "os",
    lease_seconds: Annotated[
        float | None,
        typer.Option(
            min=1, help="Tasks of a worker that is silent for so long are given to others.", show_default="30"
        ),
    ] = None,
    grace_seconds: Annotated[
        float | None,
        typer.Option(min=0, help="As --lease-seconds, from when its connection breaks.", show_default="10"),
    ] = None,
    settings_file: Annotated[
        Path | None,
        typer.Option(
            "--settings",
            envvar="GESSO_SETTINGS",
            metavar="FILE",
            help="Limits and times as TOML (docs/settings.md).",
        ),
    ] = None,
    assignments: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="One of them, such as limits.payload_bytes=2MiB."),
    ] = None,
    route: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATTERN=QUEUE",
            help="The queue of tasks that name none, like 'proj.mail.*=mail'; repeatable, the first that fits decides.",
        ),
    ] = None,
    routes: Annotated[
        Path | None,
        typer.Option(
            envvar="GESSO_ROUTES",
            metavar="FILE",
            help="More such routes, one a line, behind those of --route.",
        ),
    ] = None,
    log_level: Annotated[
        LogLevel, typer.Option(help="How much is logged, to the standard error.")
    ] = LogLevel.INFO,
    log_format: Annotated[
        LogFormat,
        typer.Option(envvar="GESSO_LOG_FORMAT", help="For a person, or a JSON object a line for a program."),
    ] = LogFormat.CONSOLE,
    output: Annotated[
        Output, typer.Option("--output", "-o", help="How the ready line is said.")
    ] = Output.TEXT,
) -> None:
    """Run a coordinator, with a store of its own or on one that runs.

    Without --store it starts a Valkey that keeps everything in the data directory: gesso-data where the command
    is run, unless --data says otherwise. Started there again it goes on with what there is. A second coordinator
    joins the same store with --store and the address in its ready line.

    Ctrl-C or SIGTERM drains: workers and clients move on, then it ends. A second one ends it at once.

        gesso server --data /var/lib/gesso --durability fsync
    """
    check_location(store)
    wanted = _DURABILITY.fullmatch(durability)
    if wanted is None:
        message = f"An acknowledgement says os, fsync or replicas:N (as replicas:1), not {durability!r}."
        raise typer.BadParameter(message)
    log_to_stderr(log_level, log_format, span_fields)
    try:
        found = settings(settings_file, [*(assignments or ()), *_times(lease_seconds, grace_seconds)])
    except SettingError as error:
        raise typer.BadParameter(str(error)) from error
    config = ServerConfig(
        address=address, http=http, store=store, data=data, partitions=partitions, insecure=insecure,
        reflection=reflection,
        fsync=durability == "fsync", replicas=int(wanted["replicas"] or 0), limits=found.limits, timing=found.timing,
        routes=_routes(route or [], routes), tracing=found.tracing,
    )  # fmt: skip
    set_up("gesso-coordinator")
    metrics = set_up_metrics("gesso-coordinator", page=http is not None)
    raise typer.Exit(_served(config, output, metrics))


def _times(lease_seconds: float | None, grace_seconds: float | None) -> list[str]:
    """Return the settings that two options stand for. A short lease is renewed in time, and silence noticed in it."""
    said = []
    if lease_seconds is not None:
        usual, soon = Timing(), lease_seconds / 6
        said += [
            f"timing.lease={lease_seconds:.3f}s",
            f"timing.renewal={min(usual.renewal.total_seconds(), soon):.3f}s",
            f"timing.heartbeat={min(usual.heartbeat.total_seconds(), soon):.3f}s",
            f"timing.silence={min(usual.silence.total_seconds(), lease_seconds):.3f}s",
        ]
    if grace_seconds is not None:
        said.append(f"timing.grace={grace_seconds:.3f}s")
    return said


def _routes(lines: list[str], file: Path | None) -> Routes:
    try:
        more = file.read_text("utf-8").splitlines() if file is not None else []
        return Routes.parse([*lines, *more])
    except (OSError, ValueError) as error:
        raise typer.BadParameter(str(error)) from error


def _served(config: ServerConfig, output: Output, metrics: WSGIApplication | None) -> int:
    """Run a coordinator and return the code to exit with."""

    def tell(started: Started) -> None:
        line = ready_json(started, config) if output is Output.JSON else ready_line(started, config)
        print(line, flush=True)  # noqa: T201 - the one line that a person and a script wait for

    try:
        asyncio.run(run(config, tell, metrics))
    except (ListenRefusedError, StoreRefused) as error:
        typer.echo(f"Error: {error}", err=True)
        return REFUSED
    except (StoreError, OSError) as error:
        typer.echo(f"Error: {error}", err=True)
        return UNREACHABLE
    except Exception:  # noqa: BLE001 - the last resort of a process
        _log.exception("coordinator.failed")
        return FAILED
    return 0


def ready_line(started: Started, config: ServerConfig) -> str:
    """Return the line that says that a coordinator serves, for a person."""
    facts = started.facts
    kind = "embedded, " if config.store is None else ""
    fsync = facts.appendfsync or "unknown" if facts.appendonly else "none, nothing is kept on disk"
    data = f", data {config.data.absolute()}" if config.store is None else ""
    pages = f", pages http://{started.http}" if started.http is not None else ""
    return (
        f"coordinator ready: listening on {started.address}, store {shown(started.store)} "
        f"({kind}{facts.engine} {facts.version}, appendfsync {fsync}){data}{pages}"
    )


def ready_json(started: Started, config: ServerConfig) -> str:
    """Return the line that says that a coordinator serves, for a program."""
    facts = started.facts
    told = {
        "event": "coordinator.ready",
        "message": ready_line(started, config),
        "address": started.address,
        "http": started.http,
        "store": shown(started.store),
        "embedded": config.store is None,
        "engine": facts.engine,
        "version": str(facts.version),
        "appendonly": facts.appendonly,
        "appendfsync": facts.appendfsync,
        "data": str(config.data.absolute()) if config.store is None else None,
    }
    return json.dumps(told)


def check_location(store: str | None) -> None:
    """Refuse what is no store's address."""
    try:
        parse_location(store or "redis://")
    except StoreRefused as error:
        raise typer.BadParameter(str(error)) from None
