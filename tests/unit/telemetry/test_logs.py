"""Lines of the log: an event and its fields, for a person and for a program."""

from __future__ import annotations

import json
import logging

from gesso.log import get_task_logger
from gesso.request import Request, current_request
from gesso_telemetry.logs import ConsoleFormatter, JsonFormatter


def record(text: str, *args: object, **extra: object) -> logging.LogRecord:
    """Return a record that was logged by `text`."""
    return logging.makeLogRecord(
        {"levelname": "ERROR", "name": "gesso.x", "msg": text, "args": args, **extra}
    )


def said(text: str, *args: object, **extra: object) -> dict[str, object]:
    """Return a line for a program, without what every line has."""
    line = json.loads(JsonFormatter(lambda: {"trace_id": "ab"}).format(record(text, *args, **extra)))
    assert {line.pop(name) for name in ("level", "logger", "trace_id")} == {"error", "gesso.x", "ab"}
    del line["time"]
    return dict(line)


def test_fields_in_the_text_are_fields_of_the_line() -> None:
    """The text that an event is logged by names its fields, which keep their types."""
    assert said("renew.failed partition=%d reason=%s", 3, ValueError("no answer")) == {
        "event": "renew.failed",
        "partition": 3,
        "reason": "no answer",
    }


def test_extra_fields_are_fields_of_the_line() -> None:
    """What a call was given as `extra` stands beside the event's name."""
    assert said("store.ended", exit_code=1, nothing=None) == {"event": "store.ended", "exit_code": 1}


def test_text_that_is_no_event_is_a_message() -> None:
    """What users log stands in the line as it is; so does an event's text of another form."""
    assert said("Hello %s.", "you") == {"message": "Hello you."}
    assert said("x.y wanted=%d: or not", 1) == {"event": "x.y", "message": "x.y wanted=1: or not"}


def test_line_for_a_person_has_the_same() -> None:
    """The event comes first and its fields behind; a value with spaces has quotes, a traceback lines of its own."""
    line = ConsoleFormatter(lambda: {"span_id": "cd"}).format(
        record("child.died how=%s", "by signal 9", traceback="Traceback:\n  x\n")
    )

    assert line.endswith('ERROR gesso.x child.died how="by signal 9" span_id=cd\nTraceback:\n  x')


def test_exception_is_told() -> None:
    """The traceback of what is being handled is a field, and below the line for a person."""
    error = ValueError("boom")
    caught = record("coordinator.failed", exc_info=(ValueError, error, None))

    assert "ValueError: boom" in json.loads(JsonFormatter().format(caught))["traceback"]
    assert ConsoleFormatter().format(caught).endswith("\nValueError: boom")


def test_records_of_a_tasks_logger_know_the_task() -> None:
    """A formatter of the user's own can name the task; outside of tasks there is None."""
    logger = get_task_logger("proj.tasks")
    inside, outside = record("x"), record("x")
    logger.filter(outside)
    token = current_request.set(Request(id="t", node_id="ab-1", task="proj.add", attempt=2))
    try:
        logger.filter(inside)
    finally:
        current_request.reset(token)

    form = logging.Formatter("%(task_id)s %(task_name)s %(canvas_id)s %(attempt)s")
    assert (form.format(inside), form.format(outside)) == ("t proj.add ab 2", "None None None None")
