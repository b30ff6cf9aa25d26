"""Promise: what runs can be looked at: lists, why something waits, every task's times; from Python and the command."""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from acceptance.command import Command
from acceptance.tasks import Ledger, call
from gesso import App, AsyncResult, CanvasInfo, GroupResult, aio, chord, group, xmap
from support.system import System, until


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """Return a system with a coordinator and a worker of two slots, for all tests here."""
    with System(tmp_path_factory.mktemp("project")) as system:
        yield system


@pytest.fixture(scope="module")
def app(project: System) -> App:
    """Return the client."""
    coordinator = project.coordinator()
    project.worker(coordinator, threads=2)
    return project.client(coordinator)


@pytest.fixture
def gesso(app: App) -> Command:
    """Return the command, which finds them."""
    return Command(address=app.address)


@pytest.fixture
def gate(tmp_path: Path) -> Path:
    """Return a named pipe that tasks wait for."""
    os.mkfifo(tmp_path / "gate")
    return tmp_path / "gate"


def canvas_of(result: AsyncResult[Any] | GroupResult[Any]) -> str:
    """Return the id of a result's canvas."""
    assert result.canvas_id is not None
    return result.canvas_id


# --- lists ---------------------------------------------------------------------------------------


def test_canvases_are_listed_by_what_they_have_in_common(app: App) -> None:
    """Each filter of the list holds, in Python as in `gesso.aio`, and a limit ends it."""
    good = call("add", 1, 1)
    good.stamp(customer=7)
    done = [canvas_of(result) for result in (good.delay(), good.delay())]
    bad = call("boom", "cracked").delay()
    bad.get(timeout=30, propagate=False)
    until(lambda: len(list(app.control.canvases(state="succeeded", stamps={"customer": 7}))) == 2, "both end")

    def ids(**filters: Any) -> list[str]:
        return [canvas.id for canvas in app.control.canvases(**filters)]

    async def ids_there(**filters: Any) -> list[str]:
        return [canvas.id async for canvas in aio.canvases(app=app, **filters)]

    assert ids(stamps={"customer": 7}) == ids(stamps={"customer": [6, 7]}) == done[::-1]
    assert ids(stamps={"customer": None}, limit=1) == done[1:]
    assert ids(state=["FAILED"], task="acceptance.tasks.boom") == [canvas_of(bad)]
    assert ids(since=timedelta(hours=1), until=datetime.now(UTC) + timedelta(hours=1))[-3:] == ids()[-3:]
    assert ids(until=timedelta(hours=1)) == []
    with asyncio.Runner() as runner:
        assert runner.run(ids_there(stamps={"customer": 7})) == done[::-1]
        assert runner.run(ids_there(stamps={"customer": 7}, limit=1)) == done[1:]
        runner.run(aio.close(app))
    (found,) = app.control.canvases(task="acceptance.tasks.boom")
    assert (found.state, found.tasks, found.node_count) == ("FAILED", ("acceptance.tasks.boom",), 1)
    assert found.date_done is not None
    assert found.date_removed == found.date_done + timedelta(days=1)
    with pytest.raises(ValueError, match="ACTIVE"):
        app.control.canvases(state="done")
    with pytest.raises(ValueError, match="0"):
        app.control.canvases(limit=0)


def test_list_prints_a_table_or_objects(app: App, gesso: Command) -> None:
    """`gesso list` prints a line for each canvas, the newest first, or with -o json an object."""
    results = [call("total", [number]).apply_async() for number in range(3)]
    for result in results:
        result.get(timeout=30)
    ids = [canvas_of(result) for result in results][::-1]
    until(lambda: all(found.date_done for found in totals(app)), "all have ended")

    table = gesso.run("list", "--task", "acceptance.tasks.total", "--state", "succeeded", "--since", "1h")
    some = gesso.run("list", "--task", "acceptance.tasks.total", "--limit", "2", "-o", "json")
    wrong = gesso.run("list", "--since", "yesterday")

    heads, *lines = table.out.splitlines()
    assert heads.split() == ["CANVAS", "STATE", "ENDED", "SUBMITTED", "TOOK", "TASKS"]
    assert [line.split()[0] for line in lines] == ids
    assert all(re.search(r"succeeded +1/1 .*acceptance\.tasks\.total$", line) for line in lines)
    objects = [json.loads(line) for line in some.out.splitlines()]
    assert [each["id"] for each in objects] == ids[:2]
    assert datetime.fromisoformat(objects[0]["date_submitted"]) == next(iter(totals(app))).date_submitted
    assert (wrong.code, wrong.out) == (2, "")
    assert "no time" in wrong.err


def totals(app: App) -> list[CanvasInfo]:
    """Return the canvases of one task."""
    return list(app.control.canvases(task="acceptance.tasks.total"))


# --- why it waits ----------------------------------------------------------------------------------


def test_waiting_task_says_why(app: App, gesso: Command, gate: Path, ledger: Ledger) -> None:
    """A result, `gesso show` of a task, of a member and of a canvas all say what is in the way."""
    nobody = call("hold", str(gate), ledger.path, 1).apply_async(queue="gpu")
    unknown = app.send_task("proj.foo")
    held = group(call("hold", str(gate), ledger.path, number) for number in range(2)).apply_async()
    until(lambda: len(ledger) == 2, "both slots are taken")
    behind = call("add", 1, 1).delay()
    later = call("add", 1, 1).apply_async(countdown=1000)

    assert nobody.waits_for == "waits for a worker that takes tasks of queue gpu: none is connected"
    assert unknown.waits_for is not None
    assert unknown.waits_for.startswith("waits for a worker that knows proj.foo on queue default")
    until(lambda: "free slot" in (behind.waits_for or ""), "the task waits for a slot")
    shown = gesso.run("show", behind.id).out
    assert "waits for a free slot: all 2 slots of 1 worker are taken" in shown
    assert "(waiting)" in shown
    assert "waits for its time at" in gesso.run("show", later.id).out
    member = gesso.run("show", f"{held.id}[1]").out
    assert re.search(r"^why +runs on \S+, since ", member, re.MULTILINE)
    whole = gesso.run("show", canvas_of(held)).out
    assert re.search(r"^waiting +2 of acceptance\.tasks\.hold, first \S+: runs on", whole, re.MULTILINE)
    as_json = json.loads(gesso.run("show", held.id, "-o", "json").out)
    assert as_json["state_counts"] == [{"state": "STATE_RUNNING", "count": "2"}]
    assert as_json["waiting"]["reason"] == "REASON_INPUTS"
    no_member = gesso.run("show", f"{held.id}[2]")
    assert (no_member.code, no_member.out) == (2, "")

    app.control.revoke([nobody.id, unknown.id, later.id])
    gate.write_text("on")
    held.get(timeout=30)
    assert behind.get(timeout=30) == 2
    assert behind.waits_for is None
    assert app.AsyncResult("never-sent").waits_for is None


# --- every task's times ----------------------------------------------------------------------------


def dates(result: AsyncResult[Any]) -> list[datetime | None]:
    """Return a task's times, in the order in which they pass."""
    return [result.date_submitted, result.date_ready, result.date_started, result.date_done]


def assert_ran(result: AsyncResult[Any], attempts: int = 1) -> None:
    """Check what is known of a task that ran to its end."""
    known = [each for each in dates(result) if each is not None]
    assert len(known) == 4
    assert known == sorted(known)
    assert all(each.tzinfo is UTC for each in known)
    assert (result.attempts, result.queue) == (attempts, "default")
    assert result.worker
    assert result.canvas_id
    assert result.span_id
    assert result.trace_id


@pytest.mark.usefixtures("app")
def test_times_of_what_ran() -> None:
    """Plain, failed, retried and mapped tasks, a chord's body and a replaced task have each time, in order."""
    plain, failed, retried = call("add", 1, 1).delay(), call("boom", "x").delay(), call("again", 1, 3).delay()
    mapped = xmap(call("total"), [[1], [2]]).apply_async()
    joined = chord([call("add", 1, 1), call("add", 2, 2)], call("total"))()
    replaced = call("swap", call("add", 3, 4)).delay()
    for result in (plain, failed, retried, mapped, joined, replaced):
        result.get(timeout=30, propagate=False)

    for result in (plain, failed, mapped, joined, replaced):
        assert_ran(result)
    assert_ran(retried, attempts=2)
    assert retried.retries == 1
    last = [member.date_done for member in joined.parent.results]
    assert joined.date_ready == max(last)


@pytest.mark.usefixtures("app")
def test_times_of_what_did_not_run() -> None:
    """What ended without having run has no time of a start; what was revoked or expired while it waited has its end."""
    revoked = call("add", 1, 1).apply_async(queue="nobody")
    expired = call("add", 1, 1).apply_async(queue="nobody", expires=0.001)
    behind = (call("boom", "x") | call("add", 1)).delay()
    revoked.revoke()
    for result in (revoked, expired, behind):
        result.get(timeout=30, propagate=False)

    for result in (revoked, expired, behind):
        submitted, ready, started, done = dates(result)
        assert submitted is not None
        assert done is not None
        assert submitted <= done
        assert (ready, started, result.attempts, result.worker) == (None, None, 0, None)
    assert revoked.state == expired.state == "REVOKED"
    assert behind.state == "FAILURE"


def test_metadata_has_all_of_it(app: App, gesso: Command) -> None:
    """What Celery calls the task's metadata, the command and `gesso.aio` say the same as the result."""
    canvas = call("add", 1, 1)
    canvas.stamp(customer=7)
    result = canvas.apply_async(task_id="an-id-of-ours")
    result.get(timeout=30)

    meta = result._get_task_meta()  # noqa: SLF001  as Celery's users do
    shown = gesso.run("show", "an-id-of-ours").out
    ended = json.loads(gesso.run("result", "an-id-of-ours", "-o", "json").out)

    assert (meta["attempts"], meta["customer"], meta["worker"]) == (1, [7], result.worker)
    assert [meta[f"date_{name}"] for name in ("submitted", "ready", "started", "done")] == dates(result)
    assert (ended["value"], ended["attempts"], ended["stamps"]) == (2, 1, {"customer": [7]})
    assert [
        datetime.fromisoformat(ended[name]) for name in ("submitted", "ready", "started", "finished")
    ] == dates(result)
    lines = dict(re.findall(r"^(\w+) +(.*)$", shown, re.MULTILINE))
    assert lines["state"] == "SUCCESS (succeeded)"
    for name, date in zip(("submitted", "ready", "started", "finished"), dates(result), strict=True):
        assert date is not None
        assert lines[name] == f"{date:%Y-%m-%d %H:%M:%S}.{date.microsecond // 1000:03}Z"
    assert (lines["worker"], lines["queue"], lines["attempts"]) == (result.worker, "default", "1")
    assert lines["stamp"] == "customer = 7"

    async def there() -> dict[str, Any]:
        try:
            return await aio.AsyncResult(result.id, app)._get_task_meta()  # noqa: SLF001  as Celery's users do
        finally:
            await aio.close(app)

    with asyncio.Runner() as runner:
        assert runner.run(there()) == meta


# --- gesso top -------------------------------------------------------------------------------------


def test_top_tells_true_rates(app: App, gesso: Command) -> None:
    """Rates are what the counters grew by in the time between two readings; a queue that was not there has none."""
    app.control.limit("acceptance.tasks.add", concurrency=100)
    call("add", 1, 1).delay().get(timeout=30)
    before = json.loads(gesso.run("top", "--once", "--interval", "0.1", "-o", "json").out)
    for _ in range(20):
        call("add", 1, 1).delay().get(timeout=30)
    after = json.loads(gesso.run("top", "--interval", "0.1", "-o", "json").out)
    table = gesso.run("top", "--interval", "0.1").out

    first, then = (
        next(queue for queue in each["queues"] if queue["queue"] == "default") for each in (before, after)
    )
    for name in ("entered", "delivered", "ended"):
        assert then[name] - first[name] == 20
        assert then[f"{name}_rate"] == 0.0
    ((worker,), (worker_then,)) = before["workers"], after["workers"]
    assert worker_then["ended"] - worker["ended"] == 20
    assert (worker["slots"], worker["ended_rate"], worker["queues"]) == (2, 0.0, ["default"])
    assert after["limits"][0] == {
        "key": "acceptance.tasks.add",
        "rate": None,
        "concurrency": 100,
        "held": 0,
        "held_back": 0,
    }
    assert after["seconds"] >= 0.1
    assert all(head in table for head in ("QUEUE", "WORKER", "LIMIT"))
