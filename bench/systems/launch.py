"""How each system is started: its store, its workers, and its client process."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from bench.deployment import Gesso
from bench.environments import environment
from bench.placement import Placement, placed, two_cpus
from bench.processes import Client, Program, ProgramError, python
from bench.store import peer_store, store_facts

PROCESSES = 2
"""Worker processes of every system."""
_ANSWER_S = 60.0
_DRAMATIQ_THREADS = 4

Start = Callable[[Path], AbstractContextManager["Running"]]
"""Starts a system whose files lie in a folder."""


@dataclass(frozen=True, slots=True)
class Running:
    """A system that runs."""

    client: Client
    conditions: dict[str, str]
    """How it runs, by name."""
    workers: Program | None = None
    """What stands still while another system is measured. None for what needs nothing when it is idle."""


@contextmanager
def run_gesso(
    folder: Path,
    environment: Mapping[str, str] | None = None,
    settings: Sequence[str] = (),
    placement: Placement | None = None,
) -> Generator[Running]:
    """Run one coordinator with its embedded store and settings, and workers, all of them with an environment.

    All of it is on one machine, as the peers are, which reach their stores by Unix sockets.
    """
    with Gesso(folder, environment, local=True, placement=placement) as gesso:
        coordinator = gesso.coordinator(settings)
        gesso.workers(PROCESSES)
        surroundings = {"GESSO_ADDRESS": coordinator.address, **(environment or {})}
        how = f"1 coordinator on a Unix socket, {PROCESSES} worker processes of 1 thread"
        name, cpu = "gesso", None
        if placement is not None:
            name, cpu = "gesso-placed", placement.workers
            how += f"; coordinator and store on CPU {placement.coordinators}, workers and client on CPU {cpu}"
        with placed(cpu):
            client = Client(name, [python(), "-m", "bench.driver", "gesso"], folder, surroundings)
        with client:
            yield Running(client, _told(client, name, how, gesso.store.text))


def run_gesso_placed(folder: Path) -> AbstractContextManager[Running]:
    """Run the same with a CPU for the coordinator and its store, and one for the workers and the client."""
    return run_gesso(folder, placement=two_cpus())


@contextmanager
def run_celery(folder: Path) -> Generator[Running]:
    """Run a prefork worker."""
    options = ["--pool", "prefork", "--concurrency", str(PROCESSES), "--queues", "default"]
    quiet = ["--loglevel", "WARNING", "--without-gossip", "--without-mingle", "--without-heartbeat"]
    command = ["-m", "celery", "-A", "bench.systems.celery_tasks", "worker", *options, *quiet]
    how = f"prefork {PROCESSES}, Redis transport and backend, prefetch 128 each, tasks acknowledged before they run"
    with _peer(folder, "celery", command, {}) as (client, store, workers):
        yield Running(client, _told(client, "celery", how, store), workers)


@contextmanager
def run_dramatiq(folder: Path) -> Generator[Running]:
    """Run workers."""
    options = ["--processes", str(PROCESSES), "--threads", str(_DRAMATIQ_THREADS), "--queues", "default"]
    command = ["-m", "dramatiq", "bench.systems.dramatiq_tasks", *options]
    told = {"dramatiq_queue_prefetch": "128", "dramatiq_worker_timeout": "10"}
    how = (
        f"{PROCESSES} processes of {_DRAMATIQ_THREADS} threads, Redis broker and results, prefetch 128, "
        "looks for work each 10 ms"
    )
    with _peer(folder, "dramatiq", command, told) as (client, store, workers):
        yield Running(client, _told(client, "dramatiq", how, store), workers)


@contextmanager
def run_limits(folder: Path) -> Generator[Running]:
    """Run a store alone, for what bounds Gesso."""
    with peer_store(folder) as socket:
        told = {"BENCH_STORE": str(socket)}
        with Client("limits", [python(), "-m", "bench.driver", "limits"], folder, told) as client:
            how = "one process calls the store; one sends frames to another"
            yield Running(client, _told(client, "limits", how, store_facts(f"unix://{socket}").text))


@contextmanager
def _peer(
    folder: Path, name: str, worker: list[str], told: dict[str, str]
) -> Generator[tuple[Client, str, Program]]:
    """Run a peer: a store, workers, and a client that they have answered."""
    interpreter = environment(name)
    with ExitStack() as stack:
        socket = stack.enter_context(peer_store(folder))
        told = told | {"BENCH_STORE": str(socket)}
        program = stack.enter_context(Program(f"{name}-worker", [interpreter, *worker], folder, told))
        client = stack.enter_context(Client(name, [interpreter, "-m", "bench.driver", name], folder, told))
        try:
            answer = client.ask({"workload": "call", "size": 1}, _ANSWER_S)
        except ProgramError as error:
            raise ProgramError(f"{error}; its worker: {program.last_lines()}") from error
        if "error" in answer:
            raise ProgramError(answer["error"])
        yield client, store_facts(f"unix://{socket}").text, program


def _told(client: Client, name: str, how: str, store: str) -> dict[str, str]:
    versions = client.ask({"workload": "versions"}, _ANSWER_S)["versions"]
    return {
        name: how,
        "versions": ", ".join(f"{each} {number}" for each, number in versions.items()),
        "store": store,
    }


SYSTEMS: MappingProxyType[str, Start] = MappingProxyType(
    {"gesso": run_gesso, "gesso-placed": run_gesso_placed, "celery": run_celery, "dramatiq": run_dramatiq}
)
"""By name, Gesso first."""
