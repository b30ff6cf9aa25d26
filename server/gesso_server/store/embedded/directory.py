"""A data directory and the lock that keeps it to one owner and one store at a time.

The lock (`flock` on `store.lock`) belongs to an open file, not to a process, and the store inherits
that file. So it is held until owner *and* store are dead, whichever goes first, and no second store
ever appends to the same file. The lock's file is never removed: whoever waits has it open.
A store that is killed while it rewrites its file leaves the rewriting child, which notices and ends
within about a second (measured), and holds the lock until then.
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Self

from gesso_server.store.embedded.address import read_address
from gesso_server.store.errors import StoreRefused

_LOCK_NAME = "store.lock"
_LOG_NAME = "store.log"
# Between two tries for the lock: flock offers no wait with a limit.
_RETRY = timedelta(milliseconds=20)


class DataDirectory:
    """A data directory that is ours until `release`."""

    def __init__(self, path: Path, lock_fd: int) -> None:
        self.path = path.absolute()
        self.lock_fd = lock_fd

    @classmethod
    async def claim(cls, path: Path, limit: timedelta) -> Self:
        """Make the directory if it is missing, and take its lock.

        Args:
            path: The directory.
            limit: Longest wait for an owner or its store that is about to end.

        Raises:
            StoreRefused: If it cannot be written, or is still another's after `limit`.
        """
        lock_fd = _open_lock(path)
        try:
            await _take_lock(lock_fd, path, limit)
        except BaseException:
            os.close(lock_fd)
            raise
        os.truncate(lock_fd, 0)
        os.pwrite(lock_fd, b"%d\n" % os.getpid(), 0)  # for the sentence that refuses the next one
        return cls(path, lock_fd)

    @property
    def log(self) -> Path:
        """Where the store writes its log."""
        return self.path / _LOG_NAME

    def remove_drafts(self) -> None:
        """Remove the rewrites that killed stores left unfinished; no server ever would. No store may run."""
        for draft in self.path.glob("temp-rewriteaof-*.aof"):
            draft.unlink(missing_ok=True)

    def release(self) -> None:
        """Give the directory up. The store must be dead. Repeating it is harmless."""
        if self.lock_fd >= 0:
            os.close(self.lock_fd)
            self.lock_fd = -1


def _open_lock(path: Path) -> int:
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        return os.open(path / _LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StoreRefused(
            f"The data directory {path} cannot be used: {error.strerror}. Choose one that can be written "
            f"with --data, or name a running store with --store."
        ) from error


async def _take_lock(lock_fd: int, path: Path, limit: timedelta) -> None:
    try:
        async with asyncio.timeout(limit.total_seconds()):
            while not _try_lock(lock_fd, path):  # noqa: ASYNC110 - no event tells of a free lock
                await asyncio.sleep(_RETRY.total_seconds())
    except TimeoutError as error:
        raise StoreRefused(_taken(lock_fd, path)) from error


def _try_lock(lock_fd: int, path: Path) -> bool:
    try:
        fcntl.flock(lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno == errno.EWOULDBLOCK:
            return False
        raise StoreRefused(
            f"The data directory {path} cannot be locked: {error.strerror}. Choose one on a local disk "
            f"with --data."
        ) from error
    return True


def _taken(lock_fd: int, path: Path) -> str:
    """Return why the directory is refused, and what to do."""
    owner = ""
    with suppress(ValueError):
        owner = f" (process {int(os.pread(lock_fd, 32, 0))})"
    address = read_address(path)
    join = f"join its store with --store {address.url}" if address else "join its store with --store"
    return (
        f"The data directory {path} belongs to another coordinator{owner}: stop that one, {join}, "
        f"or choose another directory with --data."
    )
