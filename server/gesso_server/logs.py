"""The coordinator's log: one line an event, its fields behind its name, on the standard error."""

from __future__ import annotations

import logging
from enum import StrEnum

_KNOWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class LogLevel(StrEnum):
    """How much is logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LineFormatter(logging.Formatter):
    """Writes `2026-11-21 12:00:00,000 INFO store.ended exit_code=1`."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        """Return the line, the fields that were given as `extra` included."""
        fields = [f" {name}={value}" for name, value in vars(record).items() if name not in _KNOWN]
        return super().formatMessage(record) + "".join(fields)


def log_to_stderr(level: LogLevel) -> None:
    """Send the log of this process to the standard error."""
    handler = logging.StreamHandler()
    handler.setFormatter(LineFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler])
