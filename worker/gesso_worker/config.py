"""What a worker is told: one frozen value, built once by whoever starts it.

It travels as JSON, from the command to the parent and from the parent to its children, so that each
of these processes has the same and none reads the environment again.
"""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from dataclasses import dataclass
from datetime import timedelta
from typing import Self

from gesso_telemetry.logs import LogFormat

DEFAULT_ADDRESS = "localhost:7365"
# The contract's bounds: Hello.slot_count, Hello.queues, Hello.worker.
MAX_THREADS = 1_000
MAX_QUEUES = 64
MAX_NAME_BYTES = 100  # of 128, so that the child's number fits behind it


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerConfig:
    """The settings of one worker: a parent and its children."""

    app: str
    """Where the tasks are: `MODULE` or `MODULE:APP`."""
    address: str = DEFAULT_ADDRESS
    """Coordinators, as `host:port`, several with commas between them. Each child connects to one."""
    queues: tuple[str, ...] = ("default",)
    """Queues that tasks are taken from. From 1 to 64."""
    processes: int = 0
    """How many children. 0 means one for each core."""
    threads: int = 1
    """How many tasks each child runs at one time. From 1 to 1,000."""
    name: str = ""
    """A name for people, at most 100 bytes. Empty means `host:pid` of the parent."""
    drain_timeout: timedelta = timedelta(seconds=30)
    """How long running tasks may take to finish once the worker was asked to stop."""
    max_tasks_per_child: int = 0
    """After so many tasks a child is replaced. 0 means never."""
    max_memory_per_child: int = 0
    """A child that takes more memory than so many KiB is replaced after the task that it runs. 0 means never."""
    allow_shared_limits: bool = False
    """Whether a child with more than one thread runs tasks that end its process: with a hard time limit, or that are
    delivered at most once. What runs beside such a task may be run again, or be given up, because of it."""
    log_format: LogFormat = LogFormat.CONSOLE
    """For whom is logged."""

    def __post_init__(self) -> None:
        """Raise ValueError, with a sentence for the person who typed it, for a setting out of its bounds."""
        _demand(bool(self.app), "The worker needs a module with tasks: -A MODULE or -A MODULE:APP.")
        _demand(bool(self.addresses()), "The address is empty; give HOST:PORT.")
        _demand(1 <= len(self.queues) <= MAX_QUEUES, f"A worker serves from 1 to {MAX_QUEUES} queues.")
        _demand(all(self.queues), "A queue's name is empty.")
        _demand(self.processes >= 0, "The number of processes is from 1, or 0 for one for each core.")
        _demand(1 <= self.threads <= MAX_THREADS, f"The number of threads is from 1 to {MAX_THREADS}.")
        _demand(len(self.name.encode()) <= MAX_NAME_BYTES, f"A name has at most {MAX_NAME_BYTES} bytes.")
        _demand(self.max_tasks_per_child >= 0, "The number of tasks of a child is from 1, or 0 for no limit.")
        _demand(self.max_memory_per_child >= 0, "The memory of a child is from 1 KiB, or 0 for no limit.")
        _demand(self.drain_timeout >= timedelta(0), "The time to drain cannot be negative.")

    def addresses(self) -> tuple[str, ...]:
        """Return each coordinator's address, in the order given."""
        return tuple(part.strip() for part in self.address.split(",") if part.strip())

    def process_count(self) -> int:
        """Return how many children to hold."""
        return self.processes or available_cores()

    def to_json(self) -> str:
        """Return the settings as one line of text; `from_json` reads it."""
        fields = dataclasses.asdict(self) | {"drain_timeout": self.drain_timeout.total_seconds()}
        return json.dumps(fields, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Return the settings that `to_json` wrote."""
        fields = json.loads(text)
        fields["queues"] = tuple(fields["queues"])
        fields["drain_timeout"] = timedelta(seconds=fields["drain_timeout"])
        fields["log_format"] = LogFormat(fields["log_format"])
        return cls(**fields)


def available_cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def parent_command(config: WorkerConfig) -> list[str]:
    """Return the command line that runs a worker's parent.

    A process of its own, because the parent must not hold what its starter has imported. With `-P`,
    so that a file of the user's in the working directory does not stand for a standard module.
    """
    return [sys.executable, "-P", "-m", "gesso_worker", config.to_json()]


def _demand(condition: bool, sentence: str) -> None:  # noqa: FBT001 - the condition is the argument
    if not condition:
        raise ValueError(sentence)
