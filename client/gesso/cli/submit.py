"""`gesso submit`: a task by its name, or a canvas from a file."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from google.protobuf import json_format

from gesso import codec
from gesso.cli.ending import tell_end
from gesso.cli.exits import CommandError
from gesso.cli.options import Address, Output, OutputOption, Timeout
from gesso.cli.reach import reached
from gesso.connection import DEFAULT_ADDRESS
from gesso.submission import submission_of
from gesso.tracing import submitted, submitting
from gesso.v1 import canvas_pb2, signature_pb2
from gesso.v1 import coordinator_service_pb2 as pb
from gesso_telemetry.setup import set_up

__all__ = ["command"]


def command(  # noqa: PLR0913 - an option is an argument here
    *,
    task: Annotated[
        str | None, typer.Argument(metavar="TASK", help="Name of a task, such as tasks.add.")
    ] = None,
    args: Annotated[str, typer.Argument(metavar="ARGS", help="Its arguments, a JSON list.")] = "[]",
    kwargs: Annotated[str, typer.Option(metavar="JSON", help="Its keyword arguments, a JSON object.")] = "{}",
    queue: Annotated[str, typer.Option(help="The queue that it waits in.", show_default="default")] = "",
    canvas: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="A canvas as protobuf-JSON instead; - for the standard input."),
    ] = None,
    wait: Annotated[
        bool, typer.Option("--wait/--no-wait", help="Wait for the value, or print the id only.")
    ] = True,
    timeout: Timeout = None,
    address: Address = DEFAULT_ADDRESS,
    output: OutputOption = Output.TEXT,
) -> None:
    """Submit a task or a canvas, wait for it and print its value as JSON.

    A task by its name:

        gesso submit tasks.add '[1, 2]' --kwargs '{"z": 3}'

    A canvas is the message gesso.v1.Canvas as protobuf's JSON, in which the arguments of a task are base64 of
    their JSON. This one runs tasks.add with [1, 2], and then tasks.double with what came of it:

        {"chain": {}, "steps": [
          {"signature": {"task": "tasks.add", "args": {"data": "WzEsIDJd"}}},
          {"signature": {"task": "tasks.double"}}]}

    With --no-wait the id is printed, for `gesso result`. When the wait ends early, what was submitted goes on.
    """
    if (task is None) == (canvas is None):
        raise typer.BadParameter("Say a task's name, or --canvas FILE, and not both.")
    if canvas is not None:
        if args != "[]" or kwargs != "{}" or queue:
            raise typer.BadParameter("ARGS, --kwargs and --queue are a task's; a canvas has its own.")
        message = _canvas(canvas)
    else:
        message = canvas_pb2.Canvas(signature=_signature(task or "", args, kwargs, queue))
    set_up("gesso-submit")
    with reached(address) as app:
        with submitting() as span:
            response = app.coordinator.submit(submission_of(message))
            submitted(span, message, response)
        if wait and response.HasField("last"):
            tell_end(app, response.last.node_id, timeout, output)
        elif output is Output.JSON:
            typer.echo(json.dumps(_described(response)))
        else:
            typer.echo("null" if wait else response.last.node_id)


def _signature(task: str, args: str, kwargs: str, queue: str) -> signature_pb2.Signature:
    signature = signature_pb2.Signature(task=task)
    if given := _parsed("ARGS", args, list):
        signature.args.CopyFrom(codec.encode(given))
    if named := _parsed("--kwargs", kwargs, dict):
        signature.kwargs.CopyFrom(codec.encode(named))
    if queue:
        signature.options.queue = queue
    return signature


def _parsed(name: str, text: str, kind: type[list[Any] | dict[str, Any]]) -> Any:
    example = "a JSON list, such as '[1, 2]'" if kind is list else "a JSON object, such as '{\"x\": 1}'"
    try:
        value = json.loads(text)
    except ValueError as error:
        raise typer.BadParameter(f"{name} is {example}; this is no JSON: {error}.") from None
    if not isinstance(value, kind):
        raise typer.BadParameter(f"{name} is {example}, not {text}.")
    return value


def _canvas(file: str) -> canvas_pb2.Canvas:
    try:
        text = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        raise CommandError(f"{file} cannot be read: {error.strerror}.") from error
    try:
        return json_format.Parse(text, canvas_pb2.Canvas())
    except (json_format.ParseError, UnicodeDecodeError) as error:
        raise CommandError(f"{file} is no gesso.v1.Canvas as protobuf-JSON: {error}") from error


def _described(response: pb.SubmitCanvasResponse) -> dict[str, Any]:
    durability = pb.SubmitCanvasResponse.Durability.Name(response.durability)
    return {
        "canvas_id": response.canvas_id,
        "node_id": response.last.node_id or None,
        "node_count": response.node_count,
        "trace_id": response.trace_id,
        "durability": durability.removeprefix("DURABILITY_").lower(),
    }
