"""The command `gesso`.

Each of its commands is an entry point of the group `gesso.commands`: a function with typer's annotations. So
the server and the worker bring theirs along without this package knowing them, and one command never
pays for the imports of another.
"""

from __future__ import annotations

import sys

try:
    from gesso.cli import program
except ModuleNotFoundError as error:
    if error.name not in {"typer", "rich"}:
        raise
    _missing: str | None = error.name
else:
    _missing = None

__all__ = ["main"]


def main() -> None:
    """Run what the command line says, and exit with its code."""
    if _missing is not None:
        sys.exit(
            f"Error: The command gesso needs {_missing}, which comes with a worker or a server: "
            "pip install 'gesso[worker]' or 'gesso[server,worker]'."
        )
    sys.exit(program.run())
