"""Gesso as processes: coordinators on one store, and workers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from bench.placement import Placement, placed
from bench.processes import Program, ProgramError, python, tree
from bench.store import StoreFacts, store_facts

_TASKS = "bench.systems.gesso_tasks"


@dataclass(frozen=True, slots=True)
class Coordinator:
    """A coordinator that serves."""

    address: str
    program: Program


class Gesso:
    """The processes of one deployment. The first coordinator has the store embedded; the others join it."""

    def __init__(
        self,
        folder: Path,
        environment: Mapping[str, str] | None = None,
        *,
        local: bool = False,
        placement: Placement | None = None,
    ) -> None:
        """Nothing runs yet; everything will lie in `folder`, and every process is told `environment` besides.

        With `local` the coordinator, which is then the only one, listens on a Unix socket. With a placement every
        process runs on one of its CPUs.
        """
        self._coordinators_cpu = None if placement is None else placement.coordinators
        self._workers_cpu = None if placement is None else placement.workers
        self._folder = folder
        self._listen = f"unix:{folder / 'coordinator.sock'}" if local else "127.0.0.1:0"
        self._environment = environment
        self._stack = ExitStack()
        self._store_url = ""
        self.coordinators: list[Coordinator] = []
        self.worker_programs: list[Program] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    @property
    def store(self) -> StoreFacts:
        """The store as it is now."""
        return store_facts(self._store_url)

    @property
    def address(self) -> str:
        """Every coordinator's address, as clients and workers take them."""
        return ",".join(coordinator.address for coordinator in self.coordinators)

    def coordinator(self, settings: Sequence[str] = ()) -> Coordinator:
        """Start a coordinator with settings `NAME=VALUE`, and wait until it serves."""
        where = (
            ["--store", self._store_url]
            if self.coordinators
            else ["--data", str(self._folder / "gesso-data")]
        )
        name = f"coordinator-{len(self.coordinators)}"
        command = ["server", "--address", self._listen, *where, "--output", "json"]
        command += [f"--set={text}" for text in settings]
        with placed(self._coordinators_cpu):
            program = self._program(name, command)
        told = json.loads(program.line('"coordinator.ready"'))
        self._store_url = told["store"]
        self.coordinators.append(Coordinator(told["address"], program))
        return self.coordinators[-1]

    def workers(self, processes: int, queue: str = "default") -> Program:
        """Start a worker with so many processes of one thread, and wait until all are ready."""
        options = ["-A", _TASKS, "--address", self.address, "--processes", str(processes), "--queues", queue]
        with placed(self._workers_cpu):
            program = self._program(f"worker-{len(self.worker_programs)}", ["worker", *options])
        program.line(" ready: ")
        self.worker_programs.append(program)
        return program

    def members(self) -> dict[str, list[int]]:
        """Return the processes of each part: coordinator, worker, store."""
        store = self.store.process
        coordinators = {
            number
            for each in self.coordinators
            for number in tree(each.program.process.pid)
            if number != store
        }
        workers = [number for program in self.worker_programs for number in tree(program.process.pid)]
        return {"coordinator": sorted(coordinators), "worker": workers, "store": [store]}

    def check(self) -> None:
        """Return if everything still runs.

        Raises:
            ProgramError: If something has ended.
        """
        for program in (*(each.program for each in self.coordinators), *self.worker_programs):
            if program.process.poll() is not None:
                raise ProgramError(f"{program.name} ended: {program.last_lines()}")

    def _program(self, name: str, words: list[str]) -> Program:
        command = [python(), "-P", "-m", "gesso", *words]
        return self._stack.enter_context(Program(name, command, self._folder, self._environment))
