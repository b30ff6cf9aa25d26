"""The process between an owner and its store where the kernel offers no parent-death signal.

Run by path with the lifeline's descriptor, the lock's descriptor and the store's command. It starts
the store, tells its owner the store's process id, and kills the store when the owner's end of the
lifeline closes: that is what a death, SIGKILL included, looks like from here. The standard library only.
"""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress

_SIGNALLED = 128  # a shell's exit code for a death by signal n is 128 + n


def main(arguments: Sequence[str]) -> int:
    """Run the store until it ends or its owner does; return its exit code."""
    lifeline_fd, lock_fd, *command = arguments
    lifeline = socket.socket(fileno=int(lifeline_fd))
    # The store holds the lock, so that nobody else appends to its file, and this end of the
    # lifeline, so that the owner knows whether it lives on should this process be killed.
    store = subprocess.Popen(command, pass_fds=(int(lifeline_fd), int(lock_fd)))
    _outlive_signals()
    threading.Thread(target=_kill_when_orphaned, args=(lifeline, store), daemon=True).start()
    code = store.wait()
    return code if code >= 0 else _SIGNALLED - code


def _kill_when_orphaned(lifeline: socket.socket, store: subprocess.Popen[bytes]) -> None:
    # An owner that dies before it has read the process id is a reset, not an end. It must not become a
    # traceback: printed while the interpreter ends, it held the lock for two seconds more.
    with suppress(OSError):
        lifeline.sendall(b"%d\n" % store.pid)
        lifeline.recv(1)
    store.kill()


def _outlive_signals() -> None:
    """Ignore what a terminal or a service manager sends to every process of a group."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
