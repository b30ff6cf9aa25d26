"""A pair of connected sockets by which an owner and what it watches over learn of each other's death.

The owner keeps one end; the watcher and the store share the other. Whoever reads the end of the
stream knows that every holder of the other end is gone.
"""

from __future__ import annotations

import os
import signal
import socket
from contextlib import suppress
from typing import Self

_LONGEST_PID_BYTES = 32


class Lifeline:
    """The owner's end, and until the watcher has started also the other one."""

    def __init__(self, ours: socket.socket, theirs: socket.socket) -> None:
        self._ours = ours
        self._theirs = theirs

    @classmethod
    def open(cls) -> Self:
        """Return a new lifeline with both ends here; neither is inherited unless asked for."""
        ours, theirs = socket.socketpair()
        return cls(ours, theirs)

    @property
    def their_fd(self) -> int:
        """The descriptor that the watcher inherits."""
        return self._theirs.fileno()

    def hand_over(self) -> None:
        """Close the other end here, once the watcher has it."""
        self._theirs.close()

    def hang_up(self) -> None:
        """Make the watcher kill the store. Repeating it is harmless."""
        with suppress(OSError):  # nobody is left to hear it
            self._ours.shutdown(socket.SHUT_WR)

    def bury(self) -> None:
        """Block until the store is dead, after the watcher has ended; kill it if it lives on.

        A watcher that ends by itself does so after its store. One that was killed leaves the store
        unguarded, and a second one started beside it would append to the same file.
        """
        with self._ours, suppress(ConnectionResetError):
            pid_text = self._ours.recv(_LONGEST_PID_BYTES)
            if pid_text and self._is_held():
                with suppress(ProcessLookupError):
                    os.kill(int(pid_text), signal.SIGKILL)
                self._ours.recv(1)

    def _is_held(self) -> bool:
        """Return whether anybody still has the other end."""
        try:
            return self._ours.recv(1, socket.MSG_DONTWAIT) != b""
        except BlockingIOError:
            return True
