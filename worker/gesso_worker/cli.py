"""`gesso worker`: what a person types to start a worker."""

from __future__ import annotations

import os
import sys
from datetime import timedelta
from typing import Annotated

import typer

from gesso_telemetry.logs import LogFormat
from gesso_worker.config import DEFAULT_ADDRESS, WorkerConfig, parent_command


def app_command(  # noqa: PLR0913 - an option is an argument here
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
    max_tasks_per_child: Annotated[
        int | None,
        typer.Option(min=1, help="A child process is replaced after so many tasks.", show_default="never"),
    ] = None,
    max_memory_per_child: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="KIB",
            help="A child process that takes more memory is replaced.",
            show_default="never",
        ),
    ] = None,
    allow_shared_limits: Annotated[
        bool,
        typer.Option(
            "--allow-shared-limits",
            help="Run tasks with a hard time limit, or that are delivered at most once, beside others in one process.",
        ),
    ] = False,
    log_format: Annotated[
        LogFormat,
        typer.Option(envvar="GESSO_LOG_FORMAT", help="For a person, or a JSON object a line for a program."),
    ] = LogFormat.CONSOLE,
) -> None:
    """Run a worker: it takes tasks from a coordinator and runs them.

    Each child process imports the module and runs as many tasks at one time as it has threads; `async
    def` tasks share the event loop. Ctrl-C or SIGTERM finishes what runs and gives the rest back; a
    second one, or SIGQUIT, stops at once. With several threads, a task that would end its process is
    refused unless --allow-shared-limits says that the others may suffer for it.

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
            max_tasks_per_child=max_tasks_per_child or 0,
            max_memory_per_child=max_memory_per_child or 0,
            allow_shared_limits=allow_shared_limits,
            log_format=log_format,
        )
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    sys.stdout.flush()
    sys.stderr.flush()
    # In place of this process, which has imported more than the parent of children may hold.
    os.execv(sys.executable, parent_command(config))  # noqa: S606 - our own program, no shell
