"""One canvas is one trace: what real servers, workers and clients send to a real receiver, asserted whole."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Collection, Iterator
from pathlib import Path

import pytest

from acceptance.traces import Traced, sent, whole
from gesso import group, signature
from gesso_server.ids import CanvasId, span_id, submit_span_id
from gesso_telemetry.stamped import attempt_span_id
from support.otlp import Receiver, receiving
from support.system import Coordinator, Program, System, until

THRESHOLD = 10
BAGGAGE = ("tracing.baggage=tenant,region", "tracing.baggage_attributes=tenant")


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    """Return a receiver to which every process that starts from now on sends its spans."""
    with receiving() as receiver, pytest.MonkeyPatch.context() as patch:
        for name, value in receiver.environment.items():
            patch.setenv(name, value)
        yield receiver


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory, receiver: Receiver) -> Iterator[System]:
    """Return a system whose processes are traced."""
    del receiver
    # The product's own grace, so that the child in the place of a killed one tells of that in time on a busy machine.
    with System(tmp_path_factory.mktemp("system"), grace_seconds=10.0) as system:
        yield system


@pytest.fixture(scope="module")
def coordinator(system: System) -> Coordinator:
    """Return a coordinator."""
    return system.coordinator(
        settings=[f"tracing.group_threshold={THRESHOLD}", "tracing.stamps=visible", *BAGGAGE]
    )


@pytest.fixture(scope="module", autouse=True)
def worker(system: System, coordinator: Coordinator) -> Program:
    """Return a worker of it, which logs for programs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GESSO_ADDRESS", coordinator.address)  # for what tasks submit
        patch.setenv("GESSO_LOG_FORMAT", "json")
        return system.worker(coordinator, module="acceptance.traced", threads=2)


def test_step_of_a_chain_is_the_child_of_the_one_before(
    system: System, coordinator: Coordinator, receiver: Receiver
) -> None:
    """A chain's spans are a chain: each task's under its stamped id, and each attempt's under its task's."""
    traced = sent(system, coordinator, receiver, "chain", spans=8)

    parents = [traced.submit, traced.task(0), traced.task(1)]
    assert [traced.parent(traced.task(index)) for index in range(3)] == parents
    assert [traced.parent(traced.run(index)) for index in range(3)] == [traced.task(i) for i in range(3)]
    assert (traced.submit.name, traced.submit.kind) == ("submit chain", "producer")
    assert (traced.task(0).name, traced.task(0).kind) == ("task acceptance.traced.add", "internal")
    assert (traced.run(0).name, traced.run(0).kind) == ("run acceptance.traced.add", "consumer")
    services = [span.service for span in (traced.submit, traced.task(0), traced.run(0))]
    assert services == ["client", "gesso-coordinator", "gesso-worker"]
    assert not any(span.error for span in traced.spans.values())
    assert traced.task(0).end_ns <= traced.task(1).start_ns == traced.task(0).end_ns


def test_attributes_are_those_of_messaging_and_ours(
    system: System, coordinator: Coordinator, receiver: Receiver
) -> None:
    """An attempt's span says which canvas, node, task, queue, attempt and worker it is of."""
    traced = sent(system, coordinator, receiver, "retry", spans=5)

    said = dict(traced.run(0, 2).attributes)
    worker = said.pop("gesso.worker")
    node_id = f"{traced.canvas_id}-0"
    assert said == {
        "messaging.system": "gesso",
        "messaging.operation.name": "run",
        "messaging.operation.type": "process",
        "messaging.destination.name": "default",
        "messaging.message.id": node_id,
        "messaging.message.conversation_id": traced.canvas_id,
        "messaging.consumer.group.name": str(worker).rpartition("/")[0],
        "gesso.canvas.id": traced.canvas_id,
        "gesso.node.id": node_id,
        "gesso.task": "acceptance.traced.flaky",
        "gesso.queue": "default",
        "gesso.attempt": 2,
        "gesso.outcome": "succeeded",
    }
    assert traced.task(0).attributes["gesso.attempt_count"] == 2
    assert traced.task(0).attributes["gesso.state"] == "succeeded"


def test_group_is_a_span_beside_its_members(
    system: System, coordinator: Coordinator, receiver: Receiver
) -> None:
    """A group's own span has the id that the group was stamped with, and what it begins with as its parent."""
    traced = sent(system, coordinator, receiver, "group", spans=9)

    assert [traced.parent(traced.task(index)) for index in range(4)] == [traced.submit] * 4
    assert (traced.task(0).name, traced.task(0).attributes["gesso.group.size"]) == ("group", 3)


def test_body_of_a_chord_is_linked_to_its_header(
    system: System, coordinator: Coordinator, receiver: Receiver
) -> None:
    """Inner and outer body are under their group, and linked to what they get the values of."""
    traced = sent(system, coordinator, receiver, "chord in a chord", spans=14)

    outer, inner, inner_body, outer_body = (traced.task(index) for index in (0, 1, 4, 6))
    assert traced.parent(inner_body) == inner
    assert traced.parent(outer_body) == outer
    assert inner_body.links == (traced.task(2).span_id, traced.task(3).span_id)
    assert outer_body.links == (inner_body.span_id, traced.task(5).span_id)
    assert outer_body.attributes["gesso.links.count"] == 2


def test_retry_is_linked_to_the_attempt_before(
    system: System, coordinator: Coordinator, receiver: Receiver
) -> None:
    """Both attempts are children of the task's span, which did not fail; the second is linked to the first."""
    traced = sent(system, coordinator, receiver, "retry", spans=5)

    first, second = traced.run(0, 1), traced.run(0, 2)
    assert traced.parent(first) == traced.parent(second) == traced.task(0)
    assert second.links == (first.span_id,)
    assert (first.error, second.error, traced.task(0).error) == (True, False, False)


def test_error_link_is_the_child_of_what_failed(
    system: System, coordinator: Coordinator, receiver: Receiver
) -> None:
    """A failure's span has its exception, without any value; behind it are the error link and what cannot run."""
    traced = sent(system, coordinator, receiver, "failure", spans=9)

    add_, boom, never, mourn = (traced.task(index) for index in range(4))
    assert [traced.parent(span) for span in (boom, never, mourn)] == [add_, boom, boom]
    assert [span.error for span in (add_, boom, never, mourn)] == [False, True, True, False]
    assert boom.attributes["error.type"] == "builtins.ValueError"
    assert never.attributes["gesso.cause.node.id"] == f"{traced.canvas_id}-1"
    ((name, exception),) = traced.run(1).events
    assert (name, exception["exception.type"], exception["exception.message"]) == (
        "exception",
        "builtins.ValueError",
        "boom",
    )
    assert "s3cret" not in repr(traced.spans)


def test_replacement_is_under_the_task_that_it_replaces(
    system: System, coordinator: Coordinator, receiver: Receiver
) -> None:
    """The first task of a replacement is the child of the replaced one, and what follows is not."""
    traced = sent(system, coordinator, receiver, "replace", spans=10)

    replaced, after, first, second = (traced.task(index) for index in range(4))
    assert [traced.parent(span) for span in (replaced, first, second, after)] == [
        traced.submit,
        replaced,
        first,
        replaced,
    ]
    assert replaced.end_ns >= second.end_ns


def test_replacement_of_a_member_is_an_input_of_the_body(
    system: System, coordinator: Coordinator, receiver: Receiver
) -> None:
    """What replaces a member of a chord lies under it, and the body is still linked to the member."""
    traced = sent(system, coordinator, receiver, "replaced in a chord", spans=13)

    member, other, body, first = (traced.task(index) for index in (1, 2, 3, 4))
    assert traced.parent(first) == member
    assert traced.parent(traced.task(5)) == first
    assert body.links == (member.span_id, other.span_id)


def test_member_that_a_task_adds_is_under_it(
    system: System, coordinator: Coordinator, receiver: Receiver
) -> None:
    """Members added to a running chord are children of the task that added them, and inputs of the body."""
    traced = sent(system, coordinator, receiver, "grown", spans=17)

    grower, body, first, second = (traced.task(index) for index in (2, 4, 5, 6))
    assert traced.value == 36
    assert [traced.parent(span) for span in (first, second)] == [grower, grower]
    last = traced.task(7)
    assert traced.parent(last) == second
    assert body.links == tuple(traced.task(index).span_id for index in (2, 3, 5, 7))


def test_group_that_was_streamed_is_one_span(
    system: System, coordinator: Coordinator, receiver: Receiver
) -> None:
    """A group whose members came one after the other has one span, also for what came after it was accepted."""
    traced = sent(system, coordinator, receiver, "streamed", spans=7)

    before, group_, body = (traced.task(index) for index in range(3))
    assert traced.value == 60 * 59
    assert (traced.parent(group_), traced.parent(body)) == (before, group_)
    assert group_.attributes["gesso.group.count.succeeded"] == group_.attributes["gesso.group.size"] == 60
    assert (body.links, body.attributes["gesso.links.count"]) == ((), 60)


def test_what_is_run_again_is_linked_to_where_it_failed(
    system: System, coordinator: Coordinator, receiver: Receiver
) -> None:
    """A canvas that is run again has a trace of its own, whose spans are linked to those of the trace before."""
    old = sent(system, coordinator, receiver, "failing", "again", spans=10)

    root = submit_span_id(CanvasId(old.again))
    new = Traced(old.again, None, whole(receiver, old.again, root, spans=6, lost_links=5))
    assert new.spans[root].links == (old.submit.span_id,)
    group_, once, body = (new.task(index) for index in (1, 3, 4))
    assert [new.parent(span) for span in (group_, once, body)] == [new.spans[root]] * 2 + [group_]
    assert group_.links == (old.task(1).span_id,)
    assert once.links == (old.task(3).span_id,)
    assert body.links == (old.task(4).span_id, old.task(2).span_id, once.span_id)
    assert new.run(3).links == ()
    assert not new.spans.keys() & old.spans.keys()


@pytest.mark.parametrize(("name", "inner"), [("nested", 5), ("nested on loop", 3)])
def test_what_a_task_submits_is_in_its_trace(
    name: str, inner: int, system: System, coordinator: Coordinator, receiver: Receiver
) -> None:
    """A canvas that a task submits is under the attempt that submitted it, also through a span of the task's own."""
    traced = sent(system, coordinator, receiver, name, spans=4 + inner + (name == "nested"))

    canvas_id = str(traced.value).rpartition("-")[0]
    nested = Traced(canvas_id, None, traced.spans)
    above = traced.parent(nested.submit)
    assert nested.parent(nested.task(0)) == nested.submit
    assert traced.run(0) == (traced.parent(above) if name == "nested" else above)


def test_large_group_is_one_span(system: System, coordinator: Coordinator, receiver: Receiver) -> None:
    """Above the threshold the group's span tells of its members, which have none, nor have their attempts."""
    traced = sent(system, coordinator, receiver, "large", spans=5)

    whole, body = traced.task(0), traced.task(13)
    assert traced.parent(body) == whole
    assert (body.links, body.attributes["gesso.links.count"]) == ((), 12)
    assert whole.attributes["gesso.group.count.succeeded"] == 12
    assert all(f"gesso.group.duration.{rank}" in whole.attributes for rank in ("p50", "p95", "p99", "max"))
    assert [name for name, _ in whole.events] == ["gesso.example.slow"] * 3


def test_canvas_of_a_submitter_without_a_trace_has_one_root(
    system: System, coordinator: Coordinator, receiver: Receiver
) -> None:
    """For a client that sends no trace, the coordinator tells the submission, and the trace's id is the canvas's."""
    system.client(coordinator)
    result = group(signature("acceptance.traced.add", args=(1, n)) for n in range(2)).delay()
    canvas_id = result.id.rpartition("-")[0]

    spans = receiver.wait(canvas_id, lambda spans: len(spans) >= 6)

    (root,) = (span for span in spans if not span.parent_id)
    assert (root.name, root.kind, root.service) == ("submit", "producer", "gesso-coordinator")
    tasks = {span.span_id: span for span in spans if span.kind == "internal"}
    assert set(tasks) == {span_id(canvas_id, index) for index in range(3)}
    assert {span.parent_id for span in tasks.values()} == {root.span_id}


def test_trace_is_whole_with_two_coordinators(
    system: System, coordinator: Coordinator, receiver: Receiver
) -> None:
    """It does not matter which coordinator accepts a canvas and which one hears of its ends."""
    second = system.coordinator(store=coordinator)

    traced = sent(system, second, receiver, "chord in a chord", spans=14)

    assert traced.value == 12
    assert traced.task(6).links == (traced.task(4).span_id, traced.task(5).span_id)


def test_trace_is_whole_after_a_worker_was_killed(
    system: System, coordinator: Coordinator, receiver: Receiver
) -> None:
    """What a killed process could not tell is missing alone: the next attempt is under the task's span."""
    traced = sent(system, coordinator, receiver, "mortal", spans=4, lost_links=1)

    assert traced.value == 2
    assert traced.parent(traced.run(0, 2)) == traced.task(0)
    assert traced.run(0, 2).links == (attempt_span_id(traced.task(0).span_id, 1),)
    said = traced.task(0).attributes
    assert (said["gesso.attempt_count"], said["gesso.crash_count"]) == (2, 1)


def test_trace_goes_on_after_a_coordinator_was_killed(tmp_path: Path, receiver: Receiver) -> None:
    """What a killed coordinator had sent is not sent again, another one tells the rest, and nothing is missing."""
    with System(tmp_path) as system:
        store = system.store()
        first, second = system.coordinator(store=store), system.coordinator(store=store)
        system.worker(first, second, module="acceptance.traced")
        os.mkfifo(tmp_path / "gate")
        known = {span.trace_id for span in receiver.spans}
        both = f"{first.address},{second.address}"
        client = system.python("client", "-m", "acceptance.traced_client", "held", address=both)
        client.line("sent")
        until(lambda: _are_told(receiver, known, "task acceptance.traced.add"), "the first task's span")
        first.program.kill()
        (tmp_path / "gate").write_text("")
        told = json.loads(client.line("told ").removeprefix("told "))

        whole(receiver, told["trace_id"], told["outer"], spans=8)


def _are_told(receiver: Receiver, known: Collection[str], name: str) -> bool:
    return any(span.name == name and span.trace_id not in known for span in receiver.spans)


def test_line_that_a_task_logs_names_task_and_span(
    system: System, coordinator: Coordinator, worker: Program, receiver: Receiver
) -> None:
    """What a task logs is a line with its ids, its canvas's, and the trace and span of the attempt."""
    traced = sent(system, coordinator, receiver, "speak", spans=4)

    line = json.loads(worker.line("a word"))
    del line["time"]
    assert line == {
        "level": "warning",
        "logger": "acceptance.traced",
        "message": "a word",
        "task_id": f"{traced.canvas_id}-0",
        "task_name": "acceptance.traced.speak",
        "canvas_id": traced.canvas_id,
        "attempt": 1,
        "trace_id": traced.run(0).trace_id,
        "span_id": traced.run(0).span_id,
    }


def test_stamps_are_on_spans_only_if_they_are_named(
    system: System, coordinator: Coordinator, receiver: Receiver
) -> None:
    """A stamp whose key the setting names is an attribute of its tasks' spans; another is told nowhere."""
    traced = sent(system, coordinator, receiver, "stamped", spans=4)

    assert traced.task(0).attributes["gesso.stamp.visible"] == ["yes"]
    assert "s3cret" not in repr(traced.spans)


def test_baggage_passes_only_if_it_is_named(
    system: System, coordinator: Coordinator, receiver: Receiver
) -> None:
    """Tasks have the baggage that a setting names, also nested ones; spans tell what another setting names alone."""
    traced = sent(system, coordinator, receiver, "baggage", spans=9)

    assert traced.value == {"region": "north", "tenant": "blue & green"}
    tasks = [span for span in traced.spans.values() if span.kind == "internal" and span.name != "outer"]
    assert [span.attributes["gesso.baggage.tenant"] for span in tasks] == ["blue & green"] * 3
    assert not any(text in repr(traced.spans) for text in ("s3cret", "north"))


def test_unsampled_canvas_has_no_spans(system: System, coordinator: Coordinator, receiver: Receiver) -> None:
    """When the submitter does not record its span, nobody records anything of its canvas."""
    environment = {"OTEL_TRACES_SAMPLER": "always_off", "GESSO_ADDRESS": coordinator.address}
    command = [sys.executable, "-P", "-m", "acceptance.traced_client", "chain"]
    client = system.run("client", command, **environment)
    words = json.loads(client.line("told ").removeprefix("told "))
    sent(system, coordinator, receiver, "chain", spans=8)  # by then the other's would have come

    assert words["value"] == 4
    assert receiver.trace(words["trace_id"]) == []
