"""What goes wrong with a task in the worker itself, before or after the user's code.

    WorkerError
    ├── PayloadUndecodable   arguments or an input that this worker cannot read
    ├── ResultUnencodable    a value that cannot be put on the wire
    ├── ResultTooLarge       a value that is too large for it
    ├── CanvasTooLarge       a canvas to go on with that is too large for it
    ├── InputUnavailable     the value of the step before cannot be read
    └── SharedProcess        it would end the process, which other tasks share

Each ends the task as a failure of its own, and a retry would not help: the report says so.
"""

from __future__ import annotations


class WorkerError(Exception):
    """The task failed, not because of what its function did."""


class PayloadUndecodable(WorkerError):
    """Arguments or an input are in an encoding that this worker does not know, or are not what it says."""


class ResultUnencodable(WorkerError):
    """The function returned something that cannot be put on the wire."""


class ResultTooLarge(WorkerError):
    """The function returned more than a result may hold.

    Attributes:
        size_bytes: How large it is when encoded.
        limit_bytes: How large it may be.
    """

    def __init__(self, size_bytes: int, limit_bytes: int) -> None:
        """Say it in a sentence."""
        super().__init__(
            f"The result takes {size_bytes:,} bytes, and at most {limit_bytes:,} are allowed."
            " Store it elsewhere and return where it is."
        )
        self.size_bytes = size_bytes
        self.limit_bytes = limit_bytes


class CanvasTooLarge(WorkerError):
    """The task asked for a canvas in its place, or for more members of its join, than a report may hold."""

    def __init__(self, size_bytes: int, limit_bytes: int) -> None:
        """Say it in a sentence."""
        super().__init__(
            f"What the task goes on with takes {size_bytes:,} bytes, and at most {limit_bytes:,} are sent with it."
            " Let its tasks read where their arguments are, or submit it as a canvas of its own."
        )


class SharedProcess(WorkerError):
    """The task would end its process, which it shares, and the worker was not told to accept that."""

    def __init__(self) -> None:
        """Say it in a sentence."""
        super().__init__(
            "A task with a hard time limit, or that is delivered at most once, does not run in a process with"
            " several slots, since its end takes the others along: start the worker with --threads 1, or with"
            " --allow-shared-limits."
        )


class InputUnavailable(WorkerError):
    """The coordinator does not give out the value of the step before."""
