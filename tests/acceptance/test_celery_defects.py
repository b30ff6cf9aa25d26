"""Promise: what is lost or waits for ever in Celery ends here, with the error where it belongs.

Each test is a defect of Celery's that its users have met.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from acceptance.reference_system import running
from acceptance.tasks import Ledger, call
from gesso import (
    AsyncResult,
    ChordError,
    GroupResult,
    Signature,
    chain,
    chord,
    group,
    growing,
    quorum,
    signature,
)
from support import canvas_tasks
from support.likeness import Live
from support.system import Coordinator, System, until

LIMIT_SECONDS = 20


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """Return a coordinator with a worker."""
    with running(tmp_path_factory.mktemp("defects")) as live:
        yield live


def sig(task: str, label: int = 0, *args: Any, **kwargs: Any) -> Signature[Any]:
    """Return a signature of a task that writes down what it got."""
    return signature(f"{canvas_tasks.__name__}.{task}", args, {"run": "defects", "label": label, **kwargs})


def told(live: Live, label: int) -> list[Any]:
    """Return what the tasks of this number got; everything that was written down before is forgotten."""
    lines = map(json.loads, live.taken())
    return [got for _, number, got in lines if number == label]


@pytest.mark.usefixtures("live")
def test_error_before_a_group_reaches_whoever_waits_for_the_group() -> None:
    """`task | failing | group`: waiting for the group raises the failing task's error."""
    result = (sig("work") | sig("fail", 1) | group(sig("work", 2), sig("work", 3))).delay()

    with pytest.raises(ValueError, match="boom 1"):
        result.get(timeout=LIMIT_SECONDS)
    assert result.failed()


@pytest.mark.usefixtures("live")
def test_members_of_a_group_behind_a_failing_step_are_final() -> None:
    """Each ends with the failing step's error, and so does the step behind the group."""
    canvas = chain(sig("fail", 1), group(sig("work", 2), sig("work", 3)), sig("work", 4))
    canvas.freeze()
    result = canvas.apply_async()

    with pytest.raises(ValueError, match="boom 1"):
        result.get(timeout=LIMIT_SECONDS)
    joined = result.parent
    assert isinstance(joined, GroupResult)
    for member in joined.results:
        with pytest.raises(ValueError, match="boom 1"):
            member.get(timeout=LIMIT_SECONDS)
    assert [each.state for each in (*joined.results, joined, result)] == ["FAILURE"] * 4


def test_chord_ends_when_the_first_task_of_a_chain_in_its_header_fails(live: Live) -> None:
    """The body fails with a ChordError that names it, once, and the body's error link is told."""
    body = sig("work", 4)
    body.link_error(sig("told_all", 5))
    result = chord([sig("fail", 1) | sig("work", 2) | sig("work", 2), sig("work", 3)], body).delay()

    with pytest.raises(ValueError, match="boom 1"):
        result.get(timeout=LIMIT_SECONDS)
    with pytest.raises(ChordError, match="boom 1"):
        AsyncResult[Any](result.id).get(timeout=LIMIT_SECONDS)
    live.settle(result)
    assert [got[0] for got in told(live, 5)] == ["NODE"]


def test_task_in_a_header_is_replaced_with_a_group(live: Live) -> None:
    """The body gets one list for it, in its place, and runs once."""
    replacement = group(sig("work", 1), sig("work", 2))
    swap = sig("swap", 3, canvas=replacement.to_dict())
    result = chord([sig("work", 4), swap, sig("work", 5)], sig("work", 6)).delay()

    result.get(timeout=LIMIT_SECONDS)

    live.settle(result)
    values = [canvas_tasks.digest(label) for label in range(6)]
    assert told(live, 6) == [[[values[4], [values[1], values[2]], values[5]]]]


def test_error_link_of_a_chord_inside_a_group_runs(live: Live) -> None:
    """It is told once, with the id of the chord's body, whatever the other members do."""
    inner = chord([sig("fail", 1), sig("work", 2)], sig("work", 3).set(task_id="the-body"))
    inner.link_error(sig("told_id", 4))
    result = group(inner, sig("work", 5)).delay()

    with pytest.raises(ValueError, match="boom 1"):
        result.get(timeout=LIMIT_SECONDS)

    live.settle(result)
    assert told(live, 4) == [["the-body"]]


def test_error_link_of_a_group_of_chords_runs_for_each(live: Live) -> None:
    """One given to the group is told once for each chord that failed."""
    failing = [chord([sig("fail", 1), sig("work", 2)], sig("work", 3)) for _ in range(3)]
    canvas = group(*failing, sig("work", 5))
    canvas.link_error(sig("told_id", 4))
    result = canvas.delay()

    with pytest.raises(ValueError, match="boom 1"):
        result.get(timeout=LIMIT_SECONDS)

    live.settle(result)
    assert told(live, 4) == [["NODE"]] * 3


def test_state_of_a_canvas_that_lives_never_expires(system: System, ledger: Ledger, gate: Path) -> None:
    """Whatever a canvas waits for, a generator, a worker, its time, a join, no key of it has a time limit."""
    coordinator = system.coordinator()
    system.client(coordinator)
    going_on = threading.Event()

    def members() -> Iterator[Signature[Any]]:
        yield call("hold", str(gate), ledger.path, 0)
        yield call("add", 1, 1).set(countdown=3600)
        yield call("add", 1, 1).set(expires=3600)
        yield signature("nobody.knows")
        yield from (call("add", key, key) for key in range(2 * growing.AHEAD_COUNT))
        going_on.wait(LIMIT_SECONDS)

    header = group(members(), policy=quorum(3), deadline=3600)
    header.link_error(call("add", 1))
    sending = system.background(
        lambda: chain(header, group(call("add", 1), call("add", 2)), call("total")).delay()
    )

    until(lambda: "live" in stages(coordinator), "a canvas whose generator goes on")
    assert {"growing", "live"} <= stages(coordinator)
    system.worker(coordinator)
    until(lambda: {"due", "exp", "h"} <= stages(coordinator) and len(ledger) == 1, "a member that runs")
    going_on.set()
    sending.result(LIMIT_SECONDS)
    until(lambda: "growing" not in stages(coordinator), "the whole canvas")
    gate.write_text("open")
    until(lambda: {"a", "p"} <= stages(coordinator), "members that came in, and one that nobody knows")

    with redis.Redis.from_url(coordinator.store, decode_responses=True) as store:
        (meta,) = store.scan_iter(match="*:c:*:m")
        store.expire(meta, 3600)
    with pytest.raises(AssertionError, match=r"3600|3599"):
        stages(coordinator)


def stages(coordinator: Coordinator) -> set[str]:
    """Return what kinds of keys the store has, and check that none of them has a time limit.

    Ids of requests, and ids that clients chose, are known for a time, and so is what a coordinator has counted: they
    are no state of a canvas.
    """
    with redis.Redis.from_url(coordinator.store, decode_responses=True) as store:
        limits = {key: store.ttl(key) for key in store.scan_iter(match="gesso:{*", count=1000)}
    kinds = {key: key.split(":")[4 if ":c:" in key else 2] for key in limits}
    limited = {
        key: limit
        for key, limit in limits.items()
        if limit >= 0 and kinds[key] not in {"req", "id", "canary"}
    }
    assert not limited, limited
    return set(kinds.values())


@pytest.fixture
def gate(tmp_path: Path) -> Path:
    """Return a named pipe that tasks wait at."""
    os.mkfifo(tmp_path / "gate")
    return tmp_path / "gate"
