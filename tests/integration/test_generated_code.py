"""The generated code that is committed is what the contract generates."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.timeout(400)  # the first run installs the generators
def test_regenerating_leaves_no_diff() -> None:
    """Everything in `client/gesso/v1` comes from `proto/gesso/v1` as it stands."""
    command = [sys.executable, str(ROOT / "tools" / "generate.py"), "--check"]

    done = subprocess.run(command, capture_output=True, text=True, timeout=390, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
