"""The blame page: what a child is running, kept where its parent can read it after the child's death.

The page is a small file without a name, mapped by the child and by its parent. Each slot has a record of its own,
which only the slot's thread writes: just before it calls a task, and again after. Nothing is locked and
nothing is flushed: what a process stored into a shared mapping is there however the process dies.

A record is its token, and last a byte that says whether the token counts. A child that is killed
while it writes a record has not yet called the task, and the byte still says that the record is empty.
"""

from __future__ import annotations

import mmap
import os
import struct
import tempfile
from dataclasses import dataclass
from typing import IO

from gesso_worker.token import Token

# Nonce, attempt, length of the node's id, the id, and last whether the record counts.
_RECORD = struct.Struct("<Q i H 241s")
_COUNTS = _RECORD.size  # offset of the last byte in a record
RECORD_BYTES = _RECORD.size + 1
MAX_NODE_ID_BYTES = 241
_MEMORY = "/dev/shm"  # noqa: S108 - the file has no name in it


def record_count(threads: int) -> int:
    """Return how many records a child with as many threads needs.

    Record `i` is its thread's, record `threads + i` its coroutine's: the two kinds run side by side
    for a moment when a slot changes from one to the other.
    """
    return 2 * threads


def page_file(*, slot_count: int) -> IO[bytes]:
    """Return a new file for a page, with every record empty.

    It has no name, so it is gone with the last process that has it; and it is kept in memory where
    there is a folder for that, so that no disk is written.
    """
    folder = _MEMORY if os.access(_MEMORY, os.W_OK | os.X_OK) else None
    file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - the caller closes it
    # Written, not only made so long: a page that finds no room when it is first touched kills the process.
    file.write(bytes(slot_count * RECORD_BYTES))
    file.flush()
    return file


class BlamePage:
    """One child's records, mapped on both sides."""

    def __init__(self, descriptor: int, *, slot_count: int) -> None:
        """Map a file that `page_file` made for as many slots. It may be closed then."""
        self._slot_count = slot_count
        self._page = mmap.mmap(descriptor, slot_count * RECORD_BYTES)

    def begin(self, slot: int, token: Token) -> None:
        """Write that `slot` is about to run `token`. An id too long for a record is cut; it blames nobody."""
        node_id = token.node_id.encode()[:MAX_NODE_ID_BYTES]
        offset = slot * RECORD_BYTES
        _RECORD.pack_into(self._page, offset, token.nonce, token.attempt, len(node_id), node_id)
        self._page[offset + _COUNTS] = 1

    def end(self, slot: int) -> None:
        """Write that `slot` runs nothing."""
        self._page[slot * RECORD_BYTES + _COUNTS] = 0

    def running(self) -> tuple[Token, ...]:
        """Return what the page says is running, in the order of the slots."""
        return tuple(self._token(slot) for slot in range(self._slot_count) if self._counts(slot))

    def close(self) -> None:
        """Unmap the page."""
        self._page.close()

    def _counts(self, slot: int) -> bool:
        return self._page[slot * RECORD_BYTES + _COUNTS] == 1

    def _token(self, slot: int) -> Token:
        nonce, attempt, length, node_id = _RECORD.unpack_from(self._page, slot * RECORD_BYTES)
        return Token(node_id[:length].decode(errors="replace"), attempt, nonce)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadSession:
    """A child that died without a goodbye, as its parent saw it."""

    session_id: str
    crashed: tuple[Token, ...]
    """What it was running when it died. May be empty."""
