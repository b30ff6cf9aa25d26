"""`app.control`: stopping what was sent, by id or by stamp, and limits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from gesso.canvas.wire_options import write_stamps
from gesso.limits import Limit
from gesso.v1 import coordinator_service_pb2 as pb
from gesso.v1 import operations_service_pb2 as operations

if TYPE_CHECKING:
    from gesso.app import App

__all__ = ["Control", "revocation", "stamped_revocation"]


class Control:
    """What Celery's `app.control` has of revoking and of limits.

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

    def revoke_by_stamped_headers(self, headers: Mapping[str, Any]) -> None:
        """Revoke whatever bears one of the stamps when its turn to run comes, also if it is submitted later.

        Args:
            headers: Stamps, each with a value or a list of values.
        """
        self._app.coordinator.revoke_nodes(stamped_revocation(headers))

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


def revocation(task_id: str | Iterable[str], *, terminate: bool) -> pb.RevokeNodesRequest:
    """Return what revokes tasks by their ids."""
    ids = [task_id] if isinstance(task_id, str) else list(task_id)
    return pb.RevokeNodesRequest(node_ids=ids, terminate=terminate)


def stamped_revocation(headers: Mapping[str, Any]) -> pb.RevokeNodesRequest:
    """Return what revokes tasks by their stamps."""
    request = pb.RevokeNodesRequest()
    write_stamps(headers, request.stamps)
    return request
