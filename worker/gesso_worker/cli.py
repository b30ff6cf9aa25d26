"""`gesso worker`: what a person types to start a worker."""

from __future__ import annotations

import os
import sys
from datetime import timedelta
from typing import Annotated

import typer

from gesso_worker.config import DEFAULT_ADDRESS, WorkerConfig, parent_command


def app_command(
    *,
    app: Annotated[
        str,
        typer.Option("--app", "-A", metavar="MODULE[:APP]", help="Where the tasks are, such as proj.tasks."),
    ],
    address: Annotated[
        str,
        typer.Option(
            envvar="GESSO_ADDRESS", metavar="HOST:PORT", help="The coordinator; several with commas between."
        ),
    ] = DEFAULT_ADDRESS,
    queues: Annotated[str, typer.Option(help="Queues to take tasks from, with commas between.")] = "default",
    processes: Annotated[
        int | None, typer.Option(min=1, help="How many child processes.", show_default="one for each core")
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help="How many tasks each child runs at one time.")] = 1,
    name: Annotated[str, typer.Option(help="A name for people.", show_default="HOST:PID")] = "",
    drain_timeout: Annotated[
        float,
        typer.Option(
            min=0, metavar="SECONDS", help="How long running tasks may take to finish after a stop."
        ),
    ] = 30.0,
) -> None:
    """Run a worker: it takes tasks from a coordinator and runs them.

    Each child process imports the module and runs as many tasks at one time as it has threads; `async
    def` tasks share the event loop. Ctrl-C or SIGTERM finishes what runs and gives the rest back; a
    second one stops at once.

    For example: gesso worker -A proj.tasks --queues default,mail --threads 8
    """
    try:
        config = WorkerConfig(
            app=app,
            address=address,
            queues=tuple(queue.strip() for queue in queues.split(",")),
            processes=processes or 0,
            threads=threads,
            name=name,
            drain_timeout=timedelta(seconds=drain_timeout),
        )
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    sys.stdout.flush()
    sys.stderr.flush()
    # In place of this process, which has imported more than the parent of children may hold.
    os.execv(sys.executable, parent_command(config))  # noqa: S606 - our own program, no shell
