"""What the command's exit codes mean, and the errors that lead to them."""

from __future__ import annotations

from enum import IntEnum
from typing import Final

__all__ = ["MEANING", "CommandError", "Exit"]


class Exit(IntEnum):
    """With what a command ends. Scripts rely on these."""

    OK = 0
    FAILED = 1
    """A task failed, or a process that had to run did."""
    REFUSED = 2
    """The command line is wrong, or what it asks for is refused."""
    UNREACHABLE = 3
    """No coordinator, or no store, answers; or it cannot for the moment."""
    TIMEOUT = 4
    """It did not end in time. It goes on."""
    INTERRUPTED = 130
    """Ctrl-C, as shells have it."""


MEANING: Final = (
    "Exit codes: 0 well; 1 a task or a process failed; 2 wrong or refused; 3 nobody answers; 4 timed out; "
    "130 interrupted."
)
"""One line for every command's help."""


class CommandError(Exception):
    """Ends the command. Its text is for the person who typed it, and says what to do.

    Attributes:
        code: With what the command ends.
    """

    def __init__(self, sentence: str, code: Exit = Exit.REFUSED) -> None:
        super().__init__(sentence)
        self.code = code
