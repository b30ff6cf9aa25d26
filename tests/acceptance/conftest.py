"""What the acceptance tests share: a system and a ledger."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from acceptance.tasks import Ledger
from support.system import System


@pytest.fixture
def system(tmp_path: Path) -> Iterator[System]:
    """Return a system without processes; those that the test starts end with it."""
    with System(tmp_path) as system:
        yield system


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """Return an empty ledger."""
    return Ledger(tmp_path)
