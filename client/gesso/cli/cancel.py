"""`gesso cancel`: stop what was submitted."""

from __future__ import annotations

import re
from typing import Annotated

import typer

from gesso.cli.options import Address
from gesso.cli.reach import reached
from gesso.connection import DEFAULT_ADDRESS
from gesso.v1 import coordinator_service_pb2 as pb

__all__ = ["command"]

_CANVAS_ID = re.compile("[0-9a-f]{32}")


def command(
    *,
    of: Annotated[str, typer.Argument(metavar="ID", help="A canvas's id, or the id of a task or a group.")],
    terminate: Annotated[
        bool, typer.Option("--terminate", help="Kill what runs. By default it is told, and may go on.")
    ] = False,
    address: Address = DEFAULT_ADDRESS,
) -> None:
    """Cancel a whole canvas, or revoke one task or all members of a group.

        gesso cancel $(gesso submit --no-wait tasks.add '[1, 2]')

        gesso cancel 0123456789abcdef0123456789abcdef --terminate

    What waits ends at once. Of a canvas, no link and no error link runs; a task that is revoked alone is a failure,
    with all that follows from one. What has ended already stays as it is.
    """
    with reached(address) as app:
        if _CANVAS_ID.fullmatch(of):
            done = app.control.cancel(of, terminate)
        else:
            request = pb.RevokeNodesRequest(node_ids=[of], terminate=terminate)
            done = bool(app.coordinator.revoke_nodes(request).revoked_count)
    typer.echo("cancelled" if done else "it has ended already")
