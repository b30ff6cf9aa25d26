"""The live system that the guides' examples run on: a coordinator and two workers, started once."""

from __future__ import annotations

import importlib
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

import gesso
from guides.shell import LIMIT_SECONDS, Shell
from support.system import Coordinator, System, until

FOLDER = Path(__file__).parent
TAKEN_FOR_GRANTED = ("chain", "chord", "group", "signature", "IncompleteStream", "StampingVisitor", "Task")
"""What the guides' reader has imported."""


class Journal:
    """What tasks did that no result shows."""

    def __init__(self, path: Path) -> None:
        """Begin at its end."""
        self._path = path
        self._start = path.stat().st_size

    def lines(self) -> list[str]:
        """Return the lines written since it was begun."""
        with self._path.open() as file:
            file.seek(self._start)
            return file.read().splitlines()

    def has(self, *wanted: str) -> None:
        """Wait until these lines are there, each as often as it is wanted, in any order."""
        until(
            lambda: not Counter(wanted) - Counter(self.lines()),
            f"the journal has {wanted}",
            limit=LIMIT_SECONDS,
        )

    def count(self, start: str) -> int:
        """Return how many lines begin so."""
        return sum(line.startswith(start) for line in self.lines())


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """Return a system whose programs find the guides' modules, and where to write."""
    folder = tmp_path_factory.mktemp("guides")
    (folder / "errors").mkdir()
    (folder / "journal").touch()
    with pytest.MonkeyPatch.context() as patch, System(folder) as system:
        patch.syspath_prepend(FOLDER)
        patch.syspath_prepend(folder)
        patch.setenv("GUIDES_JOURNAL", str(folder / "journal"))
        patch.setenv("GUIDES_ERRORS", str(folder / "errors"))
        yield system


@pytest.fixture(scope="session")
def coordinator(system: System) -> Iterator[Coordinator]:
    """Return the coordinator, which new apps find."""
    coordinator = system.coordinator()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GESSO_ADDRESS", coordinator.address)
        yield coordinator
        gesso.App("proj").close()


@pytest.fixture(scope="session")
def live(system: System, coordinator: Coordinator) -> System:
    """Return the system with its workers, which know the tasks of `proj.tasks` and of `tasks`."""
    system.worker(coordinator, processes=2, module="proj.tasks")
    system.worker(coordinator, module="tasks")
    return system


@pytest.fixture(autouse=True)
def guide(request: pytest.FixtureRequest) -> str:
    """Return the file of the guide that the example stands in."""
    return str(getattr(request, "param", ""))


@pytest.fixture
def journal(live: System) -> Journal:
    """Return the journal, empty as far as this test sees."""
    return Journal(live.folder / "journal")


@pytest.fixture
def errors(live: System) -> Path:
    """Return the folder that error links write into."""
    return live.folder / "errors"


@pytest.fixture
def shell(live: System) -> Shell:  # noqa: ARG001 - it must run
    """Return a shell with the tasks of `proj.tasks`, as the guides mostly have them, and what gesso offers."""
    return made("proj.tasks")


@pytest.fixture
def plain_shell(live: System) -> Shell:  # noqa: ARG001 - it must run
    """Return a shell with the tasks of `tasks`, as some of the guides' sections have them."""
    return made("tasks")


def made(tasks: str) -> Shell:
    """Return a shell with the tasks of a module."""
    module = importlib.import_module(tasks)
    app = gesso.App("proj")  # for what an example declares; it is the current one
    known: dict[str, Any] = {name: getattr(gesso, name) for name in TAKEN_FOR_GRANTED}
    known |= {"uuid4": uuid4, "os": os, "app": app}
    known |= {name: value for name, value in vars(module).items() if isinstance(value, gesso.Task)}
    return Shell(known | {"__name__": tasks})  # what an example declares is one of the module's tasks
