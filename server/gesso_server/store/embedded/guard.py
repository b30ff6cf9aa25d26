"""How a store is made to die with its owner, even one that is killed with SIGKILL.

- **Parent-death signal**: on Linux, `setpriv --pdeathsig KILL` asks the kernel to kill the store
  when the thread that started it ends. Nothing runs in between: the program becomes the store.
- **Watcher**: elsewhere, a small process starts the store, reads from its owner's end of a socket
  pair, and kills the store when that end closes.

Never `preexec_fn`: it runs Python between fork and exec, where threads of gRPC hold locks.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path

_PROBE_LIMIT_SECONDS = 5

# The owner may die before setpriv has asked for the signal; the kernel then never sends it. By this
# line it has been asked for, so a parent that is still the owner cannot die unnoticed any more.
_UNLESS_ORPHANED = '[ "$PPID" = "$1" ] || exit 125; shift; exec "$@"'

# Run by path and isolated, not with -m: that would import this package and redis-py first, and keep
# 30 MB in memory for a process that waits.
_WATCHER = Path(__file__).with_name("watcher.py")


class Guard(StrEnum):
    """The way in which a store follows its owner."""

    PARENT_DEATH_SIGNAL = "parent_death_signal"
    WATCHER = "watcher"


def choose_guard() -> Guard:
    """Return the best guard that this machine has."""
    # Tried, not looked up: BusyBox's setpriv has no --pdeathsig.
    probe = ["setpriv", "--pdeathsig", "KILL", "--", "/bin/sh", "-c", "exit 0"]
    if sys.platform != "linux" or shutil.which("setpriv") is None:
        return Guard.WATCHER
    try:
        done = subprocess.run(probe, capture_output=True, timeout=_PROBE_LIMIT_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return Guard.WATCHER
    return Guard.PARENT_DEATH_SIGNAL if done.returncode == 0 else Guard.WATCHER


def signalled_command(command: Sequence[str]) -> list[str]:
    """Return the command line that runs `command` so that the kernel kills it when we die."""
    guarded = ["/bin/sh", "-c", _UNLESS_ORPHANED, "sh", str(os.getpid()), *command]
    return ["setpriv", "--pdeathsig", "KILL", "--", *guarded]


def watched_command(command: Sequence[str], *, lifeline_fd: int, lock_fd: int) -> list[str]:
    """Return the command line of a watcher that runs `command` while the lifeline is held."""
    return [sys.executable, "-I", "-S", str(_WATCHER), str(lifeline_fd), str(lock_fd), *command]
