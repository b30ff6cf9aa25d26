"""What pytest loads: the ini option and the fixtures. Nothing is imported or started before one is used.

gesso_module          where the tasks are: the ini option, or what a project's own fixture says
gesso_worker_options  how its worker is started
gesso_server          the coordinator and its store, once for the session
gesso_app             the project's app, connected to it, for one test
gesso_worker          the project's worker, started once for the session
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:  # else pytest would import gRPC in every run
    from gesso import App
    from gesso_pytest.system import Server, Worker, Workers

__all__ = ["gesso_app", "gesso_module", "gesso_server", "gesso_worker", "gesso_worker_options"]

_EXTRAS = ("grpc_health", "redis", "rich", "typer")
"""What comes with the server and the worker, and not with the client alone."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the ini option."""
    parser.addini(
        "gesso_module", "MODULE[:APP] with the tasks that gesso_worker runs, as for gesso worker -A."
    )


@pytest.fixture(scope="session")
def gesso_module(pytestconfig: pytest.Config) -> str:
    """Where the tasks are, `MODULE[:APP]`: the ini option of this name. Override it, in any scope, to say another."""
    return str(pytestconfig.getini("gesso_module") or "")


@pytest.fixture(scope="session")
def gesso_worker_options() -> Sequence[str]:
    """More options of `gesso worker`, such as `["--queues", "default,mail"]`. Override it to give some."""
    return ()


@pytest.fixture(scope="session")
def gesso_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A coordinator with an embedded store on a free port of this machine, until the session ends."""
    missing = [name for name in _EXTRAS if find_spec(name) is None]
    if missing:
        pytest.fail(
            f"The fixture gesso_server needs {', '.join(missing)}, which comes with the server and the worker: "
            "pip install 'gesso[server,worker]'.",
            pytrace=False,
        )
    from gesso_pytest.system import serving  # noqa: PLC0415 - imports gRPC

    with serving(tmp_path_factory.mktemp("gesso")) as server:
        yield server


@pytest.fixture
def gesso_app(gesso_server: Server, gesso_module: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[App]:
    """The app of `gesso_module`, or a new one if there is none, connected to `gesso_server` for this test."""
    from gesso_pytest.system import connected  # noqa: PLC0415 - imports gRPC

    with connected(gesso_module, gesso_server, monkeypatch) as app:
        # Where the test's own apps go, too, and the programs that it starts.
        monkeypatch.setenv("GESSO_ADDRESS", gesso_server.address)
        yield app


@pytest.fixture(scope="session")
def _gesso_workers(gesso_server: Server) -> Iterator[Workers]:
    """The workers of the session: one for each module and its options."""
    from gesso_pytest.system import Workers  # noqa: PLC0415 - imports gRPC

    with ExitStack() as stack:
        yield Workers(gesso_server, stack)


@pytest.fixture
def gesso_worker(
    gesso_app: App,  # noqa: ARG001 - the tasks that a test sends are to find this worker
    gesso_module: str,
    gesso_worker_options: Sequence[str],
    _gesso_workers: Workers,
) -> Iterator[Worker]:
    """A worker that runs the tasks of `gesso_module`. What it says in a test, pytest shows when the test fails."""
    if not gesso_module:
        pytest.fail(
            "The fixture gesso_worker must be told where the tasks are: set gesso_module = proj.tasks in pytest's "
            "configuration, or override the fixture gesso_module.",
            pytrace=False,
        )
    worker = _gesso_workers.get(gesso_module, gesso_worker_options)
    before = len(worker.said)
    yield worker
    if said := worker.said[before:]:
        print(f"The worker of {gesso_module} said:\n{said}")  # noqa: T201 - into what pytest captures
