"""Whether the store answers, told in the log once for each change, not once for each call that fails meanwhile.

Whoever calls repeats what fails, for as long as it takes: that would be thousands of lines that say the same.
"""

from __future__ import annotations

import logging
import time

from redis.exceptions import (
    AskError,
    BusyLoadingError,
    ClusterDownError,
    MasterDownError,
    MovedError,
    ReadOnlyError,
    RedisError,
    ResponseError,
    TryAgainError,
)

_log = logging.getLogger(__name__)

_NAMES: tuple[tuple[type[RedisError], str], ...] = (
    (BusyLoadingError, "LOADING"), (ReadOnlyError, "READONLY"), (MasterDownError, "MASTERDOWN"),
    (ClusterDownError, "CLUSTERDOWN"), (TryAgainError, "TRYAGAIN"), (MovedError, "MOVED"), (AskError, "ASK"),
)  # fmt: skip
_SILENT = "no answer"


class Health:
    """Which partitions do not answer, and why."""

    def __init__(self) -> None:
        self._failing: set[str] = set()
        self._told: set[str] = set()
        """The kinds of failures that were told since all was well."""
        self._since = 0.0

    def failed(self, key: str, kind: str) -> None:
        """Take note that a partition did not answer."""
        if not self._failing:
            self._since = time.monotonic()
        self._failing.add(key)
        if kind not in self._told:
            self._told.add(kind)
            _log.warning("store.unavailable partition=%s reason=%s", key, kind)

    def answered(self, key: str) -> None:
        """Take note that a partition has done what it does each second."""
        if key not in self._failing:
            return
        self._failing.discard(key)
        if not self._failing:
            self._told.clear()
            _log.info("store.available after=%.1fs", time.monotonic() - self._since)


def kind_of(error: RedisError | OSError) -> str:
    """Return what keeps a store from answering: its own word, or that there is no answer."""
    for kind, name in _NAMES:
        if isinstance(error, kind):
            return name
    word = str(error).partition(" ")[0]
    return word if isinstance(error, ResponseError) and word.isupper() else _SILENT
