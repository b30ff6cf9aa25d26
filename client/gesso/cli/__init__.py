"""The command `gesso`.

Each of its commands is an entry point of the group `gesso.commands`: a function with typer's annotations. So
the server and the worker bring theirs along without this package knowing them, and one command never
pays for the imports of another.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

try:
    from gesso.cli.program import run
except ModuleNotFoundError as error:
    if error.name not in {"typer", "rich"}:
        raise
    _sentence = (
        f"Error: The command gesso needs {error.name}, which comes with a worker or a server: "
        "pip install 'gesso[worker]' or 'gesso[server,worker]'."
    )
    _run: Callable[[], int | str] = lambda: _sentence  # noqa: E731 - in place of what is not there
else:
    _run = run

__all__ = ["main"]


def main() -> None:
    """Run what the command line says, and exit with its code."""
    sys.exit(_run())
