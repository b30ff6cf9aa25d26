"""Running what failed of a canvas again: what succeeded is taken over, the rest is as before it ran."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from gesso_server.dispatch.extension import Replaced
from gesso_server.dispatch.rerun import CanvasActiveError
from gesso_server.dispatch.submission import RequestIdReusedError
from gesso_server.dispatch.values import NoValueError
from gesso_server.ids import CanvasId
from gesso_server.plan import Counts, Element, Group, Policy
from gesso_server.store.calls import Frame, Reported
from gesso_server.store.records import Place
from gesso_server.store.rerun import IncompleteCanvasError, NothingFailedError
from integration.store.scripts.reruns import again, ref_of, run, value
from integration.store.scripts.rig import NAMESPACE, Rig, quick, token
from support.trees import call, calls, chain, chord, group

BRIEF = quick(result_ttl=timedelta(0))


def linked(element: Element, *error_links: Element) -> Element:
    """Return an element with error links."""
    return replace(element, error_links=error_links)


CASES: dict[str, tuple[Element, Sequence[str], Sequence[str], str]] = {
    # the canvas, what fails, what runs again, and how the new one ends
    "a step": (chain(call("a"), call("b"), call("c")), ["b"], ["b", "c"], "SSS"),
    "the first step": (chain(call("a"), call("b")), ["a"], ["a", "b"], "SS"),
    "one member": (group(*calls(3)), ["m1"], ["m1"], "SSSS"),
    "every member": (group(*calls(3)), ["m0", "m1", "m2"], ["m0", "m1", "m2"], "SSSS"),
    "a member of a header": (chord(calls(3), call("body")), ["m1"], ["m1", "body"], "SSSSS"),
    "the body": (chord(calls(3), call("body")), ["body"], ["body"], "SSSSS"),
    "a step of a member": (
        chord([chain(call("a"), call("b")), call("c")], call("body")), ["b"], ["b", "body"], "SSSSS",
    ),
    "a nested header": (
        chord([chord(calls(2), call("inner")), call("c")], call("body")), ["m0"], ["m0", "inner", "body"], "SSSSSSS",
    ),
    "a link": (call("a", call("link")), ["link"], ["link"], "SS"),
    "a task that had a link": (call("a", call("link")), ["a"], ["a", "link"], "SS"),
    "a group behind a step": (chain(call("a"), group(*calls(2))), ["a"], ["a", "m0", "m1"], "SSSS"),
    "two groups in a row": (
        chain(group(*calls(2, "x")), group(*calls(2, "y"))), ["x0", "y1"], ["x0", "y0", "y1"], "SSSSSS",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("element", "failing", "rerun", "states"), CASES.values(), ids=CASES)
async def test_only_what_did_not_succeed_runs_again(
    rig: Rig, element: Element, failing: Sequence[str], rerun: Sequence[str], states: str
) -> None:
    """What succeeded is entered as ended, with its value; the old canvas stays as it is."""
    canvas = await rig.submit(element)
    worker = rig.worker()
    await worker.hello()
    await run(worker, *failing)
    await rig.settle()
    before = await rig.states(canvas)

    new = await again(rig, canvas)
    ran = await run(worker)
    await rig.settle()

    assert sorted(ran) == sorted(rerun)
    assert await rig.states(new) == states
    assert await rig.states(canvas) == before
    meta, records = await rig.look(new)
    assert (meta.state, meta.left, meta.node_count) == ("S", 0, len(records))
    assert new.accepted.last is not None
    assert await value(rig, new, new.accepted.last)


async def test_values_are_read_where_they_lie(rig: Rig) -> None:
    """A body of a canvas that was run again twice gets each value from the canvas that it was reported to."""
    canvas = await rig.submit(chord(calls(3), call("body")))
    worker = rig.worker()
    await worker.hello()
    await run(worker, "m0", "m1")
    second = await again(rig, canvas)
    await run(worker, "m1")
    third = await again(rig, second)

    assert await run(worker) == ["m1", "body"]
    assert await value(rig, third, 0) == [b"m0", b"m1", b"m2"]


@pytest.mark.parametrize("config", [BRIEF], indirect=True)
async def test_old_canvas_is_kept_for_as_long_as_the_new_one(rig: Rig) -> None:
    """It is removed after it; no key of either is left."""
    canvas = await rig.submit(chain(call("a"), call("b")))
    worker = rig.worker()
    await worker.hello()
    await run(worker, "b")
    new = await again(rig, canvas)
    await rig.settle()

    (grant,) = await worker.take()
    assert grant.source_value == b"a"
    assert await rig.partition.look(NAMESPACE, canvas.id) is not None
    await worker.report(grant)
    await rig.settle()
    await rig.settle()

    assert await rig.partition.look(NAMESPACE, canvas.id) is None
    assert await rig.partition.look(NAMESPACE, new.id) is None
    assert not [key for key in await rig.keys() if ":c:" in key]


async def test_cancelled_canvas_runs_again(rig: Rig) -> None:
    """From where it was cancelled."""
    canvas = await rig.submit(chain(call("a"), group(*calls(2)), call("c")))
    worker = rig.worker()
    await worker.hello()
    await worker.report(*await worker.take())
    await rig.coordinator.cancellations.canvas(NAMESPACE, canvas.id, terminate=False)
    await rig.settle()
    assert await rig.states(canvas) == "SCCCC"

    new = await again(rig, canvas)

    assert sorted(await run(worker)) == ["c", "m0", "m1"]
    assert await rig.states(new) == "SSSSS"


async def test_error_links_fire_anew_and_not_for_the_old_failure(rig: Rig) -> None:
    """What the old failure's error link came to is dropped; a new failure adds another."""
    canvas = await rig.submit(linked(call("a"), chain(call("e1"), call("e2"))))
    worker = rig.worker()
    await worker.hello()
    assert await run(worker, "a", "e2") == ["a", "e1", "e2"]

    new = await again(rig, canvas)
    assert await run(worker, "a") == ["a", "e1", "e2"]

    found = await rig.partition.look(NAMESPACE, new.id, range(6))
    assert found is not None
    assert [node.record[0] if node else "" for node in found[1]] == ["F", "S", "N", "S", "S", ""]


async def test_failure_that_a_join_got_along_without_stays(rig: Rig) -> None:
    """A settled group has taken it for a value, and so has what stands behind it."""
    settled = Group(tuple(calls(2)), Policy(counts=Counts.SETTLED))
    canvas = await rig.submit(chain(settled, call("b"), call("c")))
    worker = rig.worker()
    await worker.hello()
    await run(worker, "m1", "c")

    new = await again(rig, canvas)

    assert await run(worker) == ["c"]
    assert await rig.states(new) == "SSFSS"


async def test_quorum_counts_what_it_had(rig: Rig) -> None:
    """The arrivals before the failure are arrivals of the new join, too."""
    quorum = Group(tuple(calls(4)), Policy(counts=Counts.QUORUM, need=3))
    canvas = await rig.submit(chain(quorum, call("b")))
    worker = rig.worker()
    await worker.hello()
    await run(worker, "m1", "m2")

    new = await again(rig, canvas)

    assert sorted(await run(worker)) == ["b", "m1", "m2"]
    assert await value(rig, new, 0) == [b"m0", b"m1", b"m3"]


async def test_quorum_that_fired_is_taken_over_with_what_arrived(rig: Rig) -> None:
    """The values that it fired with are those that a later step gets."""
    quorum = Group(tuple(calls(3)), Policy(counts=Counts.QUORUM, need=2))
    canvas = await rig.submit(chain(quorum, call("b")))
    worker = rig.worker()
    await worker.hello()
    await run(worker, "m0", "b")

    new = await again(rig, canvas)

    assert await run(worker) == ["b"]
    assert await value(rig, new, 0) == [b"m1", b"m2"]


async def test_replaced_task_waits_for_what_failed_of_its_replacement(rig: Rig) -> None:
    """It does not run again itself."""
    canvas = await rig.submit(chain(call("a"), call("b")))
    worker = rig.worker()
    await worker.hello()
    (grant,) = await worker.take()
    ref = token(grant)
    extended = await rig.coordinator.extensions.replacement(
        NAMESPACE,
        Replaced(ref=ref_of(canvas, 0), task_id="", place=Place(), source=None),
        chain(call("r1"), call("r2")),
    )
    await worker.exchange(Frame(reported=[Reported(ref, "p", b"", 0, extended)]))
    assert await run(worker, "r2") == ["r1", "r2"]

    new = await again(rig, canvas)

    assert await run(worker) == ["r2", "b"]
    assert await rig.states(new) == "SS"


async def test_request_is_answered_once(rig: Rig) -> None:
    """The same request id returns the same canvas; for another canvas it is refused."""
    canvas, other = await rig.submit(call("a")), await rig.submit(call("b"))
    worker = rig.worker()
    await worker.hello()
    await run(worker, "a", "b")

    first, second = await again(rig, canvas, "r"), await again(rig, canvas, "r")

    assert first.id == second.id
    assert second.accepted.known
    assert await run(worker) == ["a"]
    with pytest.raises(RequestIdReusedError):
        await again(rig, other, "r")


async def test_canvas_that_cannot_be_run_again_is_refused(rig: Rig) -> None:
    """One that has not ended, of which nothing failed, or whose values were forgotten; an unknown one is None."""
    worker = rig.worker()
    await worker.hello()
    running = await rig.submit(call("a"))
    with pytest.raises(CanvasActiveError):
        await again(rig, running)
    await run(worker)
    with pytest.raises(NothingFailedError):
        await again(rig, running)
    forgotten = await rig.submit(chain(call("a"), call("b")))
    await run(worker, "b")
    await rig.partition.forget_node(NAMESPACE, forgotten.id, 0)
    with pytest.raises(NoValueError):
        await again(rig, forgotten)
    assert await rig.coordinator.reruns.run(NAMESPACE, CanvasId("000" + "f" * 29), "") is None
    growing = await rig.submit(Group((call("a"),), open_index=0))
    await rig.coordinator.cancellations.canvas(NAMESPACE, growing.id, terminate=False)
    with pytest.raises(IncompleteCanvasError):
        await again(rig, growing)


async def test_chosen_ids_name_the_newest_run(rig: Rig) -> None:
    """Those of tasks that succeeded, too."""
    canvas = await rig.submit(chain(replace(call("a"), task_id="mine"), replace(call("b"), task_id="last")))
    worker = rig.worker()
    await worker.hello()
    await run(worker, "b")

    new = await again(rig, canvas)

    names = rig.coordinator.submissions.names
    assert [await names.find(NAMESPACE, each) for each in ("mine", "last")] == [
        ref_of(new, 0),
        ref_of(new, 1),
    ]


async def test_large_canvas_is_run_again_in_bounded_calls(rig: Rig) -> None:
    """Every other member of a group of 3,000 failed, and what stands behind it never ran."""
    canvas = await rig.submit(chain(group(*calls(3000)), group(*calls(1500, "y"))))
    worker = rig.worker()
    await worker.hello()
    odd = [f"m{number}" for number in range(1, 3000, 2)]
    await run(worker, *odd, most=1000)
    await rig.settle()

    new = await again(rig, canvas)
    await rig.settle()
    ran = await run(worker, most=1000)
    await rig.settle()

    assert sorted(ran) == sorted([*odd, *(f"y{number}" for number in range(1500))])
    meta, _ = await rig.look(new)
    assert (meta.state, meta.left) == ("S", 0)


async def test_expiry_counts_from_when_the_canvas_is_run_again(rig: Rig) -> None:
    """By the same clock as all else, so that a machine whose clock was set back expires nothing too early."""
    plain = call("a")
    old = await rig.submit(replace(plain, lane=plain.lane._replace(timed=True), timing="x60000"))
    worker = rig.worker()
    await worker.hello()
    await run(worker, "a")
    await rig.store.redis.set("gesso:{0}:clock", 9_000_000_000_000)

    new = await again(rig, old)

    assert await run(worker) == ["a"]
    assert await rig.states(new) == "S"
