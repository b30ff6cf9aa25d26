"""How a watch goes on after its connection was lost: with the token of the last message, while that may help."""

from __future__ import annotations

import logging
import time
from datetime import timedelta

from gesso.connection.backoff import backoff, jittered
from gesso.connection.refusals import repeatable
from gesso.errors import GessoError
from gesso.v1 import coordinator_service_pb2 as pb

__all__ = ["Resumption"]

logger = logging.getLogger(__name__)

_LIVED = timedelta(seconds=5)
"""A connection that lasted so long was one: what comes after it is a new trouble."""


class Resumption:
    """One watch, over however many connections.

    Attributes:
        request: What to ask for now.
    """

    def __init__(self, request: pb.WatchCanvasesRequest, patience: timedelta) -> None:
        """Begin.

        Args:
            request: What is watched.
            patience: How long nobody may answer.
        """
        self.request = request
        self._patience = patience
        self._attempts = 0
        self._trouble_since: float | None = None
        self._opened_at = 0.0

    def opening(self) -> None:
        """Take note that a connection is being opened."""
        self._opened_at = time.monotonic()

    def take(self, message: pb.WatchCanvasesResponse) -> None:
        """Take note of a message, behind which it goes on."""
        self.request.resume_token = message.resume_token
        self._attempts = 0
        self._trouble_since = None

    def pause(self, error: GessoError) -> float:
        """Return how many seconds to wait before it goes on after an error.

        Raises:
            GessoError: The error, if it has not ended by trying again, or will not.
        """
        now = time.monotonic()
        if now - self._opened_at > _LIVED.total_seconds():
            self._attempts, self._trouble_since = 0, None
        self._attempts += 1
        if self._trouble_since is None:
            self._trouble_since = now
        asked = repeatable(error)
        if asked is None or now - self._trouble_since > self._patience.total_seconds():
            raise error
        seconds = max(asked, jittered(backoff(self._attempts))).total_seconds()
        logger.info("A watch was lost (%s); it goes on in %.1f s.", error, seconds)
        return seconds
