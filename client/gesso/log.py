"""A task's own log.

    from gesso.log import get_task_logger

    logger = get_task_logger(__name__)

Every record of it knows the task that wrote it: `task_id`, `task_name`, `canvas_id` and `attempt`, for a formatter of
the user's own, `%(task_id)s`. A worker's own format has them in every line that is written while a task runs.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

from gesso.request import current_request

__all__ = ["get_task_logger", "task_fields"]

_NAMES = ("task_id", "task_name", "canvas_id", "attempt")


def task_fields() -> Mapping[str, object]:
    """Return what a line of the log says of the task that runs; nothing outside of tasks."""
    request = current_request.get()
    if request is None:
        return {}
    values = (request.id, request.task, request.canvas_id, request.attempt)
    return dict(zip(_NAMES, values, strict=True))


class _TaskFilter(logging.Filter):
    """Lets everything pass, and tells each record of its task; None outside of tasks."""

    def filter(self, record: logging.LogRecord) -> bool:
        fields = task_fields()
        for name in _NAMES:
            setattr(record, name, fields.get(name))
        return True


_FILTER = _TaskFilter()


def get_task_logger(name: str) -> logging.Logger:
    """Return the logger of this name, whose records know the task that wrote them."""
    logger = logging.getLogger(name)
    logger.addFilter(_FILTER)  # once, however often it is added
    return logger
