"""The delivery protocol: who may do what, and when. `ACTIONS` is the whole of it.

Two coordinators, two workers, and a chord of two tasks whose body has an error link. Calls to the store are made,
applied and answered in steps of their own, so that between them anything may happen: a coordinator or a process dies,
a stream breaks, an answer is lost (and the call repeated), a copy of a call arrives late, a lease runs out. How many
of those *faults* happen is bounded (`World.faults`); everything else happens in every order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from model.checker import Step
from model.scripts import Rules, Scripts
from model.world import (
    COORDINATORS,
    HEADER,
    Attempt,
    Call,
    Ending,
    Process,
    Reply,
    Session,
    Store,
    Stream,
    Task,
    World,
    put,
)

Effect: TypeAlias = Callable[[World, Rules], Iterator[tuple[str, World]]]
"""Yields each way in which the action may happen now: what to call it, and the world after it."""


@dataclass(frozen=True, slots=True)
class Action:
    """A row of the protocol."""

    name: str
    guard: str
    effect: str
    script: str
    """The file under `server/gesso_server/store/scripts/` that does it; empty for what happens elsewhere."""
    does: Effect


def initial(faults: int, *, workers: int = 2, submitted: bool = True) -> World:
    """Return the beginning: each worker is connected to a coordinator of its own, and the canvas may wait for them."""
    session = Session(1, 0, (), leased=True)
    return World(
        store=Store(
            tasks=tuple(Task() for _ in HEADER) if submitted else (), queue=HEADER if submitted else (),
            sessions=(session,) * workers,
        ),
        streams=tuple(
            tuple(Stream(1) if coordinator == number else None for number in range(workers))
            for coordinator in COORDINATORS
        ),
        processes=tuple(Process(epoch=1, coordinator=coordinator) for coordinator in COORDINATORS[:workers]),
        client="told" if submitted else "new", faults=faults,
    )  # fmt: skip


# --- the client ----------------------------------------------------------------------------


def _submit(world: World, rules: Rules) -> Iterator[tuple[str, World]]:
    if world.client == "new":
        scripts = Scripts(rules, world.store, world.seen)
        scripts.submit()
        yield "the client submits", world._replace(client="asked", store=scripts.store, seen=scripts.seen)


def _acknowledge(world: World, _rules: Rules) -> Iterator[tuple[str, World]]:
    if world.client == "asked":
        yield "the client is told", world._replace(client="told")


def _lose_acknowledgement(world: World, _rules: Rules) -> Iterator[tuple[str, World]]:
    if world.client == "asked":
        yield "the answer to the submission is lost", world._replace(client="new")


# --- coordinators and the store -------------------------------------------------------------


def _hello(world: World, rules: Rules) -> Iterator[tuple[str, World]]:
    for number, process in enumerate(world.processes):
        if not process.alive or process.coordinator >= 0:
            continue
        for coordinator in COORDINATORS:
            epoch = process.epoch + 1
            connected = process._replace(epoch=epoch, coordinator=coordinator)
            after = world._replace(processes=put(world.processes, number, connected))
            stream = Stream(epoch, call=_greeting(world, number, epoch))
            yield (
                f"session {number} says hello to {coordinator}",
                _applied(after, rules, coordinator, number, stream),
            )


def _greeting(world: World, number: int, epoch: int) -> Call:
    process = world.processes[number]
    gone = world.processes[process.before] if process.before >= 0 else Process()
    return Call(
        "hello", number, epoch, 0, held=tuple(attempt.token for attempt in process.attempts), dead=process.before,
        crashed=tuple(attempt.token for attempt in gone.attempts if attempt.phase in "bs"),
    )  # fmt: skip


def _exchange(world: World, rules: Rules) -> Iterator[tuple[str, World]]:
    for coordinator, number, stream in _streams(world):
        if stream.call is not None:
            continue
        call = _frame(world, coordinator, number, stream)
        if call.started or call.endings or (call.wants and world.store.queue):
            called = stream._replace(seq=call.seq, call=call)
            label = f"{coordinator} calls for session {number}: {_told(call)}"
            yield label, _applied(world, rules, coordinator, number, called)


def _frame(world: World, coordinator: int, number: int, stream: Stream) -> Call:
    """Return what a coordinator asks for a session; of one that has left it knows nothing new."""
    process = world.processes[number]
    attempts = process.attempts if _joined(process, coordinator, stream) else ()
    return Call(
        "exchange", number, stream.epoch, stream.seq + 1,
        started=tuple(attempt.token for attempt in attempts if attempt.phase == "b"),
        endings=tuple(Ending(*attempt) for attempt in attempts if attempt.phase in "veyr"),
        wants=all(attempt.phase in "veyr" for attempt in attempts),
    )  # fmt: skip


def _repeat(world: World, rules: Rules) -> Iterator[tuple[str, World]]:
    for coordinator, number, stream in _streams(world):
        if stream.call is not None and stream.reply is None:
            yield (
                f"{coordinator} repeats its call for session {number}",
                _applied(world, rules, coordinator, number, stream),
            )


def _answer(world: World, _rules: Rules) -> Iterator[tuple[str, World]]:
    for coordinator, number, stream in _streams(world):
        if stream.call is None or stream.reply is None or stream.duties:
            continue
        reply, call, process = stream.reply, stream.call, world.processes[number]
        label = f"{coordinator} is answered for session {number}"
        if reply.status != "O":
            yield label, _parted(_with_stream(world, coordinator, number, None), number, coordinator)
            continue
        after = _with_stream(world, coordinator, number, stream._replace(call=None, reply=None))
        if _joined(process, coordinator, stream):
            taken = process._replace(attempts=_taken(process.attempts, call, reply))
            after = after._replace(processes=put(world.processes, number, taken))
            after = _counted_anew(after, coordinator, number)
        yield label, after


def _close(world: World, _rules: Rules) -> Iterator[tuple[str, World]]:
    for coordinator, number, stream in _streams(world):
        if not _joined(world.processes[number], coordinator, stream):
            after = _with_stream(world, coordinator, number, None)
            yield f"{coordinator} sees that session {number} has gone", after


def _second_step(world: World, rules: Rules) -> Iterator[tuple[str, World]]:
    for coordinator, number, stream in _streams(world):
        if not stream.duties or stream.reply is None:
            continue
        duty, scripts, reply = stream.duties[0], Scripts(rules, world.store, world.seen), stream.reply
        if duty.kind == "lease":
            reply = reply._replace(grants=(scripts.grant(number, duty.number),))
        else:
            scripts.enqueue(duty.kind)
        after = world._replace(store=scripts.store, seen=scripts.seen)
        yield (
            f"{coordinator} makes the second step: {duty.kind}",
            _with_stream(after, coordinator, number, stream._replace(duties=stream.duties[1:], reply=reply)),
        )


# --- workers --------------------------------------------------------------------------------


def _begin(world: World, _rules: Rules) -> Iterator[tuple[str, World]]:
    yield from _phases(world, "h", "b", "begins")


def _succeed(world: World, _rules: Rules) -> Iterator[tuple[str, World]]:
    yield from _phases(world, "bs", "v", "succeeds at")


def _fail(world: World, _rules: Rules) -> Iterator[tuple[str, World]]:
    yield from _phases(world, "bs", "e", "fails at")


def _retry(world: World, _rules: Rules) -> Iterator[tuple[str, World]]:
    yield from _phases(world, "bs", "y", "wants to retry")


def _return(world: World, _rules: Rules) -> Iterator[tuple[str, World]]:
    yield from _phases(world, "h", "r", "returns")


# --- time -----------------------------------------------------------------------------------


def _lapse_of_absent(world: World, _rules: Rules) -> Iterator[tuple[str, World]]:
    yield from _lapses(world, absent=True)


def _lapse_of_present(world: World, _rules: Rules) -> Iterator[tuple[str, World]]:
    yield from _lapses(world, absent=False)


def _renew(world: World, rules: Rules) -> Iterator[tuple[str, World]]:
    for coordinator, number, _ in _streams(world):
        session = world.store.sessions[number]
        if session is not None and not session.leased:
            scripts = Scripts(rules, world.store, world.seen)
            scripts.renew(number)
            yield f"{coordinator} renews session {number}", world._replace(store=scripts.store)


def _sweep(world: World, rules: Rules) -> Iterator[tuple[str, World]]:
    if not rules.expiry_rechecked and world.sweeping >= 0:
        yield f"session {world.sweeping} is ended", _swept(world, rules, world.sweeping)
        return
    for number, session in enumerate(world.store.sessions):
        if session is None or session.leased:
            continue
        if rules.expiry_rechecked:
            yield f"session {number} is swept", _swept(world, rules, number)
        else:
            yield f"a sweep sees that session {number} is over", world._replace(sweeping=number)


# --- faults ---------------------------------------------------------------------------------


def _kill_process(world: World, _rules: Rules) -> Iterator[tuple[str, World]]:
    if any(process.before >= 0 for process in world.processes):
        return
    for number, process in enumerate(world.processes):
        if process.alive:
            dead = process._replace(alive=False, coordinator=-1)
            yield (
                f"process {number} dies",
                world._replace(
                    processes=(*put(world.processes, number, dead), Process(before=number)),
                    store=world.store._replace(sessions=(*world.store.sessions, None)),
                    streams=tuple((*streams, None) for streams in world.streams),
                ),
            )


def _kill_coordinator(world: World, _rules: Rules) -> Iterator[tuple[str, World]]:
    for coordinator in COORDINATORS:
        if any(world.streams[coordinator]):
            nobody: tuple[Stream | None, ...] = (None,) * len(world.processes)
            after = world._replace(streams=put(world.streams, coordinator, nobody))
            for number in range(len(world.processes)):
                after = _parted(after, number, coordinator)
            yield f"coordinator {coordinator} dies", after


def _cut(world: World, _rules: Rules) -> Iterator[tuple[str, World]]:
    for number, process in enumerate(world.processes):
        if process.coordinator >= 0:
            yield f"the stream of session {number} breaks", _parted(world, number, process.coordinator)


def _lose_reply(world: World, _rules: Rules) -> Iterator[tuple[str, World]]:
    for coordinator, number, stream in _streams(world):
        if stream.call is None or stream.reply is None:
            continue
        if stream.call.script == "hello":  # is not repeated: the stream ends
            after = _parted(_with_stream(world, coordinator, number, None), number, coordinator)
        else:
            after = _with_stream(world, coordinator, number, stream._replace(reply=None, duties=()))
        yield f"the answer to {coordinator} for session {number} is lost", after


def _delay_copy(world: World, _rules: Rules) -> Iterator[tuple[str, World]]:
    for coordinator, number, stream in _streams(world):
        if world.late is not None or stream.call is not None:
            continue
        call = _frame(world, coordinator, number, stream)
        if call.started or call.endings or (call.wants and world.store.queue):
            called = _with_stream(world, coordinator, number, stream._replace(seq=call.seq, call=call))
            yield (
                f"{coordinator} calls for session {number}, and the call is late",
                called._replace(late=call),
            )


def _late_copy(world: World, rules: Rules) -> Iterator[tuple[str, World]]:
    if world.late is not None:
        scripts, _ = _called(world, rules, world.late)
        yield (
            "the late copy reaches the store",
            world._replace(late=None, store=scripts.store, seen=scripts.seen),
        )


BY_ITSELF = (
    Action("submit", "the client has no answer", "the canvas is there, once for its request id", "submit", _submit),
    Action("acknowledge", "the submission was applied", "the client knows", "", _acknowledge),
    Action("hello", "a process has no stream", "a higher epoch; both agree on what is held", "hello", _hello),
    Action("exchange", "a session reports, or wants work", "one frame, a higher seq", "exchange", _exchange),
    Action("repeat", "a call was not answered", "the same again, with the same seq", "exchange", _repeat),
    Action("answer", "a call was applied", "the process learns it; with E or U the stream ends", "", _answer),
    Action("close", "a stream whose process has left", "the coordinator forgets it", "leave", _close),
    Action("second step", "only where a safeguard is off", "what the first left", "", _second_step),
    Action("begin", "a task is held", "it runs", "", _begin),
    Action("succeed", "a task runs", "its value is kept until it is acknowledged", "", _succeed),
    Action("renew", "a lease is over, its session not ended", "it runs again", "renew", _renew),
    Action("sweep", "a lease is over", "its session ends, its tasks go back", "sweep", _sweep),
    Action("lapse", "a session whose process is gone", "its lease is over", "", _lapse_of_absent),
    Action("late copy", "a copy of a call is under way", "its script runs; nobody hears the answer", "", _late_copy),
)  # fmt: skip
"""What happens in the end, if its guard goes on to hold."""

FAULTS = (
    Action("fail", "a task runs", "it ends with an error", "", _fail),
    Action("retry", "a task runs", "it ends with an error, and is to be retried", "", _retry),
    Action("return", "a task is held", "it is given back", "", _return),
    Action("lapse of a live one", "a process that is stopped or cut off", "its lease is over", "", _lapse_of_present),
    Action("kill a process", "any", "another takes its place and says what was running", "", _kill_process),
    Action("kill a coordinator", "any", "its streams break, its calls are forgotten", "", _kill_coordinator),
    Action("cut", "a stream", "the process knows, the coordinator does not", "", _cut),
    Action("lose an answer", "a call was applied", "it is repeated", "", _lose_reply),
    Action("lose an acknowledgement", "the submission was applied", "it is repeated", "", _lose_acknowledgement),
    Action("delay a copy", "a call is under way", "it is repeated, and will arrive twice", "", _delay_copy),
)  # fmt: skip
"""What may happen, as often as the world still allows faults."""

ACTIONS = (*BY_ITSELF, *FAULTS)


def steps(rules: Rules) -> Callable[[World], Iterator[Step[World]]]:
    """Return what leads out of a world under these rules."""

    def out(world: World) -> Iterator[Step[World]]:
        for action in BY_ITSELF:
            for label, after in action.does(world, rules):
                yield Step(label, fair=True, state=after)
        if not world.faults:
            return
        for action in FAULTS:
            for label, after in action.does(world, rules):
                yield Step(label, fair=False, state=after._replace(faults=world.faults - 1))

    return out


# --- what the actions share -----------------------------------------------------------------


def _streams(world: World) -> Iterator[tuple[int, int, Stream]]:
    for coordinator, streams in enumerate(world.streams):
        for number, stream in enumerate(streams):
            if stream is not None:
                yield coordinator, number, stream


def _joined(process: Process, coordinator: int, stream: Stream) -> bool:
    """Whether the process is at the other end of the stream."""
    return process.coordinator == coordinator and process.epoch == stream.epoch


def _with_stream(world: World, coordinator: int, number: int, stream: Stream | None) -> World:
    streams = put(world.streams[coordinator], number, stream)
    return world._replace(streams=put(world.streams, coordinator, streams))


def _parted(world: World, number: int, coordinator: int) -> World:
    """Take a process from a coordinator, if it has a stream to it."""
    process = world.processes[number]
    if process.coordinator != coordinator:
        return world
    return world._replace(processes=put(world.processes, number, process._replace(coordinator=-1)))


def _called(world: World, rules: Rules, call: Call) -> tuple[Scripts, Reply]:
    scripts = Scripts(rules, world.store, world.seen)
    return scripts, scripts.hello(call) if call.script == "hello" else scripts.exchange(call)


def _applied(world: World, rules: Rules, coordinator: int, number: int, stream: Stream) -> World:
    """Let the store apply the call of a stream."""
    assert stream.call is not None
    scripts, reply = _called(world, rules, stream.call)
    after = world._replace(store=scripts.store, seen=scripts.seen)
    return _with_stream(
        after, coordinator, number, stream._replace(reply=reply, duties=stream.duties + scripts.duties)
    )


def _counted_anew(world: World, coordinator: int, number: int) -> World:
    """Let a session count from 0 again: numbers are compared with those of calls under way, and there is none."""
    session = world.store.sessions[number]
    stream = world.streams[coordinator][number]
    if session is None or stream is None or (world.late is not None and world.late.session == number):
        return world
    if session.epoch != stream.epoch or session.seq != stream.seq:
        return world
    sessions = put(world.store.sessions, number, session._replace(seq=0, grants=()))
    counted = world._replace(store=world.store._replace(sessions=sessions))
    return _with_stream(counted, coordinator, number, stream._replace(seq=0))


def _told(call: Call) -> str:
    kinds = [f"{ending.kind} of task {ending.token.task}" for ending in call.endings]
    begun = [f"task {token.task} begun" for token in call.started]
    return ", ".join([*begun, *kinds, *(["wants"] if call.wants else [])])


def _taken(attempts: tuple[Attempt, ...], call: Call, reply: Reply) -> tuple[Attempt, ...]:
    """Return what a process has once it knows the answer to a call."""
    ended = {ending.token for ending in call.endings}
    kept = [
        attempt._replace(phase="s") if attempt.phase == "b" and attempt.token in call.started else attempt
        for attempt in attempts
        if attempt.token not in ended and attempt.token not in reply.drops
    ]
    known = {attempt.token for attempt in kept}
    return (*kept, *(Attempt(token, "h") for token in reply.grants if token not in known))


def _phases(world: World, of: str, to: str, verb: str) -> Iterator[tuple[str, World]]:
    for number, process in enumerate(world.processes):
        if not process.alive:
            continue
        for at, attempt in enumerate(process.attempts):
            if attempt.phase in of:
                changed = process._replace(attempts=put(process.attempts, at, attempt._replace(phase=to)))
                yield (
                    f"process {number} {verb} task {attempt.token.task}",
                    world._replace(processes=put(world.processes, number, changed)),
                )


def _lapses(world: World, *, absent: bool) -> Iterator[tuple[str, World]]:
    for number, session in enumerate(world.store.sessions):
        if session is not None and session.leased and absent == (world.processes[number].coordinator < 0):
            sessions = put(world.store.sessions, number, session._replace(leased=False))
            store = world.store._replace(sessions=sessions)
            yield f"the lease of session {number} runs out", world._replace(store=store)


def _swept(world: World, rules: Rules, number: int) -> World:
    scripts = Scripts(rules, world.store, world.seen)
    scripts.sweep(number)
    return world._replace(store=scripts.store, seen=scripts.seen, sweeping=-1)
