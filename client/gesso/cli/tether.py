"""Becomes another program that is told to stop when the process that started it dies, however that happens.

Run by path, with that process's id and the program's command line; the standard library only. The kernel keeps
the promise on Linux; elsewhere the program runs untethered, and
whoever kills its starter with SIGKILL has to end it too.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Sequence

_PR_SET_PDEATHSIG = 1  # from linux/prctl.h


def main(arguments: Sequence[str]) -> int:
    """Become the program; return 1 if its starter is dead already."""
    starter, *command = arguments
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != int(starter):  # it died before the kernel knew
        return 1
    return os.execv(command[0], command)  # noqa: S606 - no shell


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
