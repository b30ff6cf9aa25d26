"""Promise: a watch of a canvas goes on after lost connections and dead coordinators, without a gap or a repeat."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from typing import Any

import pytest

from acceptance.tasks import call
from chaos.network import Wire
from gesso import (
    App,
    CanvasEvent,
    GroupEvent,
    NodeEvent,
    ResetEvent,
    SnapshotEvent,
    WatchEvent,
    aio,
    chain,
    group,
)
from gesso.v1 import coordinator_service_pb2 as pb
from gesso.v1 import node_pb2
from gesso.v1 import operations_service_pb2 as operations
from support.stores import cluster
from support.system import LIMIT_SECONDS, System, port_of

BREAKS = 12
CANVASES = 8


@dataclass
class Seen:
    """What events add up to."""

    nodes: dict[str, NodeEvent] = field(default_factory=dict)
    groups: dict[str, GroupEvent] = field(default_factory=dict)
    canvas: CanvasEvent | None = None
    snapshots: int = 0
    events: int = 0

    def take(self, event: WatchEvent) -> None:
        """Take an event over."""
        self.events += 1
        match event:
            case CanvasEvent():
                assert self.canvas != event, "a canvas is repeated"
                self.canvas = event
            case NodeEvent():
                # One that was handed out and given back unbegun, between two messages, is told as it was.
                repeated = self.nodes.get(event.node_id) == event and event.state != "waiting"
                assert not repeated, "a node is repeated"
                self.nodes[event.node_id] = event
            case GroupEvent():
                assert self.groups.get(event.node_id) != event, "a group is repeated"
                self.groups[event.node_id] = event
            case SnapshotEvent():
                self.snapshots += 1
            case ResetEvent():
                pytest.fail("changes were lost")


def stored(app: App, canvas_id: str) -> dict[str, str]:
    """Return the states of all nodes of a canvas, as they are stored."""
    found, token = dict[str, str](), ""
    while True:
        request = pb.ListNodesRequest(canvas_id=canvas_id, page_size=1000, page_token=token)
        page = app.coordinator.list_nodes(request)
        for node in page.nodes:
            found[node.handle.node_id] = node_pb2.Node.State.Name(node.state).removeprefix("STATE_").lower()
        if not (token := page.next_page_token):
            return found


def pause(app: App, *, paused: bool) -> None:
    """Pause the queue, or let it go on."""
    if paused:
        app.coordinator.operate(
            lambda service: service.PauseQueue, operations.PauseQueueRequest(queue="default")
        )
    else:
        app.coordinator.operate(
            lambda service: service.ResumeQueue, operations.ResumeQueueRequest(queue="default")
        )


def watch(app: App, canvas_id: str, at: dict[int, Callable[[], object]], **options: list[str]) -> Seen:
    """Watch a canvas to its end; do something each time when so many events have come."""
    seen, todo = Seen(), sorted(at)
    for event in app.watch(canvas_id, **options):  # type: ignore[arg-type]  # the options' own types
        seen.take(event)
        while todo and seen.events >= todo[0]:
            at[todo.pop(0)]()
    assert not todo, "the canvas ended too early for the test"
    return seen


@pytest.mark.timeout(600)
@pytest.mark.parametrize("count", [1_000, pytest.param(10_000, marks=pytest.mark.long)])
def test_events_add_up_to_the_final_state_whatever_happens_to_the_connections(
    system: System, count: int
) -> None:
    """Many tasks are watched over connections that break by chance, and one of two coordinators is killed meanwhile."""
    chance = random.Random(7)  # noqa: S311 - no secret
    store = system.store()
    dying, living = (system.coordinator(store=store, partitions=1) for _ in range(2))
    sender = system.client(living)
    system.worker(living, dying, processes=2)
    pause(sender, paused=True)
    with Wire(port_of(dying.address)) as first, Wire(port_of(living.address)) as second:
        watcher = App("watcher", f"127.0.0.1:{first.port},127.0.0.1:{second.port}")
        counter = App("counter", f"127.0.0.1:{second.port},127.0.0.1:{first.port}")
        work = group(call("add", number, number) for number in range(count))
        result = sender.send(chain(work, call("total")))
        canvas_id = result.id.rpartition("-")[0]
        join = f"{canvas_id}-0"

        def cut() -> None:
            first.reset()
            second.reset()

        def kill() -> None:
            dying.program.kill()
            first.cut()

        at: dict[int, Callable[[], object]] = dict.fromkeys(
            chance.sample(range(count, 2 * count), BREAKS), cut
        )
        at[count // 2] = cut
        at[count + 1] = lambda: pause(sender, paused=False)
        at[count + count // 3] = kill
        counting = system.background(lambda: watch(counter, canvas_id, {}))
        with watcher, counter:  # closed, they watch no more
            seen = watch(watcher, canvas_id, at, expand=[join])
            counted = counting.result(LIMIT_SECONDS)

    states = stored(sender, canvas_id)
    assert {node_id: node.state for node_id, node in seen.nodes.items()} == states
    assert set(states.values()) == {"succeeded"}
    assert len(states) == count + 2
    assert counted.groups[join].counts == {"succeeded": count}
    assert {node_id: node.state for node_id, node in counted.nodes.items()} == {
        join: "succeeded",
        result.id: "succeeded",
    }
    for each in (seen, counted):
        assert each.snapshots == 1
        assert each.canvas is not None
        assert (each.canvas.state, each.canvas.ended_count) == ("succeeded", count + 2)
    assert counted.events < count / 4, "a group that is counted floods nobody"


def test_canvases_are_watched_over_all_primaries_of_a_cluster(system: System) -> None:
    """What changes in a partition is told by its own primary, whichever coordinator is asked to watch."""
    store = cluster(system)
    submitting, watched = (system.coordinator("--partitions=8", store=store) for _ in range(2))
    system.worker(submitting, watched)
    sender = system.client(submitting)
    ids = set[str]()
    with App("watcher", watched.address) as watcher:
        every = watcher.watch_canvases()
        assert isinstance(next(every), SnapshotEvent)
        for _ in range(CANVASES):
            result = sender.send(chain(group(call("add", number, 1) for number in range(20)), call("total")))
            ids.add(canvas_id := result.id.rpartition("-")[0])
            seen = watch(watcher, canvas_id, {}, expand=[f"{canvas_id}-0"])
            assert {node_id: node.state for node_id, node in seen.nodes.items()} == stored(sender, canvas_id)
            assert seen.canvas is not None
            assert (seen.canvas.state, seen.canvas.ended_count) == ("succeeded", 22)
        ended = set[str]()
        while ended != ids:
            event = next(every)
            assert isinstance(event, CanvasEvent)
            ended |= {event.id} if event.state == "succeeded" else set()
        every.close()  # type: ignore[attr-defined]  # a generator's

    assert len({canvas_id[:3] for canvas_id in ids}) > 1, "all canvases are in one partition"


async def test_coroutines_watch_alike(system: System) -> None:
    """`async for` over a result's watch tells the same, and ends with the canvas."""
    coordinator = system.coordinator()
    system.worker(coordinator)
    app = system.client(coordinator)
    result = await aio.apply_async(chain(call("add", 1, 2), call("add", 3)))

    seen = Seen()
    async for event in result.watch():
        seen.take(event)

    assert seen.canvas is not None
    assert seen.canvas.state == "succeeded"
    assert [node.state for node in seen.nodes.values()] == ["succeeded"] * 2
    async for canvas in aio.watch_canvases(state="succeeded", app=app):
        assert isinstance(canvas, CanvasEvent)
        assert canvas.id == seen.canvas.id
        break
    await aio.close(app)


def test_watch_tells_errors_as_they_are_raised(system: System) -> None:
    """A task that failed is told with its exception, and what stands behind it with the same one."""
    coordinator = system.coordinator()
    system.worker(coordinator)
    app = system.client(coordinator)
    result = chain(call("add", 1, "x"), call("add", 3)).delay()

    seen = Seen()
    for event in result.watch():
        seen.take(event)

    assert [type(node.error) for node in seen.nodes.values()] == [TypeError, TypeError]
    assert [node.state for node in seen.nodes.values()] == ["failed", "failed"]
    for event in app.watch_canvases(state="failed"):
        assert isinstance(event, CanvasEvent)
        assert event.id == result.id.rpartition("-")[0]
        break
    with pytest.raises(ValueError, match="The states of a canvas are"):
        app.watch_canvases(state="broken")


def test_watches_choose_canvases_as_lists_do(system: System) -> None:
    """The keywords are those of the lists, in Python as in `gesso.aio`."""
    coordinator = system.coordinator()
    app = system.client(coordinator)
    good = call("add", 1, 2)
    good.stamp(customer=7)
    chosen = {good.delay().canvas_id, good.delay().canvas_id}
    call("total", [1]).delay()

    def ids(**filters: Any) -> set[str]:
        told = takewhile(lambda event: not isinstance(event, SnapshotEvent), app.watch_canvases(**filters))
        return {event.id for event in told if isinstance(event, CanvasEvent)}

    async def ids_there(**filters: Any) -> set[str]:
        found = set[str]()
        async for event in aio.watch_canvases(app=app, **filters):
            if isinstance(event, SnapshotEvent):
                break
            assert isinstance(event, CanvasEvent)
            found.add(event.id)
        return found

    async def both() -> None:
        assert (
            await ids_there(stamps={"customer": [6, 7]}, state="active", task="acceptance.tasks.add")
            == chosen
        )
        assert await ids_there(until=timedelta(hours=1)) == set()
        await aio.close(app)

    assert (
        ids(stamps={"customer": 7})
        == ids(stamps={"customer": None})
        == ids(task="acceptance.tasks.add")
        == chosen
    )
    assert len(ids(since=timedelta(hours=1), until=datetime.now(UTC) + timedelta(hours=1))) == 3
    assert ids(state=["SUCCEEDED", "failed"]) == ids(since=datetime.now(UTC) + timedelta(hours=1)) == set()
    with asyncio.Runner() as runner:
        runner.run(both())
