"""Attempts that run too long, and tasks that are delivered at most once."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gesso.v1.worker_service_pb2 import Outcome
from gesso_server.dispatch.overrun import OVERRAN, end_overran
from gesso_server.plan import Call
from gesso_server.store.calls import Frame, Hello, Reported
from integration.store.scripts.rig import NAMESPACE, Canvas, Rig, token
from support.trees import call, chain, group

LIMIT_MS = 1000
FENCE_MS = 5000


def limited(name: str, timing: str = f"h{LIMIT_MS}") -> Call:
    """Return a call with a time limit, or another timing that delays nothing."""
    return replace(call(name), timing=timing)


async def pass_time(rig: Rig, milliseconds: int) -> None:
    """Put the store's clock forward."""
    await rig.sweep()  # writes the clock
    key = "gesso:{0}:clock"
    before = int(await rig.store.redis.get(key) or 0)
    await rig.store.redis.set(key, before + milliseconds + 200)


async def error_type(rig: Rig, canvas: Canvas, index: int = 0) -> str:
    """Return the type of the error that a node ended with."""
    found = await rig.partition.look(NAMESPACE, canvas.id, [index])
    assert found is not None
    node = found[1][0]
    assert node is not None
    return Outcome.FromString(node.outcome).error.type


async def test_started_attempt_is_ended_at_its_limit(rig: Rig) -> None:
    """An attempt whose worker says nothing ends with TimeLimitExceeded, what is behind it too; a late report is D."""
    canvas = await rig.submit(chain(limited("a"), call("b")))
    worker = await rig.ready()
    (grant,) = await worker.take()
    await worker.start(grant)

    await pass_time(rig, LIMIT_MS)
    await rig.sweep()
    assert await rig.states(canvas) == "RW"
    await pass_time(rig, FENCE_MS)
    await rig.sweep()

    assert await rig.states(canvas) == "FU"
    assert await error_type(rig, canvas) == "gesso.TimeLimitExceeded"
    assert (await worker.report(grant)).answers == "D"


async def test_limit_counts_from_the_start_not_the_grant(rig: Rig) -> None:
    """What waits in its worker has no limit, however long."""
    canvas = await rig.submit(limited("a"))
    worker = await rig.ready()
    (grant,) = await worker.take()

    await pass_time(rig, LIMIT_MS + FENCE_MS)
    await rig.sweep()
    assert await rig.states(canvas) == "G"
    await worker.start(grant)
    await worker.start(grant)
    await rig.sweep()

    assert await rig.states(canvas) == "R"
    assert (await worker.report(grant)).answers == "A"


@pytest.mark.parametrize("end", ["report", "give_back"])
async def test_ended_attempt_leaves_no_limit_behind(rig: Rig, end: str) -> None:
    """An attempt that ended, or was given back, is watched no more; the next one has a limit of its own."""
    canvas = await rig.submit(limited("a"))
    worker = await rig.ready()
    (grant,) = await worker.take()
    await worker.start(grant)

    await getattr(worker, end)(grant)

    assert await rig.store.redis.zcard("gesso:{0}:due") == 0
    if end == "give_back":
        (again,) = await worker.take()
        await worker.start(again)
        await pass_time(rig, LIMIT_MS + FENCE_MS)
        await rig.sweep()
        assert await rig.states(canvas) == "F"


async def test_session_that_ends_after_the_limit_is_no_crash(rig: Rig) -> None:
    """What was past its limit when its worker's lease ended has failed: its process was killed for it, perhaps."""
    canvas = await rig.submit(limited("a"))
    worker = rig.worker()
    await worker.hello(lease_ms=LIMIT_MS)
    (grant,) = await worker.take()
    await worker.start(grant)

    await pass_time(rig, LIMIT_MS)
    await rig.sweep()

    assert await rig.states(canvas) == "F"
    assert await error_type(rig, canvas) == "gesso.TimeLimitExceeded"


async def test_cancelled_attempt_is_fenced_too(rig: Rig) -> None:
    """A task that was told to stop, and does not, ends as cancelled at its limit."""
    canvas = await rig.submit(limited("a"))
    worker = await rig.ready()
    (grant,) = await worker.take()
    await worker.start(grant)
    await rig.partition.cancel_node(NAMESPACE, canvas.id, 0, terminate=False)

    await pass_time(rig, LIMIT_MS + FENCE_MS)
    await rig.sweep()

    assert await rig.states(canvas) == "V"


async def test_killed_process_is_told_by_the_next_one(rig: Rig) -> None:
    """What a process was killed for fails, whatever else it ran goes back without a crash; twice changes nothing."""
    canvas = await rig.submit(group(limited("a"), limited("b")))
    worker = await rig.ready()
    guilty, other = await worker.take(2)
    await worker.start(guilty, other)
    heir = rig.worker()
    hello = Hello(
        id=replace(heir.id, epoch=1), namespace=NAMESPACE, worker="w", slots=1, queues=heir.queues, tasks=heir.tasks,
        held=[], dead_sessions=[(worker.session, [])], overran=[(worker.session, [token(guilty)])],
    )  # fmt: skip

    for _ in range(2):
        await end_overran(rig.partition, hello)
        await rig.partition.hello(hello, lease_ms=60_000)

    _, failed, waiting = (await rig.look(canvas))[1]
    assert (failed.state, failed.failures, failed.crashes) == ("F", 1, 0)
    assert (waiting.state, waiting.crashes) == ("W", 0)


# --- delivered at most once ------------------------------------------------------------------------------


@pytest.mark.parametrize("blamed", [True, False])
async def test_at_most_once_fails_with_its_worker(rig: Rig, *, blamed: bool) -> None:
    """One that was started is given up when its process died, also if it had ended and nobody heard of it."""
    canvas = await rig.submit(limited("a", "m"))
    worker = await rig.ready()
    (grant,) = await worker.take()
    await worker.start(grant)

    await rig.worker().hello(dead=[(worker.session, [token(grant)] if blamed else [])])

    assert await rig.states(canvas) == "D"


async def test_at_most_once_that_never_started_goes_back(rig: Rig) -> None:
    """A grant that was not started, or was given back, is delivered again."""
    canvas = await rig.submit(limited("a", "m"))
    worker = await rig.ready()
    await worker.take()

    second = rig.worker()
    await second.hello(dead=[(worker.session, [])])
    (grant,) = await second.take()
    await second.start(grant)
    await second.give_back(grant)

    assert await rig.states(canvas) == "W"
    assert await second.names() == ["a"]


async def test_silent_worker_of_an_at_most_once_task_is_fatal(rig: Rig) -> None:
    """When the lease of a session ends, what it said it started is given up."""
    canvas = await rig.submit(limited("a", "m"))
    worker = rig.worker()
    await worker.hello(lease_ms=100)
    (grant,) = await worker.take()
    await worker.start(grant)

    await pass_time(rig, 100)
    await rig.sweep()

    assert await rig.states(canvas) == "D"


# --- states that tasks set -------------------------------------------------------------------------------


async def test_last_state_is_kept_until_the_end(rig: Rig) -> None:
    """A running task's state stands where its outcome will; a stale one changes nothing."""
    canvas = await rig.submit(call("a"))
    worker = await rig.ready()
    (grant,) = await worker.take()

    for text in (b"one", b"two"):
        reply = await worker.exchange(Frame(reported=[Reported(token(grant), "s", text)]))
        assert reply.answers == "A"
    found = await rig.partition.look(NAMESPACE, canvas.id, [0])
    await worker.report(grant)
    late = await worker.exchange(Frame(reported=[Reported(token(grant), "s", b"three")]))

    assert found is not None
    assert found[1][0] is not None
    assert found[1][0].outcome == b"two"
    assert late.answers == "D"
    after = await rig.partition.look(NAMESPACE, canvas.id, [0])
    assert after is not None
    assert after[1][0] is not None
    assert after[1][0].outcome == b"null"


async def test_state_does_not_end_the_hold(rig: Rig) -> None:
    """A session that set a state for a task still holds it, and loses it when it dies."""
    canvas = await rig.submit(call("a"))
    worker = await rig.ready()
    (grant,) = await worker.take()
    await worker.exchange(Frame(reported=[Reported(token(grant), "s", b"one")]))

    await rig.worker().hello(dead=[(worker.session, [token(grant)])])

    assert await rig.states(canvas) == "W"


def test_outcome_of_an_overrun_is_a_failure() -> None:
    """It is the error that the SDK raises as TimeLimitExceeded."""
    assert Outcome.FromString(OVERRAN).error.type == "gesso.TimeLimitExceeded"
