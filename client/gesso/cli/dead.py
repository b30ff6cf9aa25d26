"""`gesso dead`: tasks that were given up, and rows of the store that could not be read."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, Any
from uuid import uuid4

import typer
from google.protobuf import json_format
from google.protobuf.message import Message

from gesso.cli.exits import CommandError
from gesso.cli.options import Address, Output, OutputOption
from gesso.cli.reach import reached
from gesso.connection import DEFAULT_ADDRESS, Coordinator
from gesso.v1 import coordinator_service_pb2 as pb
from gesso.v1 import node_pb2
from gesso.v1 import operations_service_pb2 as ops

__all__ = ["command"]

_PAGE = 100


class Action(StrEnum):
    """What is done."""

    LIST = "list"
    SHOW = "show"
    REPLAY = "replay"
    PURGE = "purge"


def command(
    *,
    action: Annotated[Action, typer.Argument(help="What to do.")] = Action.LIST,
    node_ids: Annotated[
        list[str] | None,
        typer.Argument(metavar="NODE_ID...", help="Which tasks; for `purge` none means all."),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="With `purge`: the whole list.")] = False,
    address: Address = DEFAULT_ADDRESS,
    output: OutputOption = Output.TEXT,
) -> None:
    """List, show, replay or purge tasks that were given up: their workers died, or they were delivered too often.

        gesso dead list

        gesso dead show NODE_ID

        gesso dead replay NODE_ID

        gesso dead purge NODE_ID

        gesso dead purge --all

    `replay` runs what failed of the task's canvas again, as `gesso retry` does, and prints the id of the new canvas.
    `purge` takes tasks off the list; their canvases stay as they are.
    """
    chosen = node_ids or []
    if action is not Action.LIST and not chosen and not (action is Action.PURGE and everything):
        raise typer.BadParameter("Say which tasks, by their ids.")
    if (action is Action.LIST or everything) and chosen:
        raise typer.BadParameter("The ids of tasks and the whole list exclude each other.")
    with reached(address) as app:
        match action:
            case Action.LIST:
                _list(app.coordinator, output)
            case Action.SHOW:
                _show(app.coordinator, chosen)
            case Action.REPLAY:
                _replay(app.coordinator, chosen)
            case Action.PURGE:
                request = ops.PurgeDeadLettersRequest(node_ids=chosen)
                purged = app.coordinator.operate(lambda stub: stub.PurgeDeadLetters, request)
                typer.echo(f"{purged.purged_count} taken off the list")


def _pages(coordinator: Coordinator) -> Iterator[ops.ListDeadLettersResponse]:
    token = ""
    while True:
        request = ops.ListDeadLettersRequest(page_size=_PAGE, page_token=token)
        page = coordinator.operate(lambda stub: stub.ListDeadLetters, request)
        yield page
        token = page.next_page_token
        if not token:
            return


def _list(coordinator: Coordinator, output: Output) -> None:
    for number, page in enumerate(_pages(coordinator)):
        for node in page.nodes:
            typer.echo(_json(node) if output is Output.JSON else _line(node))
        for row in page.parked_rows:
            place = row.node_id or "the store"
            text = f"{_time(row.park_time)}  unreadable {row.kind} of {place}: {row.data!r}"
            typer.echo(_json(row) if output is Output.JSON else text)
        if number == 0 and page.trimmed_count:
            typer.echo(f"{page.trimmed_count} older ones were let go.", err=True)


def _show(coordinator: Coordinator, node_ids: list[str]) -> None:
    for node_id in node_ids:
        node = coordinator.get_node(pb.GetNodeRequest(node_id=node_id)).node
        if node.state != node_pb2.Node.STATE_DEAD:
            raise CommandError(f"{node_id} was not given up; to see what came of it: gesso result {node_id}")
        typer.echo(json_format.MessageToJson(node, preserving_proto_field_name=True))


def _replay(coordinator: Coordinator, node_ids: list[str]) -> None:
    for node_id in node_ids:
        request = ops.ReplayDeadLetterRequest(node_id=node_id, request_id=uuid4().hex)
        typer.echo(coordinator.operate(lambda stub: stub.ReplayDeadLetter, request).canvas_id)


def _line(node: node_pb2.Node) -> str:
    counts = f"{node.crash_count} crashes, {node.delivery_count} deliveries"
    return f"{_time(node.finish_time)}  {node.handle.node_id}  {node.task}  on {node.queue}: {counts}"


def _json(message: Message) -> str:
    return json_format.MessageToJson(message, preserving_proto_field_name=True, indent=None)


def _time(stamp: Any) -> str:
    return f"{stamp.ToDatetime():%Y-%m-%d %H:%M:%S}Z"
