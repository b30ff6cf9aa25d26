"""The bookkeeping of a conversation: what is sent, again and when, and what answers it."""

from __future__ import annotations

import gc
from typing import Any

from gesso.connection import calls as module
from gesso.connection.arrival import Arrival
from gesso.connection.calls import Calls
from gesso.v1 import coordinator_service_pb2 as pb
from gesso.v1 import node_pb2

Reply = pb.ConverseResponse.Reply


def request(name: str = "r") -> pb.SubmitCanvasRequest:
    """Return a submission."""
    return pb.SubmitCanvasRequest(request_id=name)


def submitted(call_id: int) -> Reply:
    """Return the first reply to a submission."""
    last = node_pb2.Handle(node_id=f"node-{call_id}")
    return Reply(call_id=call_id, submitted=pb.SubmitCanvasResponse(canvas_id="c", last=last))


def ended(call_id: int) -> Reply:
    """Return the reply to a wait."""
    return Reply(call_id=call_id, ended=pb.WaitNodeResponse(state="STATE_SUCCEEDED"))


def apply(calls: Calls, *replies: Reply) -> None:
    """Let replies arrive."""
    for promise, value in calls.apply(pb.ConverseResponse(replies=replies)):
        promise.set_result(value)


def sent(calls: Calls) -> list[tuple[int, str | None]]:
    """Return what the next frame has."""
    frame = calls.frame()
    return [(call.call_id, call.WhichOneof("method")) for call in frame.calls] if frame is not None else []


def test_everything_queued_goes_in_one_frame() -> None:
    """A frame is paid for once, whatever is in it."""
    calls = Calls()
    ends = [Arrival[Any]() for _ in range(3)]

    for end in ends:
        calls.wait("n", end)
    calls.submit(request(), Arrival())

    assert [method for _, method in sent(calls)] == ["submit", "wait", "wait", "wait"]
    assert sent(calls) == []


def test_submission_that_waits_has_two_answers() -> None:
    """The acceptance and the end come one after the other, under one number."""
    calls, answer, end = Calls(), Arrival[Any](), Arrival[Any]()
    call_id = calls.submit(request(), answer, end)
    frame = calls.frame()

    apply(calls, submitted(call_id))
    apply(calls, ended(call_id))

    assert frame is not None
    assert frame.calls[0].submit.wait
    assert answer.result().canvas_id == "c"
    assert end.result().state == node_pb2.Node.STATE_SUCCEEDED
    assert len(calls) == 0


def test_end_that_nobody_holds_is_stopped_and_forgotten() -> None:
    """Canvases that are sent and forgotten leave nothing behind."""
    calls, answer, end = Calls(), Arrival[Any](), Arrival[Any]()
    call_id = calls.submit(request(), answer, end)
    calls.frame()
    apply(calls, submitted(call_id))

    del end
    gc.collect()

    assert len(calls) == 0
    assert sent(calls) == [(call_id, "stop")]


def test_end_let_go_of_before_the_answer_is_stopped_after_it() -> None:
    """Losing interest in the end does not lose the acceptance."""
    calls, answer, end = Calls(), Arrival[Any](), Arrival[Any]()
    call_id = calls.submit(request(), answer, end)
    calls.frame()

    del end
    assert len(calls) == 1
    apply(calls, submitted(call_id))

    assert answer.done()
    assert len(calls) == 0
    assert sent(calls) == [(call_id, "stop")]


def test_what_is_unanswered_is_sent_again_as_it_now_stands() -> None:
    """On a new stream an accepted submission is a wait, and an unanswered one keeps its request id."""
    calls, ends = Calls(), [Arrival[Any](), Arrival[Any]()]
    first = calls.submit(request("a"), Arrival(), ends[0])
    second = calls.submit(request("b"), Arrival(), ends[1])
    calls.frame()
    apply(calls, submitted(first))

    calls.restart()
    frame = calls.frame()

    assert frame is not None
    assert [(call.call_id, call.WhichOneof("method")) for call in frame.calls] == [
        (second, "submit"),
        (first, "wait"),
    ]
    assert frame.calls[0].submit.request_id == "b"
    assert frame.calls[1].wait.node_id == f"node-{first}"
    apply(calls, ended(first))
    assert ends[0].done()


def test_answer_from_the_stream_before_still_counts() -> None:
    """While a coordinator drains, the old stream may answer what is queued for the new one."""
    calls, answer, end = Calls(), Arrival[Any](), Arrival[Any]()
    call_id = calls.submit(request(), answer, end)
    calls.frame()
    calls.restart()

    apply(calls, submitted(call_id))

    assert answer.done()
    assert sent(calls) == [(call_id, "wait")]
    apply(calls, submitted(call_id), ended(call_id), ended(call_id))
    assert end.done()


def test_calls_under_way_stay_below_the_contracts_limit() -> None:
    """Whatever is asked, at most 1,000 calls are under way; the others follow as answers come."""
    calls = Calls()
    ends = [Arrival[Any]() for _ in range(3_000)]
    for end in ends[:1_500]:
        calls.wait("n", end)
    for end in ends[1_500:]:
        calls.submit(request(), Arrival(), end)

    under_way = [call for call, _ in sent(calls)]
    while more := sent(calls):
        under_way += [call for call, _ in more]

    assert len(under_way) == module.SUBMIT_LIMIT + module.WAIT_LIMIT
    for call_id in under_way[: module.SUBMIT_LIMIT]:
        apply(calls, submitted(call_id))
    assert len(sent(calls)) == module.SUBMIT_LIMIT
    assert module.SUBMIT_LIMIT + module.WAIT_LIMIT + module.AWAITED_LIMIT <= 1_000


def test_counts_survive_restarts_and_drops() -> None:
    """After any history the lanes are free again."""
    calls = Calls()
    for _ in range(5):
        ends = [Arrival[Any]() for _ in range(600)]
        ids = [calls.submit(request(), Arrival(), end) for end in ends]
        while calls.frame() is not None:
            pass
        apply(calls, *(submitted(call_id) for call_id in ids[:100]))
        calls.restart()
        while calls.frame() is not None:
            pass
        for call_id in ids[100:]:
            calls.drop(call_id)
        del ends
        assert len(calls) == 0

    assert (calls._submits_sent, calls._waits_sent, calls._awaited) == (0, 0, 0)  # noqa: SLF001 - its counts
    assert not calls._submits  # noqa: SLF001 - its queues
    assert not calls._waits  # noqa: SLF001 - its queues


def test_dropped_submission_is_not_sent_again() -> None:
    """Who gave up is not surprised by a late submission on another stream."""
    calls = Calls()
    call_id = calls.submit(request(), Arrival())
    calls.frame()

    calls.drop(call_id)
    calls.restart()

    assert sent(calls) == []


def test_failing_all_answers_each() -> None:
    """A refusal of the whole conversation reaches every caller."""
    calls, answer, end = Calls(), Arrival[Any](), Arrival[Any]()
    calls.submit(request(), answer)
    calls.wait("n", end)

    for promise, value in calls.fail(pb.CallError(code=16)):
        promise.set_result(value)

    assert answer.result().code == end.result().code == 16
    assert len(calls) == 0
