"""The scripts, as one library of functions in the store.

A library is named by its content, `gesso_<digest>`, and so are its functions: coordinators of two versions use the
same store side by side during a rolling update. It persists and replicates with the data.
"""

from __future__ import annotations

from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import NamedTuple

# In the order in which they use each other.
_PARTS = (
    "builtins", "keys", "rows", "nodes", "log", "canvases", "choice", "queues", "rings", "ready", "templates", "turns",
    "members", "graph", "joins", "limits", "dead", "call", "leases", "reports",
)  # fmt: skip
_FUNCTIONS = (
    "stage", "submit", "exchange", "hello", "renew", "leave", "sweep", "watch", "look", "outcomes", "grow",
    "cancel", "naming", "list", "revocations", "tasks", "limits", "rerun", "dead", "fleet", "ended", "standing",
    "amounts", "log",
)  # fmt: skip


class Library(NamedTuple):
    """The library's name and source."""

    name: str
    source: str

    def function(self, name: str) -> str:
        """Return the full name of one of its functions."""
        return f"{self.name}_{name}"


class Bounds(NamedTuple):
    """Numbers that the functions are made with; with others it is another library."""

    crashes: int = 3
    deliveries: int = 20
    dead_letters: int = 10_000


@cache
def library(bounds: Bounds = Bounds()) -> Library:  # noqa: B008  a value
    """Return the library of this version of the coordinator."""
    folder = files("gesso_server.store") / "scripts"
    texts = [(folder / "lib" / f"{part}.lua").read_text("utf-8") for part in _PARTS]
    # What is local in a function's file is nobody else's: Lua has room for 200 locals in one scope.
    texts += [f"do\n{(folder / f'{name}.lua').read_text('utf-8')}end" for name in _FUNCTIONS]
    body = "\n".join(texts)
    for field, number in bounds._asdict().items():
        body = body.replace(f"@{field.upper()}@", str(number))
    name = f"gesso_{sha256(body.encode()).hexdigest()[:12]}"
    return Library(name, f"#!lua name={name}\n" + body.replace("@LIBRARY@", name))
