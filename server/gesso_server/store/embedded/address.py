"""Where an embedded store is reached: a socket in a short private directory, named in a file.

The socket does not lie in the data directory, whose path may be long: a socket's path has 107 bytes
at most. The file `store.address` in the data directory holds its URL, so that a second coordinator,
or a person, can join the store. After an owner was killed its successor takes the same path again,
and whoever had joined finds the store where it was.
"""

from __future__ import annotations

import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from gesso_server.store.errors import StoreRefused

_FILE_NAME = "store.address"
_SOCKET_NAME = "store.sock"
_PREFIX = "gesso-"
# The size of sockaddr_un.sun_path, less the closing zero.
_LONGEST_SOCKET_PATH_BYTES = 103 if sys.platform == "darwin" else 107


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreAddress:
    """Where an embedded store listens."""

    socket: Path

    @property
    def url(self) -> str:
        """The address as `--store` takes it."""
        return f"unix://{quote(str(self.socket))}"


def default_socket_root(environ: Mapping[str, str]) -> Path:
    """Return where sockets' directories are made: the user's runtime directory, else `/tmp`."""
    root = Path(environ.get("XDG_RUNTIME_DIR") or "/")
    # Under sudo the variable may still name another user's directory.
    if root.is_absolute() and root != Path("/") and _is_private(root):
        return root
    return Path("/tmp")  # noqa: S108 - a private directory is made in it


def open_address(data_directory: Path, socket_root: Path) -> StoreAddress:
    """Make a private directory for the socket, and write its address into the data directory.

    Only the holder of the data directory's lock may call it.

    Raises:
        StoreRefused: If the socket's path is longer than the system can take, or cannot be made.
    """
    try:
        socket = _previous_socket(data_directory, socket_root) or _new_socket(socket_root.absolute())
    except OSError as error:
        raise StoreRefused(
            f"The store's socket cannot be made in {socket_root}: {error.strerror}. Name a directory that "
            f"can be written with XDG_RUNTIME_DIR."
        ) from error
    address = StoreAddress(socket=socket)
    _write(data_directory / _FILE_NAME, f"{address.url}\n")
    return address


def read_address(data_directory: Path) -> StoreAddress | None:
    """Return where the store on `data_directory` was last said to listen, if anywhere."""
    try:
        text = (data_directory / _FILE_NAME).read_text()
    except OSError:
        return None
    parts = urlsplit(text.strip())
    return StoreAddress(socket=Path(unquote(parts.path))) if parts.scheme == "unix" else None


def close_address(data_directory: Path, address: StoreAddress) -> None:
    """Remove the socket's directory and the file that names it. Repeating it is harmless."""
    (data_directory / _FILE_NAME).unlink(missing_ok=True)
    shutil.rmtree(address.socket.parent, ignore_errors=True)


def _previous_socket(data_directory: Path, socket_root: Path) -> Path | None:
    """Return the path a killed owner left behind, if it is as private as a new one would be."""
    previous = read_address(data_directory)
    if previous is None or previous.socket.name != _SOCKET_NAME:
        return None
    directory = previous.socket.parent
    ours = directory.parent == socket_root.absolute() and directory.name.startswith(_PREFIX)
    return previous.socket if ours and _is_private(directory) else None


def _new_socket(socket_root: Path) -> Path:
    directory = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=socket_root))  # mode 0700
    socket = directory / _SOCKET_NAME
    if len(os.fsencode(socket)) > _LONGEST_SOCKET_PATH_BYTES:
        directory.rmdir()
        raise StoreRefused(
            f"The store's socket would be {socket}, but the path of a socket has "
            f"{_LONGEST_SOCKET_PATH_BYTES} bytes at most: set XDG_RUNTIME_DIR to a shorter directory."
        )
    return socket


def _is_private(directory: Path) -> bool:
    """Return whether it is a directory, no link, that only this user can enter."""
    try:
        status = directory.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid() and not status.st_mode & 0o077


def _write(path: Path, text: str) -> None:
    """Write a whole file at once: a reader sees the old text or the new."""
    draft = path.with_name(f"{path.name}.new")
    draft.write_text(text)
    draft.replace(path)
