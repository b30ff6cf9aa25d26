"""Promise: `gesso watch` shows a canvas live, ends as it does, and leaves it alone."""

from __future__ import annotations

import json
import signal
import subprocess

from acceptance.command import Command, command_line
from acceptance.tasks import call
from gesso import chain, group
from support.system import LIMIT_SECONDS, System, until


def test_watch_tells_a_canvas_and_ends_as_it_does(system: System) -> None:
    """In lines and as JSON: well with 0, a failure with 1 and its error; an unknown canvas is refused."""
    coordinator = system.coordinator()
    system.worker(coordinator)
    system.client(coordinator)
    gesso = Command(address=coordinator.address)
    well = chain(group(call("add", number, 1) for number in range(60)), call("total")).delay()
    ill = chain(call("add", 1, "x"), call("add", 2)).delay()
    canvas_id = well.id.rpartition("-")[0]

    lines = gesso.run("watch", well.id)
    assert lines.code == 0, lines.err
    assert f"canvas {canvas_id}: succeeded, 62 of 62 ended" in lines.out
    assert f"acceptance.tasks.total {well.id}: succeeded" in lines.out
    assert f"members of {canvas_id}-0: 60 succeeded" in lines.out

    told = gesso.run("watch", canvas_id, "-o", "json")
    events = [json.loads(line) for line in told.out.splitlines()]
    assert told.code == 0, told.err
    assert [event["event"] for event in events] == ["canvas", "node", "node", "group", "snapshot"]

    failed = gesso.run("watch", ill.id)
    assert failed.code == 1
    assert "Error: TypeError: unsupported operand" in failed.err
    unknown = gesso.run("watch", "0" * 32)
    assert unknown.code == 2
    assert "there is no such canvas" in unknown.err
    assert gesso.run("watch", canvas_id, "--state", "failed").code == 2
    assert gesso.run("watch", canvas_id, "--task", "acceptance.tasks.add").code == 2
    assert gesso.run("watch", "--state", "broken").code == 2
    assert gesso.run("watch", "--since", "yesterday").code == 2


def test_interrupted_watch_leaves_the_canvas_alone(system: System) -> None:
    """Ctrl-C ends the watch with 130 and says how to go on; the canvas ends as if nobody had watched."""
    coordinator = system.coordinator()
    system.client(coordinator)
    gesso = Command(address=coordinator.address)
    result = call("add", 1, 2).delay()
    watching = subprocess.Popen(
        command_line("watch", result.id), env=gesso.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    with watching:
        assert watching.stdout is not None
        assert "active, 0 of 1 ended" in watching.stdout.readline()
        watching.send_signal(signal.SIGINT)
        _, err = watching.communicate(timeout=LIMIT_SECONDS)
    assert watching.returncode == 130
    assert f"It goes on. To watch again: gesso watch {result.id}" in err

    system.worker(coordinator)
    assert result.get(timeout=LIMIT_SECONDS) == 3


def test_watch_of_all_canvases_tells_a_line_for_each_change(system: System) -> None:
    """Without an id a line comes for each canvas that comes, and one when it has ended."""
    coordinator = system.coordinator()
    system.worker(coordinator)
    app = system.client(coordinator)
    program = system.gesso("watch", "watch", "--address", coordinator.address)
    ids: list[str] = []

    def submitted() -> bool:
        result = app.send(call("add", 1, 2))
        assert result.get(timeout=LIMIT_SECONDS) == 3
        ids.append(result.id.rpartition("-")[0])
        return any(f"canvas {each}: succeeded" in program.said for each in ids)

    until(submitted, "the watch tells of a canvas")


def test_watch_tells_canvases_that_are_chosen(system: System) -> None:
    """The options that choose canvases are those of `gesso list`; nothing else is told."""
    coordinator = system.coordinator()
    system.worker(coordinator)
    app = system.client(coordinator)
    program = system.gesso(
        "watch", "watch", "--address", coordinator.address, "--state", "succeeded", "--task", "acceptance.tasks.add",
        "--stamp", "customer=7", "--since", "1h", "--until", "2100-01-01",
    )  # fmt: skip
    chosen: list[str] = []
    others: list[str] = []

    def sent(task: str, customer: int) -> str:
        signature = call(task, [1, 2]) if task == "total" else call(task, 1, 2)
        signature.stamp(customer=customer)
        result = app.send(signature)
        assert result.get(timeout=LIMIT_SECONDS) == 3
        return str(result.canvas_id)

    def submitted() -> bool:
        others.extend((sent("add", 8), sent("total", 7)))
        chosen.append(sent("add", 7))
        return any(f"canvas {each}: succeeded" in program.said for each in chosen)

    until(submitted, "the watch tells of a canvas")
    assert not any(each in program.said for each in others)
    assert "active" not in program.said
