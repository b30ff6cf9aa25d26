"""The system that tests run on: a coordinator with its store, the workers, and the app that is connected to it."""

from __future__ import annotations

import json
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from gesso import App
from gesso.canvas import set_current_app
from gesso.canvas.current import NoAppError, current_app
from gesso_pytest.process import Process, ProcessError, running
from gesso_worker.loading import LoadError, load_app

__all__ = ["Server", "Worker", "Workers", "connected", "serving"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A coordinator that serves."""

    address: str
    """Where it listens, as `App` takes it."""
    store: str
    """The URL of its store."""


@dataclass(frozen=True, slots=True)
class Worker:
    """A worker that is ready."""

    module: str
    process: Process = field(repr=False)

    @property
    def said(self) -> str:
        """What it and its tasks have printed and logged since it was started."""
        return self.process.said


@contextmanager
def serving(data: Path) -> Generator[Server]:
    """Run a coordinator whose embedded store has its data in `data`."""
    words = ["server", "--address", "127.0.0.1:0", "--data", str(data), "--output", "json"]
    with running("coordinator", words) as process:
        told = json.loads(_line(process, '"coordinator.ready"'))
        yield Server(address=told["address"], store=told["store"])


@dataclass(slots=True)
class Workers:
    """Workers, each started when it is first asked for, and stopped when `stack` is closed."""

    server: Server
    stack: ExitStack
    _ready: dict[tuple[str, ...], Worker] = field(default_factory=dict)

    def get(self, module: str, options: Sequence[str]) -> Worker:
        """Return the worker of a module, once it is ready."""
        key = (module, *options)
        if key not in self._ready:
            self._ready[key] = self._start(module, options)
        return self._ready[key]

    def _start(self, module: str, options: Sequence[str]) -> Worker:
        address = self.server.address
        # Whatever still runs when the session ends, nobody waits for.
        words = [
            "worker",
            "-A",
            module,
            "--address",
            address,
            "--processes",
            "1",
            "--drain-timeout",
            "0",
            *options,
        ]
        process = self.stack.enter_context(running("worker", words, GESSO_ADDRESS=address))
        _line(process, "worker ", " ready: ")
        return Worker(module, process)


@contextmanager
def connected(module: str, server: Server, monkeypatch: pytest.MonkeyPatch) -> Generator[App]:
    """Lend a module's app, or a new one, as the current one and connected to `server`."""
    before = _current()
    app = _app(module)
    monkeypatch.setattr(app, "_address", server.address)
    set_current_app(app)
    try:
        yield app
    finally:
        app.close()
        set_current_app(before)


def _app(module: str) -> App:
    if not module:
        return App("pytest")
    try:
        return load_app(module)
    except LoadError as error:
        pytest.fail(f"The fixture gesso_app {error}", pytrace=False)


def _current() -> App | None:
    try:
        app = current_app()
    except NoAppError:
        return None
    return app if isinstance(app, App) else None


def _line(process: Process, *parts: str) -> str:
    try:
        return process.line(*parts)
    except ProcessError as error:
        pytest.fail(str(error), pytrace=False)
