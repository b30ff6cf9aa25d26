"""The books of a session: what frames say, and what is kept until it is acknowledged."""

from __future__ import annotations

import pytest

from gesso.v1.payload_pb2 import Payload
from gesso.v1.worker_service_pb2 import Assignment, Outcome, WorkRequest
from gesso_worker.frames import (
    MAX_FRAME_BYTES,
    MAX_FRAME_ITEMS,
    MAX_FRAMES_IN_FLIGHT,
    MAX_UNACKNOWLEDGED,
    START_TOLD_AFTER_SECONDS,
    Ledger,
)
from gesso_worker.job import Job
from gesso_worker.token import Token

NOW = 1_000.0
DONE = Outcome(value=Payload(data=b"1"))


def job(nonce: int, *, started_at: float | None = None) -> Job:
    """Return a job that the ledger does not know yet."""
    return Job(Assignment(), Token(f"node-{nonce}", 1, nonce), started_at=started_at)


def held(ledger: Ledger, nonces: range, *, started_at: float | None = None) -> list[Job]:
    """Return jobs with these nonces, which `ledger` holds."""
    jobs = [job(nonce, started_at=started_at) for nonce in nonces]
    for each in jobs:
        assert ledger.hold(each)
    return jobs


def frame_of(ledger: Ledger, limit: int = 0) -> WorkRequest:
    """Return the next frame, which there must be."""
    frame = ledger.next_frame(limit=limit, now=NOW)
    assert frame is not None
    return frame


def reported(frame: WorkRequest) -> list[int]:
    """Return the nonces that a frame reports, in order."""
    return [report.token.nonce for report in frame.reports]


def test_nothing_to_say_is_no_frame() -> None:
    """A frame is made when there is something to say or an empty one is wanted."""
    ledger = Ledger()

    assert ledger.next_frame(limit=0, now=NOW) is None
    empty = ledger.next_frame(limit=0, now=NOW, even_empty=True)
    assert empty == WorkRequest(frame=1)


def test_credits_fill_up_to_the_limit_and_no_further() -> None:
    """What is asked for and what is held is together never more than the limit."""
    ledger = Ledger()

    assert frame_of(ledger, limit=10).credit_count == 10
    assert ledger.next_frame(limit=10, now=NOW) is None
    jobs = held(ledger, range(4))
    assert (ledger.credit_count, ledger.next_frame(limit=10, now=NOW)) == (6, None)
    ledger.finish(jobs[0], DONE)
    assert frame_of(ledger, limit=10).credit_count == 1
    assert ledger.next_frame(limit=3, now=NOW) is None
    assert ledger.credit_count + len(ledger.jobs) == 10


def test_no_more_credits_are_out_than_the_contract_allows() -> None:
    """Not even with the most slots and the most prefetch."""
    ledger = Ledger()

    assert frame_of(ledger, limit=1_064).credit_count == 1_000
    assert ledger.next_frame(limit=1_064, now=NOW) is None
    held(ledger, range(100))
    assert frame_of(ledger, limit=1_064).credit_count == 64


def test_frame_brings_all_that_happened() -> None:
    """Reports, starts, returns and credits travel together, each once."""
    ledger = Ledger()
    done, given_back, running, fresh = (
        held(ledger, range(each, each + 1), started_at=start)[0]
        for each, start in ((1, None), (2, None), (3, NOW - 2 * START_TOLD_AFTER_SECONDS), (4, NOW))
    )
    ledger.finish(done, DONE)
    ledger.give_back(given_back)

    frame = frame_of(ledger, limit=5)

    assert reported(frame) == [1]
    assert [token.nonce for token in frame.returned] == [2]
    assert [token.nonce for token in frame.started] == [3]
    assert (frame.frame, frame.credit_count) == (1, 3)
    assert ledger.next_frame(limit=5, now=NOW) is None
    assert (running.start_told, fresh.start_told) == (True, False)


def test_run_time_is_in_the_report() -> None:
    """The outcome bears how long the attempt ran."""
    ledger = Ledger()
    (done,) = held(ledger, range(1))
    done.run_seconds = 2.25

    ledger.finish(done, DONE)

    duration = frame_of(ledger).reports[0].outcome.run_duration
    assert (duration.seconds, duration.nanos) == (2, 250_000_000)


def test_reports_are_kept_until_acknowledged() -> None:
    """A new hello lists what runs, is not sent, or not acknowledged; the latter two are sent again."""
    ledger = Ledger()
    jobs = held(ledger, range(1, 6))
    for each in jobs[:2]:
        ledger.finish(each, DONE)
        frame_of(ledger)
    ledger.give_back(jobs[2])
    ledger.finish(jobs[3], DONE)
    ledger.acknowledge(1)

    tokens = ledger.reopen()

    assert sorted(token.nonce for token in tokens) == [2, 3, 4, 5]
    frame = frame_of(ledger)
    assert (frame.frame, reported(frame), [token.nonce for token in frame.returned]) == (1, [2, 4], [3])
    ledger.acknowledge(1)
    assert [token.nonce for token in ledger.reopen()] == [5]


def test_reopening_twice_loses_and_repeats_nothing() -> None:
    """Streams that break before they carry anything change nothing."""
    ledger = Ledger()
    for each in held(ledger, range(3)):
        ledger.finish(each, DONE)
    frame_of(ledger)

    assert ledger.reopen() == ledger.reopen()
    assert reported(frame_of(ledger)) == [0, 1, 2]


def test_reopening_forgets_credits_and_tells_starts_again() -> None:
    """A new stream begins without credits, and may be to a coordinator that never heard of the starts."""
    ledger = Ledger()
    frame_of(ledger, limit=3)
    held(ledger, range(1), started_at=NOW - 1)
    assert len(frame_of(ledger).started) == 1

    ledger.reopen()

    frame = frame_of(ledger, limit=3)
    assert (len(frame.started), frame.credit_count) == (1, 2)


def test_known_token_is_not_held_again() -> None:
    """An assignment that comes twice is taken once, whether it runs or is reported, but not after its end."""
    ledger = Ledger()
    (first,) = held(ledger, range(1))

    assert not ledger.hold(job(0))
    ledger.finish(first, DONE)
    assert not ledger.hold(job(0))
    frame_of(ledger)
    assert not ledger.hold(job(0))
    ledger.acknowledge(1)
    assert ledger.hold(job(0))


def test_dropped_tokens_are_forgotten() -> None:
    """A dropped report is not sent; a dropped job's never comes to be, and neither is listed again."""
    ledger = Ledger()
    done, running, kept = held(ledger, range(3), started_at=NOW - 1)
    ledger.finish(done, DONE)

    assert ledger.drop([done.token, running.token, Token("unknown", 1, 1)]) == [running]

    assert ledger.reopen() == [kept.token]
    ledger.finish(running, DONE)
    frame = frame_of(ledger)
    assert (reported(frame), [token.nonce for token in frame.started]) == ([], [2])


def test_session_is_settled_when_all_is_acknowledged() -> None:
    """Nothing held and nothing unacknowledged, in this order."""
    ledger = Ledger()
    settled = [ledger.settled]

    (only,) = held(ledger, range(1))
    settled.append(ledger.settled)
    ledger.finish(only, DONE)
    settled.append(ledger.settled)
    frame_of(ledger)
    settled.append(ledger.settled)
    ledger.acknowledge(1)
    settled.append(ledger.settled)

    assert settled == [True, False, False, False, True]


def test_frames_are_bounded() -> None:
    """Neither too many items nor too many bytes go into one frame; what is left waits, in order."""
    ledger = Ledger()
    for each in held(ledger, range(MAX_FRAME_ITEMS + 10)):
        ledger.finish(each, DONE)

    assert len(frame_of(ledger).reports) == MAX_FRAME_ITEMS
    assert ledger.waits_to_send
    assert reported(frame_of(ledger)) == list(range(MAX_FRAME_ITEMS, MAX_FRAME_ITEMS + 10))

    large = Ledger()
    for each in held(large, range(5)):
        large.finish(each, Outcome(value=Payload(data=bytes(MAX_FRAME_BYTES // 2 - 100))))
    assert [len(frame_of(large).reports) for _ in range(2)] == [2, 2]


def test_a_report_that_is_larger_than_a_frame_goes_alone() -> None:
    """Neither other reports nor states that tasks have set go with it."""
    ledger = Ledger()
    small, large, last, running = held(ledger, range(4))
    running.started_at, running.asked.state = NOW, "BAKING"
    for each, size in ((small, 1), (large, 3 * MAX_FRAME_BYTES), (last, 1)):
        ledger.finish(each, Outcome(value=Payload(data=bytes(size))))

    frames = [frame_of(ledger)]
    ledger.acknowledge(1)
    running.asked.state_unsent = True
    frames += [frame_of(ledger), frame_of(ledger)]

    assert [reported(frame) for frame in frames] == [[0], [1], [2]]
    assert [len(frame.progress) for frame in frames] == [0, 0, 1]


def test_frames_wait_while_enough_are_in_flight() -> None:
    """Without acknowledgements reports gather for the next frame; a heartbeat takes them along."""
    ledger = Ledger()
    jobs = held(ledger, range(10))
    for each in jobs[:MAX_FRAMES_IN_FLIGHT]:
        ledger.finish(each, DONE)
        frame_of(ledger)

    for each in jobs[MAX_FRAMES_IN_FLIGHT:]:
        ledger.finish(each, DONE)

    assert ledger.next_frame(limit=99, now=NOW) is None
    assert not ledger.waits_to_send
    ledger.acknowledge(1)
    assert reported(frame_of(ledger)) == list(range(MAX_FRAMES_IN_FLIGHT, 10))


def test_no_credits_while_too_much_is_unacknowledged() -> None:
    """A coordinator that acknowledges nothing gets no more to acknowledge."""
    ledger = Ledger()
    for each in held(ledger, range(MAX_UNACKNOWLEDGED + 1)):
        ledger.finish(each, DONE)

    assert frame_of(ledger, limit=10).credit_count == 0


@pytest.mark.parametrize("count", [1, 3])
def test_goodbye_is_numbered(count: int) -> None:
    """The last frame follows the others."""
    ledger = Ledger()
    for _ in range(count):
        ledger.next_frame(limit=0, now=NOW, even_empty=True)

    last = ledger.last_frame()

    assert (last.frame, last.HasField("goodbye")) == (count + 1, True)
