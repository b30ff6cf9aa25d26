"""The process between `gesso dev` and one of its parts: it stops the part when dev dies, however that happens.

Run by path, with the descriptor of a pipe that dev holds the other end of, and the part's command line. That the
pipe ends is what a death, SIGKILL included, looks like from here. Not the kernel's parent-death signal: when a
starter with several threads is killed that one comes twice, and a part takes the second as a wish to end at once.
The standard library only.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from types import FrameType


def main(arguments: Sequence[str]) -> int:
    """Run the part until it ends; return its exit code, or die as it did."""
    pipe, *command = arguments
    asked = threading.Event()
    part: subprocess.Popen[bytes] | None = None

    def ask(_number: int, _frame: FrameType | None) -> None:
        asked.set()
        if part is not None:
            part.terminate()

    signal.signal(signal.SIGTERM, ask)
    part = subprocess.Popen(command)
    if asked.is_set():  # in the moment before there was somebody to tell
        part.terminate()
    threading.Thread(target=_stop_when_orphaned, args=(int(pipe), part), daemon=True).start()
    code = part.wait()
    if code < 0:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    return code


def _stop_when_orphaned(pipe: int, part: subprocess.Popen[bytes]) -> None:
    os.read(pipe, 1)
    part.terminate()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
