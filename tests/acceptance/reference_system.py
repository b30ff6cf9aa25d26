"""A coordinator and a worker that know the tasks of `support.canvas_tasks`, for a whole module of tests."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.canvas_tasks import LEDGER
from support.likeness import Live
from support.system import System


@contextmanager
def running(folder: Path) -> Generator[Live]:
    """Start them, and end them with the block.

    Args:
        folder: Where everything lies.
    """
    ledger = folder / "ledger"
    with pytest.MonkeyPatch.context() as patch, System(folder) as system:
        patch.setenv(LEDGER, str(ledger))
        coordinator = system.coordinator()
        system.worker(coordinator, processes=2, threads=4, module="support.canvas_tasks")
        yield Live(system.client(coordinator), ledger)
