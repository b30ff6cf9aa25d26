"""`app.control`: lists of what was sent, stopping it by id or by stamp, running what failed again, and limits."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from gesso.canvas.wire_options import write_stamps
from gesso.limits import Limit
from gesso.listing import CanvasInfo, Instant, canvases_request
from gesso.v1 import coordinator_service_pb2 as pb
from gesso.v1 import operations_service_pb2 as operations

if TYPE_CHECKING:
    from gesso.app import App
    from gesso.result import Result

__all__ = ["Control", "own_canvas_id", "revocation", "stamped_revocation"]

_OWN_ID = re.compile(r"([0-9a-f]{32})(?:-\d+)?")
"""A canvas's id, or a node's own."""


class Control:
    """What Celery's `app.control` has of revoking and of limits, and the same for whole canvases.

    Args:
        app: Whose tasks.
    """

    def __init__(self, app: App) -> None:
        self._app = app

    def revoke(self, task_id: str | Iterable[str], terminate: bool = False) -> None:  # noqa: FBT001, FBT002 - Celery's
        """Revoke tasks that have not ended, by their ids.

        Args:
            task_id: One id, or several.
            terminate: Whether those that run are killed. By default they are told.
        """
        self._app.coordinator.revoke_nodes(revocation(task_id, terminate=terminate))

    def revoke_by_stamped_headers(
        self,
        headers: Mapping[str, Any],
        terminate: bool = False,  # noqa: FBT001, FBT002 - Celery's
    ) -> None:
        """Revoke whatever bears one of the stamps: what waits when its turn to run comes, what runs now.

        It holds for a week, also for what is submitted later.

        Args:
            headers: Stamps, each with a value or a list of values.
            terminate: Whether what runs is killed. By default it is told.
        """
        self._app.coordinator.revoke_nodes(stamped_revocation(headers, terminate=terminate))

    def rate_limit(self, task_name: str, rate_limit: str | float | None) -> None:
        """Limit how many tasks of a name are handed to workers in a time, over all workers together.

        Args:
            task_name: The task's name. A concurrency limit that it has stays.
            rate_limit: `'10/m'`, or a number for as many a second. None and 0 mean any number.
        """
        known = next((limit.concurrency for limit in self.limits() if limit.key == task_name), None)
        self.limit(task_name, rate=rate_limit, concurrency=known)

    def limit(self, key: str, *, rate: str | float | None = None, concurrency: int | None = None) -> None:
        """Set the limits of a key in place of those that it has; with neither they are removed.

        Args:
            key: A task's name, or a `concurrency_key`.
            rate: `'10/m'`, or a number for as many a second.
            concurrency: How many tasks workers may hold at one time.
        """
        request = operations.SetLimitRequest()
        Limit(key=key, rate=rate, concurrency=concurrency).write(request)
        self._app.coordinator.operate(lambda stub: stub.SetLimit, request)

    def limits(self) -> list[Limit]:
        """Return all limits, by key."""
        response = self._app.coordinator.operate(lambda stub: stub.ListLimits, operations.ListLimitsRequest())
        return list(map(Limit.read, response.limits))

    def canvases(
        self,
        *,
        state: str | Iterable[str] = (),
        task: str | None = None,
        stamps: Mapping[str, Any] | None = None,
        since: Instant | None = None,
        until: Instant | None = None,
        limit: int | None = None,
    ) -> Iterator[CanvasInfo]:
        """Yield canvases, the newest first; pages are asked for as they are needed. All that is given must hold.

        Args:
            state: `'ACTIVE'`, `'SUCCEEDED'`, `'FAILED'`, `'CANCELLED'` or `'EXPANDING'`, or several of them.
            task: Name of a task that it has.
            stamps: Stamps that it bears, each with a value, or a list of which it bears one; with None any will do.
            since: Accepted then or later: an instant, or how long ago.
            until: Accepted before then.
            limit: How many at the most.

        Raises:
            ValueError: If there is no such state, or the limit is less than 1.
        """
        request = canvases_request(
            state=state, task=task, stamps=stamps, since=since, until=until, limit=limit
        )
        return islice(self._canvases(request), limit)

    def _canvases(self, request: pb.ListCanvasesRequest) -> Iterator[CanvasInfo]:
        while True:
            page = self._app.coordinator.list_canvases(request)
            yield from map(CanvasInfo.read, page.canvases)
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    def cancel(self, canvas: Result[Any] | str, terminate: bool = False) -> bool:  # noqa: FBT001, FBT002 - as above
        """Cancel what has not ended of a whole canvas. No link and no error link of what is cancelled runs.

        Args:
            canvas: A result of it, its id, or the id of a task or group in it.
            terminate: Whether what runs is killed. By default it is told.

        Returns:
            Whether anything of it had not ended.

        Raises:
            NotFound: If there is no such canvas.
        """
        request = pb.CancelCanvasRequest(canvas_id=self._canvas_id(canvas), terminate=terminate)
        return not self._app.coordinator.cancel_canvas(request).already_terminal

    def retry(self, canvas: Result[Any] | str) -> Result[Any] | None:
        """Run what failed or was cancelled of a canvas again, as a new canvas that takes over what succeeded.

        Args:
            canvas: A result of it, its id, or the id of a task or group in it.

        Returns:
            The result of the new canvas; None for an empty chain.

        Raises:
            NotFound: If there is no such canvas.
            FailedPrecondition: If it has not ended, or nothing of it failed.
        """
        request = pb.RetryCanvasRequest(canvas_id=self._canvas_id(canvas), request_id=uuid4().hex)
        submitted = self._app.coordinator.retry_canvas(request).submitted
        return self._app.result_of(submitted.last).submitted() if submitted.HasField("last") else None

    def _canvas_id(self, canvas: Result[Any] | str) -> str:
        text = canvas if isinstance(canvas, str) else canvas.id
        if found := own_canvas_id(text):
            return found
        node = self._app.coordinator.get_node(pb.GetNodeRequest(node_id=text)).node
        return own_canvas_id(node.handle.node_id)


def own_canvas_id(text: str) -> str:
    """Return the canvas that a canvas's id, or a node's own, is of; empty for an id that a client chose."""
    found = _OWN_ID.fullmatch(text)
    return found.group(1) if found is not None else ""


def revocation(task_id: str | Iterable[str], *, terminate: bool) -> pb.RevokeNodesRequest:
    """Return what revokes tasks by their ids."""
    ids = [task_id] if isinstance(task_id, str) else list(task_id)
    return pb.RevokeNodesRequest(node_ids=ids, terminate=terminate)


def stamped_revocation(headers: Mapping[str, Any], *, terminate: bool = False) -> pb.RevokeNodesRequest:
    """Return what revokes tasks by their stamps."""
    request = pb.RevokeNodesRequest(terminate=terminate)
    write_stamps(headers, request.stamps)
    return request
