"""`gesso dev`: everything that a project's tasks need, on this machine, until Ctrl-C."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from gesso.cli.exits import CommandError, Exit
from gesso.cli.options import Output, OutputOption
from gesso.cli.part import Part, PartEndedError
from gesso_telemetry.logs import LogFormat

__all__ = ["command"]

# What a worker takes for its running tasks and their results, and a coordinator for its streams and store,
# with some time to spare; what takes longer is killed.
_WORKER_LIMIT, _COORDINATOR_LIMIT = timedelta(seconds=50), timedelta(seconds=30)


def command(  # noqa: PLR0913 - an option is an argument here
    *,
    app: Annotated[str, typer.Option("--app", "-A", metavar="MODULE[:APP]", help="Where the tasks are.")],
    address: Annotated[
        str,
        typer.Option(
            envvar="GESSO_ADDRESS",
            metavar="HOST:PORT|unix:PATH",
            help="Where to listen; port 0 for any free one.",
        ),
    ] = "localhost:7365",
    data: Annotated[
        Path,
        typer.Option(envvar="GESSO_DATA", metavar="DIR", help="Where the embedded store keeps its data."),
    ] = Path("gesso-data"),
    store: Annotated[
        str | None,
        typer.Option(envvar="GESSO_STORE", metavar="URL", help="A running Valkey or Redis instead."),
    ] = None,
    queues: Annotated[str, typer.Option(help="Queues to take tasks from, with commas between.")] = "default",
    processes: Annotated[
        int | None, typer.Option(min=1, help="How many worker processes.", show_default="one for each core")
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help="How many tasks each of them runs at one time.")] = 1,
    log_format: Annotated[
        LogFormat,
        typer.Option(envvar="GESSO_LOG_FORMAT", help="For a person, or a JSON object a line for a program."),
    ] = LogFormat.CONSOLE,
    output: OutputOption = Output.TEXT,
) -> None:
    """Run a coordinator, its store and workers for a module's tasks, all in one go.

    For developing and trying out: what `gesso server` and `gesso worker` do as processes of their own.

        gesso dev -A proj.tasks --processes 2

    Results stay in the data directory, and are there when it is started again. Ctrl-C lets the workers finish what
    they run, and then ends everything; a second one ends it at once. If one part dies, the rest is ended.
    """
    server = ["--address", address, "--data", str(data), *(["--store", store] if store else [])]
    worker = ["-A", app, "--queues", queues, "--threads", str(threads)]
    worker += ["--processes", str(processes)] if processes else []
    for options in (server, worker):
        options += ["--log-format", log_format]
    asyncio.run(Dev(server, worker, output).run())


@dataclass(slots=True)
class Dev:
    """The processes, from the first start to the last end."""

    server: list[str]
    """Options of `gesso server`."""
    worker: list[str]
    """Options of `gesso worker`, but for the address."""
    output: Output

    async def run(self) -> None:
        """Run everything until a signal ends it.

        Raises:
            CommandError: If a part ended by itself.
        """
        parts: list[tuple[Part, timedelta]] = []
        body = asyncio.create_task(self._run(parts))

        def stop() -> None:
            if not body.done():
                body.cancel()
                return
            for part, _ in parts:
                part.kill()

        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, stop)
        try:
            with suppress(asyncio.CancelledError):
                await body
        except PartEndedError as error:
            code = Exit(error.code) if error.code in (Exit.REFUSED, Exit.UNREACHABLE) else Exit.FAILED
            raise CommandError(f"{error} Everything else was ended, too.", code) from error
        finally:
            for part, limit in reversed(parts):
                await part.stop(limit)

    async def _run(self, parts: list[tuple[Part, timedelta]]) -> None:
        """Start the parts, announce them, and wait for one to end."""
        # With JSON asked for, nothing but our own line may stand on the standard output.
        sink = sys.stdout.buffer if self.output is Output.TEXT else sys.stderr.buffer
        coordinator = await Part.start("coordinator", ["server", "--output", "json", *self.server], sink)
        parts.append((coordinator, _COORDINATOR_LIMIT))
        told = json.loads(await coordinator.line("{", '"coordinator.ready"'))
        sink.write(f"{told['message']}\n".encode())
        workers = await Part.start("worker", ["worker", "--address", told["address"], *self.worker], sink)
        parts.append((workers, _WORKER_LIMIT))
        sink.write(f"{await workers.line('worker ', ' ready: ')}\n".encode())
        self._announce(told)
        ends = {asyncio.create_task(part.wait()): part for part, _ in parts}
        done, _ = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        first = done.pop()
        raise PartEndedError(ends[first].name, first.result())

    def _announce(self, told: dict[str, Any]) -> None:
        if self.output is Output.JSON:
            line = json.dumps(
                {key: value for key, value in told.items() if key != "message"} | {"event": "dev.ready"}
            )
        else:
            line = f"dev ready: submit to {told['address']}; Ctrl-C ends all of it"
        print(line, flush=True)  # noqa: T201 - the one line that a person and a script wait for
