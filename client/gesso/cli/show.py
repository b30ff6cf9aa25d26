"""`gesso show`: everything known about a canvas, a task or a group, and why it waits."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from datetime import UTC
from typing import Annotated

import typer
from google.protobuf import json_format
from google.protobuf.timestamp_pb2 import Timestamp
from rich.console import Console
from rich.text import Text

from gesso.cli.exits import CommandError
from gesso.cli.moments import shown_instant, shown_span
from gesso.cli.options import Address, Output, OutputOption
from gesso.cli.reach import reached
from gesso.connection import DEFAULT_ADDRESS, Coordinator
from gesso.handle import facts
from gesso.listing import CanvasInfo
from gesso.v1 import coordinator_service_pb2 as pb
from gesso.v1 import node_pb2

__all__ = ["command"]

_CANVAS_ID = re.compile(r"[0-9a-f]{32}")
_PATH = re.compile(r"(?P<id>[^\[\]]+)(?P<steps>(?:\[\d+\])*)")
_PAGE = 1_000
Line = tuple[str, str]


def command(
    *,
    of: Annotated[
        str,
        typer.Argument(metavar="ID", help="A canvas, a task or a group by its id; GROUP[17] is a member."),
    ],
    address: Address = DEFAULT_ADDRESS,
    output: OutputOption = Output.TEXT,
) -> None:
    """Show a canvas, a task or a group: how it stands, its times and worker, and why it waits.

        gesso show ID

        gesso show 'GROUP_ID[17]'

    A group's members are counted from 0. Times are the coordinator's store's.
    """
    with reached(address) as app:
        if _CANVAS_ID.fullmatch(of):
            request = pb.GetCanvasRequest(canvas_id=of, with_waiting=True)
            canvas = app.coordinator.get_canvas(request)
            lines, message = (
                list(_canvas_lines(canvas)),
                json_format.MessageToDict(canvas, preserving_proto_field_name=True),
            )
        else:
            node = _node(app.coordinator, of)
            lines, message = (
                list(_node_lines(node)),
                json_format.MessageToDict(node, preserving_proto_field_name=True),
            )
    if output is Output.JSON:
        typer.echo(json.dumps(message, ensure_ascii=False))
    else:
        _print(lines)


def _node(coordinator: Coordinator, path: str) -> node_pb2.Node:
    """Return the node that a path names: an id, and from there on members of groups by their place."""
    found = _PATH.fullmatch(path)
    if found is None:
        raise CommandError(f"{path} names nothing: say an id, or GROUP_ID[17] for a group's member.")
    node_id = found["id"]
    for step in re.findall(r"\d+", found["steps"]):
        node_id = _member(coordinator, node_id, int(step))
    request = pb.GetNodeRequest(node_id=node_id, with_waiting=True)
    return coordinator.get_node(request).node


def _member(coordinator: Coordinator, group_id: str, place: int) -> str:
    request = pb.ListNodesRequest(members_of=group_id, page_size=_PAGE)
    while True:
        page = coordinator.list_nodes(request)
        if place < len(page.nodes):
            return page.nodes[place].handle.node_id
        place -= len(page.nodes)
        if not page.next_page_token:
            raise CommandError(f"{group_id} has no member of that number.")
        request.page_token = page.next_page_token


# --- a canvas ------------------------------------------------------------------------------------


def _canvas_lines(response: pb.GetCanvasResponse) -> Iterator[Line]:
    canvas = CanvasInfo.read(response.canvas)
    yield "canvas", canvas.id
    yield "state", canvas.state.lower()
    yield "tasks", " ".join(canvas.tasks)
    yield "nodes", f"{canvas.ended_count:,} of {canvas.node_count:,} have ended"
    yield from _counts(response.state_counts)
    yield "submitted", shown_instant(canvas.date_submitted)
    yield "finished", shown_instant(canvas.date_done)
    if canvas.date_done is not None:
        yield "took", shown_span(canvas.date_done - canvas.date_submitted)
    yield "kept until", shown_instant(canvas.date_removed)
    yield "deadline", shown_instant(canvas.deadline)
    yield "runs again", canvas.retried or ""
    yield "last node", canvas.last_id or ""
    yield "trace", canvas.trace_id
    for crowd in response.waiting:
        who = crowd.first.task_id or crowd.first.node_id
        if crowd.node_count > 1:
            who = f"{crowd.node_count:,} of {crowd.waiting.task}, first {who}"
        else:
            who = f"{crowd.waiting.task}, {who}"
        yield "waiting", f"{who}: {crowd.waiting.text}"


def _counts(counts: Iterable[node_pb2.StateCount]) -> Iterator[Line]:
    for each in counts:
        yield "", f"{each.count:,} {_state_name(each.state)}"


def _state_name(state: node_pb2.Node.State) -> str:
    return node_pb2.Node.State.Name(state).removeprefix("STATE_").lower().replace("_", " ")


# --- a node --------------------------------------------------------------------------------------


def _node_lines(node: node_pb2.Node) -> Iterator[Line]:
    known = facts(node)
    group = node.handle.kind == node_pb2.Node.KIND_JOIN
    yield ("group" if group else "task"), node.handle.task_id or node.handle.node_id
    yield "node", node.handle.node_id
    yield "name", node.task
    yield "state", f"{known.state} ({_state_name(node.state)})"
    yield "why", node.waiting.text
    yield "queue", node.queue
    yield "worker", node.worker
    if not group:
        yield "attempts", _attempts(node)
    else:
        ended, total = node.ended_count, node.handle.member_count
        yield "members", f"{ended:,} of {total:,} have ended, {node.succeeded_count:,} of them well"
        yield from _counts(node.state_counts)
    yield from _times(node)
    yield "parent", node.parent.task_id or node.parent.node_id
    yield "groups", " ".join(node.group_ids)
    yield "waits for", " ".join(node.waiting.node_ids)
    for key, stamp in sorted(node.stamps.items()):
        yield "stamp", f"{key} = {', '.join(stamp.values)}"
    yield "trace", f"{node.trace_id} span {node.span_id}"
    if node.HasField("error"):
        yield "error", f"{node.error.type.removeprefix('builtins.')}: {node.error.message}"
        if node.error.node_id != node.handle.node_id:
            yield "caused by", node.error.task_id or node.error.node_id


def _attempts(node: node_pb2.Node) -> str:
    counts = [f"{node.delivery_count:,}"]
    if node.failure_count:
        counts.append(f"{node.failure_count:,} failed")
    if node.crash_count:
        counts.append(f"{node.crash_count:,} lost with their worker")
    return ", ".join(counts)


def _times(node: node_pb2.Node) -> Iterator[Line]:
    yield "submitted", _time(node.create_time) if node.HasField("create_time") else ""
    yield "ready", _time(node.ready_time) if node.HasField("ready_time") else ""
    yield "started", _time(node.start_time) if node.HasField("start_time") else ""
    yield "finished", _time(node.finish_time) if node.HasField("finish_time") else ""
    if node.HasField("run_duration"):
        yield "ran for", shown_span(node.run_duration.ToTimedelta())


def _time(stamp: Timestamp) -> str:
    return f"{stamp.ToDatetime(UTC):%Y-%m-%d %H:%M:%S}.{stamp.nanos // 1_000_000:03}Z"


def _print(lines: list[Line]) -> None:
    told = [(name, text) for name, text in lines if text]
    width = max(len(name) for name, _ in told) + 2
    console = Console(highlight=False, soft_wrap=True)
    for name, text in told:
        console.print(Text(name.ljust(width), "bold"), Text(text), sep="", end="\n")
