"""The blame page: what a child is running, kept where its parent can read it after the child's death.

The page is a small file without a name, mapped by the child and by its parent. Each slot has a record of its own,
which only the slot's thread writes: just before it calls a task, and again after. Nothing is locked and
nothing is flushed: what a process stored into a shared mapping is there however the process dies.

In front of the records stands when the parent looks at them next, by the clock that all processes of a machine share;
only the parent writes it. A record has when its task must have ended. So a child need not tell its parent of each
task that has a time limit: only of one that must end before the parent looks anyway (see `limit_watch`).

A record is its deadline and its token, and last a byte that says whether the token counts. A child that is killed
while it writes a record has not yet called the task, and the byte still says that the record is empty.
"""

from __future__ import annotations

import mmap
import os
import struct
import tempfile
from dataclasses import dataclass
from typing import IO, NamedTuple

from gesso_worker.token import Token

_LOOK = struct.Struct("<d")
# Deadline, nonce, attempt, length of the node's id, the id, and last whether the record counts.
_RECORD = struct.Struct("<d Q i H 241s")
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
    file.write(bytes(_page_bytes(slot_count)))
    file.flush()
    return file


def _page_bytes(slot_count: int) -> int:
    return _LOOK.size + slot_count * RECORD_BYTES


class Running(NamedTuple):
    """What a slot runs."""

    token: Token
    deadline: float
    """When it must have ended, by `time.monotonic`. 0 when it has no time limit."""


class BlamePage:
    """One child's records, mapped on both sides."""

    def __init__(self, descriptor: int, *, slot_count: int) -> None:
        """Map a file that `page_file` made for as many slots. It may be closed then."""
        self._slot_count = slot_count
        self._page = mmap.mmap(descriptor, _page_bytes(slot_count))

    def begin(self, slot: int, token: Token, deadline: float = 0.0) -> None:
        """Write that `slot` is about to run `token`. An id too long for a record is cut; it blames nobody."""
        node_id = token.node_id.encode()[:MAX_NODE_ID_BYTES]
        offset = _offset(slot)
        _RECORD.pack_into(self._page, offset, deadline, token.nonce, token.attempt, len(node_id), node_id)
        self._page[offset + _COUNTS] = 1

    def end(self, slot: int) -> None:
        """Write that `slot` runs nothing."""
        self._page[_offset(slot) + _COUNTS] = 0

    def running(self) -> tuple[Running, ...]:
        """Return what the page says is running, in the order of the slots."""
        return tuple(self._read(slot) for slot in range(self._slot_count) if self._counts(slot))

    @property
    def next_look(self) -> float:
        """When the parent looks for what must have ended, by `time.monotonic`. 0 when it does not."""
        found: float = _LOOK.unpack_from(self._page)[0]
        return found

    @next_look.setter
    def next_look(self, at: float) -> None:
        _LOOK.pack_into(self._page, 0, at)

    def close(self) -> None:
        """Unmap the page."""
        self._page.close()

    def _counts(self, slot: int) -> bool:
        return self._page[_offset(slot) + _COUNTS] == 1

    def _read(self, slot: int) -> Running:
        deadline, nonce, attempt, length, node_id = _RECORD.unpack_from(self._page, _offset(slot))
        return Running(Token(node_id[:length].decode(errors="replace"), attempt, nonce), deadline)


def _offset(slot: int) -> int:
    return _LOOK.size + slot * RECORD_BYTES


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadSession:
    """A child that died without a goodbye, as its parent saw it."""

    session_id: str
    crashed: tuple[Token, ...]
    """What it was running when it died, and did not die for. May be empty."""
    overran: tuple[Token, ...] = ()
    """What it was killed for, because it ran longer than its time limit."""
