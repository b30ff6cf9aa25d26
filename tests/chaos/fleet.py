"""Two coordinators, four workers and a store, as processes, with a wire between any two that talk."""

from __future__ import annotations

import os
import signal
from contextlib import ExitStack, suppress
from dataclasses import replace
from types import TracebackType
from typing import Self

from chaos.network import Wire
from gesso import App
from support.system import Coordinator, Program, StoreServer, System, addresses, port_of

COORDINATORS, WORKERS = 2, 4


class Fleet:
    """The processes. `wires_of_store[i]` and `wires_of_workers[i]` and `wires_of_clients[i]` are coordinator i's."""

    def __init__(self, system: System) -> None:
        """Start everything."""
        self._system = system
        self._stack = ExitStack()
        self.store: StoreServer = system.store()
        self.wires_of_store = [self._wire(port_of(self.store.store)) for _ in range(COORDINATORS)]
        self.coordinators: list[Coordinator] = [self._coordinator(number) for number in range(COORDINATORS)]
        self.wires_of_workers = [self._wire(port_of(each.address)) for each in self.coordinators]
        self.wires_of_clients = [self._wire(port_of(each.address)) for each in self.coordinators]
        self.workers: list[Program] = [self._worker() for _ in range(WORKERS)]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def client(self) -> App:
        """Return a client that knows both coordinators and waits for them for minutes."""
        there = [self._through(wire) for wire in self.wires_of_clients]
        return self._stack.enter_context(App("chaos-client", addresses(there), submit_timeout=120))

    # --- what is done to it --------------------------------------------------------------------

    def restart_store(self) -> None:
        """Kill the store and start it on its data."""
        self.store.program.kill()
        self.store = self._system.store(port=port_of(self.store.store))

    def restart_coordinator(self, number: int) -> None:
        """Kill a coordinator and start another in its place."""
        self.coordinators[number].program.kill()
        self.coordinators[number] = self._coordinator(number)

    def replace_coordinator(self, number: int) -> None:
        """Let a coordinator drain, and then start another in its place."""
        self.coordinators[number].program.terminate()
        self.coordinators[number].program.ended()
        self.coordinators[number] = self._coordinator(number)

    def restart_worker(self, number: int) -> None:
        """Kill a worker's parent, with which its processes end, and start another."""
        self.workers[number].kill()
        self.workers[number] = self._worker()

    def replace_worker(self, number: int) -> None:
        """Start a worker, and then let another one drain."""
        old, self.workers[number] = self.workers[number], self._worker()
        old.terminate()
        old.ended()

    def freeze(self, program: Program) -> None:
        """Stop a program with all of its processes."""
        os.killpg(program.process.pid, signal.SIGSTOP)

    def thaw(self, program: Program) -> None:
        """Let it go on."""
        os.killpg(program.process.pid, signal.SIGCONT)

    @staticmethod
    def kill(process_id: int) -> None:
        """Kill a process, if it is there."""
        with suppress(ProcessLookupError):
            os.kill(process_id, signal.SIGKILL)

    # --- inside --------------------------------------------------------------------------------

    def _wire(self, port: int) -> Wire:
        return self._stack.enter_context(Wire(port))

    def _through(self, wire: Wire) -> Coordinator:
        return replace(self.coordinators[0], address=f"127.0.0.1:{wire.port}")

    def _coordinator(self, number: int) -> Coordinator:
        known = getattr(self, "coordinators", None)
        port = port_of(known[number].address) if known else None
        store = replace(self.store, store=f"redis://127.0.0.1:{self.wires_of_store[number].port}")
        return self._system.coordinator(store=store, port=port)

    def _worker(self) -> Program:
        there = [self._through(wire) for wire in self.wires_of_workers]
        return self._system.worker(*there, processes=1, module="chaos.tasks")
