"""Each peer in an environment of its own, made when it is first needed and again when its pins change."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

from bench.processes import ROOT, ProgramError

ENVIRONMENTS = ROOT / ".venv-bench"
_PEERS = ROOT / "bench" / "peers"
_LIMIT_S = 600


def environment(peer: str) -> Path:
    """Return the Python of a peer's environment.

    Raises:
        ProgramError: If it cannot be made here.
    """
    folder = ENVIRONMENTS / peer
    wanted, pins = _PEERS / f"{peer}.in", _PEERS / "constraints.txt"
    digest = hashlib.sha256(wanted.read_bytes() + pins.read_bytes() + sys.version.encode()).hexdigest()
    mark, found = folder / ".setup", folder / "bin" / "python"
    if mark.exists() and mark.read_text() == digest and found.exists():
        return found
    print(f"Making {folder.relative_to(ROOT)} …", file=sys.stderr)
    pip = [str(found), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    _run([sys.executable, "-m", "venv", "--clear", str(folder)])
    _run([*pip, "-c", str(pins), "-r", str(wanted)])
    mark.write_text(digest)
    return found


def _run(command: list[str]) -> None:
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=_LIMIT_S)
    except (OSError, subprocess.SubprocessError) as error:
        said = (getattr(error, "stderr", "") or str(error)).strip().splitlines()
        raise ProgramError(f"not installed: {said[-1] if said else error}") from error
