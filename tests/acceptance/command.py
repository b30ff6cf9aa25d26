"""The command `gesso` as a person or a script runs it: to its end, or in a terminal."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import threading
from dataclasses import dataclass
from typing import Self

from support.system import LIMIT_SECONDS, TESTS, until

WIDE = {"COLUMNS": "200", "TERM": "xterm-256color"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What came of a command."""

    code: int
    out: str
    err: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """The command, in an environment of its own."""

    address: str = "localhost:1"
    """Where it looks for a coordinator; by default there is none."""

    def run(self, *words: str, stdin: str = "", prelude: str = "", **environment: str) -> Done:
        """Run it to its end.

        Args:
            words: What follows `gesso`.
            stdin: What it reads.
            prelude: Python that runs before it, in its process.
            environment: More variables.
        """
        done = subprocess.run(
            command_line(*words, prelude=prelude), env=self.environment(**environment), input=stdin,
            capture_output=True, text=True, timeout=LIMIT_SECONDS, check=False,
        )  # fmt: skip
        return Done(code=done.returncode, out=done.stdout, err=done.stderr)

    def environment(self, **more: str) -> dict[str, str]:
        """Return the variables that it runs with."""
        paths = os.pathsep.join([str(TESTS), *(path for path in sys.path if path)])
        return os.environ | {"GESSO_ADDRESS": self.address, "PYTHONPATH": paths} | more


def command_line(*words: str, prelude: str = "") -> list[str]:
    """Return the command line that runs it."""
    if not prelude:
        return [sys.executable, "-P", "-m", "gesso", *words]
    program = f"{prelude}\nfrom gesso.cli import main\nmain()"
    return [sys.executable, "-P", "-c", program, *words]


class Terminal:
    """The command with its errors on a terminal, where a person looks.

    Attributes:
        process: The command.
    """

    def __init__(self, command: Command, *words: str, **environment: str) -> None:
        """Start it."""
        self._screen, theirs = pty.openpty()
        self._shown = b""
        self.process = subprocess.Popen(
            command_line(*words), env=command.environment(**WIDE, **environment), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=theirs, text=True,
        )  # fmt: skip
        os.close(theirs)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def shown(self) -> str:
        """Everything that it has written on the terminal."""
        return self._shown.decode(errors="replace")

    def shows(self, text: str) -> None:
        """Wait until it has written `text`."""
        until(lambda: text in self.shown, f"the terminal shows {text!r}")

    def ended(self) -> str:
        """Wait for its end and return its standard output."""
        out, _ = self.process.communicate(timeout=LIMIT_SECONDS)
        self._reader.join(LIMIT_SECONDS)
        return out

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()
        self._reader.join(LIMIT_SECONDS)
        os.close(self._screen)

    def _read(self) -> None:
        while True:
            try:
                chunk = os.read(self._screen, 65_536)
            except OSError:  # Linux: nobody has the other end any more
                return
            if not chunk:  # macOS: likewise
                return
            self._shown += chunk
