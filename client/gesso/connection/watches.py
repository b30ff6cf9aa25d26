"""The watches of a process: each is a stream of its own, and goes on by itself when that breaks."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator, Iterator
from contextlib import closing
from datetime import timedelta
from typing import Any

import grpc

from gesso.connection.line import Line
from gesso.connection.refusals import from_rpc_error
from gesso.connection.resumption import Resumption
from gesso.errors import GessoError, Unavailable
from gesso.v1 import coordinator_service_pb2 as pb

__all__ = ["Watches"]


class Watches:
    """The streams of one line's watches."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._lock = threading.Lock()
        self._calls: set[Any] = set()
        self._closed = 0  # how often it was

    def follow(
        self, request: pb.WatchCanvasesRequest, patience: timedelta
    ) -> Iterator[pb.WatchCanvasesResponse]:
        """Yield the messages of a watch, over however many connections.

        Args:
            request: What to watch.
            patience: How long nobody may answer.

        Raises:
            GessoError: If it was refused, or nobody answered for too long.
        """
        resumption = Resumption(request, patience)
        closed = self._closed
        while True:
            try:
                with closing(self._stream(resumption)) as messages:
                    for message in messages:
                        resumption.take(message)
                        yield message
            except GessoError as error:
                if self._closed != closed:
                    raise Unavailable("the connection was closed", code="CANCELLED") from error
                time.sleep(resumption.pause(error))
            else:
                return

    def pause(self) -> None:
        """Let go of the streams, before a fork; they go on when the line is resumed."""
        with self._lock:
            calls = tuple(self._calls)
        for call in calls:
            call.cancel()

    def close(self) -> None:
        """End every watch."""
        self._closed += 1
        self.pause()

    def _stream(self, resumption: Resumption) -> Generator[pb.WatchCanvasesResponse, None, None]:
        """Yield the messages of one connection."""
        call: Any = None
        try:
            with self._line.service() as service:
                resumption.opening()
                call = service.WatchCanvases(resumption.request)
                with self._lock:
                    self._calls.add(call)
            yield from call
        except grpc.RpcError as error:
            found = from_rpc_error(error)
            if call is not None and call.code() is grpc.StatusCode.CANCELLED:  # by a fork, or by `close`
                found = Unavailable(str(found), code="CANCELLED")
            raise found from error
        except ValueError as error:  # the channel was closed between being had and being used
            raise Unavailable(str(error), code="CANCELLED") from error
        finally:
            if call is not None:
                call.cancel()
                with self._lock:
                    self._calls.discard(call)
