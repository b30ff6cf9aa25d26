"""`app.control`: stopping what was sent, by id or by stamp."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from gesso.canvas.wire_options import write_stamps
from gesso.v1 import coordinator_service_pb2 as pb

if TYPE_CHECKING:
    from gesso.app import App

__all__ = ["Control"]


class Control:
    """What Celery's `app.control` has of revoking.

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
        ids = [task_id] if isinstance(task_id, str) else list(task_id)
        self._app.coordinator.revoke_nodes(pb.RevokeNodesRequest(node_ids=ids, terminate=terminate))

    def revoke_by_stamped_headers(self, headers: Mapping[str, Any]) -> None:
        """Revoke whatever bears one of the stamps when its turn to run comes, also if it is submitted later.

        Args:
            headers: Stamps, each with a value or a list of values.
        """
        request = pb.RevokeNodesRequest()
        write_stamps(headers, request.stamps)
        self._app.coordinator.revoke_nodes(request)
