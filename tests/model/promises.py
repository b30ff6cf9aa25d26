"""What must be true of every world, and which worlds are good ends."""

from __future__ import annotations

from model.world import Process, Stream, Task, World


def broken(world: World) -> str:
    """Return the first promise that a world breaks; empty for none."""
    if world.seen.broken:
        return world.seen.broken
    if world.seen.submitted > 1:
        return "one request became two canvases"
    if world.client == "told" and not world.store.tasks:
        return "a canvas that was acknowledged is lost"
    return _tasks(world) or _counters(world) or _join(world) or _known(world)


def done(world: World) -> bool:
    """Whether the canvas has ended, and what stands behind its join was set free."""
    store = world.store
    return (
        bool(store.tasks)
        and all(task.final for task in store.tasks)
        and store.join.bodies + store.join.errors == 1
    )


def _tasks(world: World) -> str:
    store = world.store
    taken = [
        duty.number
        for row in world.streams
        for stream in row
        if stream
        for duty in stream.duties
        if duty.kind == "lease"
    ]
    for number, task in enumerate(store.tasks):
        if store.queue.count(number) + taken.count(number) != (task.state == "W"):
            return "a task waits and nobody will come upon it, or it is handed out twice"
        if task.held and store.sessions[task.holder] is None:
            return "a task is held by a session that was ended"
    return ""


def _counters(world: World) -> str:
    seen = world.seen
    for number, task in enumerate(world.store.tasks):
        true = (seen.grants[number] - seen.unstarted[number], seen.crashes[number], seen.failures[number])
        if (task.deliveries, task.crashes, task.failures) != true:
            return "a counter does not say what happened"
    return ""


def _join(world: World) -> str:
    store = world.store
    join = store.join
    succeeded = sum(task.state == "S" for task in store.tasks)
    ended = sum(task.final for task in store.tasks)
    if join.bodies + join.errors > 1:
        return "what stands behind a join was set free twice"
    if join.bodies and succeeded < len(store.tasks):
        return "a body was set free before its header had succeeded"
    if join.errors and succeeded == ended:
        return "an error link was set free and nothing had failed"
    return ""


def _known(world: World) -> str:
    """What a connected process has been granted it knows, unless word of it is under way."""
    for task in world.store.tasks:
        if task.held and _settled(world, task.holder) and not _has(world.processes[task.holder], task):
            return "a task is leased to a worker that does not know it"
    return ""


def _settled(world: World, number: int) -> bool:
    process, session = world.processes[number], world.store.sessions[number]
    if process.coordinator < 0 or session is None or session.epoch != process.epoch:
        return False
    stream: Stream | None = world.streams[process.coordinator][number]
    return stream is not None and stream.epoch == process.epoch and stream.call is None


def _has(process: Process, task: Task) -> bool:
    return any(attempt.token.nonce == task.nonce for attempt in process.attempts)
