"""The logs of Gesso's processes: one line an event, on the standard error, for people or for programs.

A call of ours names its event and its fields in the text it logs by, `"renew.failed partition=%d reason=%s"`, or gives
fields as `extra`; a text of any other form is a message. Beside these a line has what is known where it is logged: the
current span, the task that runs. Imports the standard library alone, because a worker's parent logs, too.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import TypeAlias

__all__ = ["ConsoleFormatter", "Fields", "JsonFormatter", "LogFormat", "LogLevel", "log_to_stderr"]

Fields: TypeAlias = Callable[[], Mapping[str, object]]
"""Returns what is known where something is logged."""

_KNOWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_EVENT = re.compile(r"[a-z_]+(?:\.[a-z_]+)+", re.ASCII)
_FIELDS = re.compile(r" (\w+)=%[\d.]*[sdfr]", re.ASCII)
_PLAIN = re.compile(r"[^\s\"=]+")
TRACEBACK = "traceback"
"""The field whose lines stand below the event's, for a person."""


class LogLevel(StrEnum):
    """How much is logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LogFormat(StrEnum):
    """For whom is logged: a person, or a program that reads a JSON object a line."""

    CONSOLE = "console"
    JSON = "json"


def _nothing() -> Mapping[str, object]:
    return {}


class _EventFormatter(logging.Formatter):
    """What both formats have in common."""

    def __init__(self, known: Fields = _nothing) -> None:
        super().__init__()
        self._known = known

    def fields(self, record: logging.LogRecord) -> tuple[str, dict[str, object]]:
        """Return the event's name, or `` for a message, and every field."""
        event, own = _event_of(record)
        given = {name: value for name, value in vars(record).items() if name not in _KNOWN}
        found = {**own, **given, **self._known()}
        return event, {name: value for name, value in found.items() if value is not None}


class ConsoleFormatter(_EventFormatter):
    """Writes `2026-11-21 12:00:00,000 ERROR gesso_server.store store.ended exit_code=1`."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, and below it what went wrong."""
        event, fields = self.fields(record)
        below = [str(fields.pop(TRACEBACK)).rstrip()] if TRACEBACK in fields else []
        if record.exc_info:
            below.append(self.formatException(record.exc_info))
        words = [
            event or str(fields.pop("message")),
            *(f"{name}={_shown(value)}" for name, value in fields.items()),
        ]
        line = f"{self.formatTime(record)} {record.levelname} {record.name} {' '.join(words)}"
        return "\n".join([line, *below])


class JsonFormatter(_EventFormatter):
    """Writes a JSON object: `time`, `level`, `logger`, `event` or `message`, and the fields."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        event, fields = self.fields(record)
        told: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
        }
        if event:
            told["event"] = event
        if record.exc_info:
            fields[TRACEBACK] = self.formatException(record.exc_info)
        return json.dumps(fields | told, default=str)


def log_to_stderr(level: LogLevel, form: LogFormat, known: Fields = _nothing) -> None:
    """Send the log of this process to the standard error, unless somebody has set up another way.

    Args:
        level: The least that is logged.
        form: How.
        known: What is known where something is logged.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter(known) if form is LogFormat.JSON else ConsoleFormatter(known))
    logging.basicConfig(level=level.upper(), handlers=[handler])


def _event_of(record: logging.LogRecord) -> tuple[str, dict[str, object]]:
    """Return the name of an event and the fields that its text has, or nothing and the message."""
    text, args = str(record.msg), record.args
    match = _EVENT.match(text)
    if match is None:
        return "", {"message": record.getMessage()}
    rest = text[match.end() :]
    names = _FIELDS.findall(rest)
    if _FIELDS.sub("", rest) or not isinstance(args, tuple) or len(names) != len(args):
        return match[0], {"message": record.getMessage()}
    plain = (str, int, float, bool)
    values = (arg if isinstance(arg, plain) or arg is None else str(arg) for arg in args)
    return match[0], dict(zip(names, values, strict=True))


def _shown(value: object) -> str:
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return text if _PLAIN.fullmatch(text) else json.dumps(text, ensure_ascii=False)
