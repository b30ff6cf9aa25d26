"""The decisions of one session, over several streams."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from gesso.v1.signature_pb2 import Signature, SignatureOptions
from gesso.v1.worker_service_pb2 import Assignment, Outcome, Token, WorkRequest, WorkResponse
from gesso_worker import session as session_module
from gesso_worker import token
from gesso_worker.blame import BlamePage, DeadSession, page_file, record_count
from gesso_worker.config import WorkerConfig
from gesso_worker.job import Job
from gesso_worker.lifeline import Orders, Retirement
from gesso_worker.session import Session

DEAD = DeadSession(session_id="d" * 32, crashed=(token.Token("node", 1, 5),))
WELCOME = WorkResponse(welcome={})


class Endless:
    """A runner whose tasks run on the loop, for ever."""

    def wants_loop(self, assignment: Assignment) -> bool:  # noqa: ARG002 - as the protocol has it
        """Return that it does."""
        return True

    def run(self, job: Job) -> Outcome:
        """Never be called."""
        raise AssertionError(job)

    async def run_on_loop(self, job: Job) -> Outcome:
        """Run until it is cancelled."""
        await asyncio.Event().wait()
        raise AssertionError(job)


@pytest.fixture
def page() -> Iterator[BlamePage]:
    """A blame page for two slots."""
    with page_file(slot_count=record_count(2)) as file:
        page = BlamePage(file.fileno(), slot_count=record_count(2))
    yield page
    page.close()


def session_on(page: BlamePage) -> Session:
    """Return a session with two slots that takes the place of a dead one. Within a running loop."""
    orders = Orders(
        config=WorkerConfig(app="proj", threads=2, allow_shared_limits=True),
        worker="unit",
        session_id="s" * 32,
        page=-1,
        dead_sessions=(DEAD,),
    )
    return Session(orders, ["proj.task"], Endless(), page, wake=lambda: None)


def welcomed(page: BlamePage) -> Session:
    """Return a session on a stream, with two credits out."""
    session = session_on(page)
    session.hello()
    session.receive(WELCOME)
    assert frame_of(session).credit_count == 2
    return session


def frame_of(session: Session) -> WorkRequest:
    """Return the next frame, which there must be."""
    frame = session.next_frame()
    assert frame is not None
    return frame


def assigned(*nonces: int, at_most_once: bool = False) -> WorkResponse:
    """Return assignments."""
    signature = Signature(task="proj.task", options=SignatureOptions(at_most_once=at_most_once))
    return WorkResponse(
        assignments=[Assignment(signature=signature, token=wire_token(nonce)) for nonce in nonces]
    )


def wire_token(nonce: int) -> Token:
    """Return the token of the assignment with this nonce."""
    return Token(node_id=f"node-{nonce}", attempt=1, nonce=nonce)


async def test_dead_sessions_are_named_until_one_coordinator_heard(page: BlamePage) -> None:
    """A hello that nobody answered is repeated in full; after a welcome the dead are not named again."""
    session = session_on(page)

    hellos = [session.hello().hello, session.hello().hello]
    session.receive(WELCOME)
    hellos.append(session.hello().hello)

    assert [hello.epoch for hello in hellos] == [1, 2, 3]
    assert [len(hello.dead_sessions) for hello in hellos] == [1, 1, 0]
    assert hellos[1].dead_sessions[0].session_id == DEAD.session_id
    assert hellos[1].dead_sessions[0].crashed[0].nonce == 5


async def test_leaving_with_credits_out_takes_another_stream(page: BlamePage) -> None:
    """On the new stream no credit is granted, and what comes all the same is given back."""
    session = welcomed(page)
    session.leave()
    assert session.wants_new_stream
    assert not session.over

    session.hello()
    session.receive(WELCOME)
    over_before = session.over
    session.receive(assigned(1))
    over_meanwhile = session.over
    frame = frame_of(session)
    session.receive(WorkResponse(acknowledged_frame=frame.frame))

    assert (over_before, over_meanwhile, session.over) == (True, False, True)
    assert frame.returned == [wire_token(1)]
    assert frame.credit_count == 0
    assert session.goodbye().HasField("goodbye")


async def test_leaving_without_credits_stays_on_its_stream(page: BlamePage) -> None:
    """There is nothing that could still be assigned."""
    session = welcomed(page)
    session.receive(assigned(1, 2))

    session.leave()

    assert not session.wants_new_stream


async def test_lost_stream_ends_a_session_that_holds_nothing_and_leaves(page: BlamePage) -> None:
    """Credits that were out are void, so nothing is left to wait for."""
    session = welcomed(page)
    session.leave()

    session.disconnected()

    assert session.over


@pytest.mark.parametrize("at_most_once", [False, True])
async def test_abandoned_task_is_reported(page: BlamePage, *, at_most_once: bool) -> None:
    """It is to be run elsewhere; one that may run only once has failed."""
    session = welcomed(page)
    session.receive(assigned(1, at_most_once=at_most_once))
    frame = session.next_frame()  # announces the one whose start must be known
    if frame is not None:
        session.receive(WorkResponse(acknowledged_frame=frame.frame))
    await asyncio.sleep(0)  # the task has its first step
    session.leave()

    session.abandon()

    (report,) = frame_of(session).reports
    assert report.token == wire_token(1)
    assert report.outcome.rejected.requeue is not at_most_once
    assert report.outcome.error.type == ("gesso.WorkerLost" if at_most_once else "")


async def test_refused_as_stale_is_forgotten(page: BlamePage) -> None:
    """A task that is no longer this worker's is not reported; other refusals change nothing."""
    session = welcomed(page)
    session.receive(assigned(1, 2))
    reason = WorkResponse.Refusal

    session.receive(
        WorkResponse(
            refusals=[
                {"token": wire_token(1), "reason": reason.REASON_STALE},
                {"token": wire_token(2), "reason": reason.REASON_DUPLICATE},
                {"token": wire_token(3), "reason": reason.REASON_INVALID},
            ]
        )
    )

    held = {each.nonce for each in session.hello().hello.held}
    assert held == {2}


async def test_task_that_may_run_once_begins_when_its_start_is_known(page: BlamePage) -> None:
    """It is announced, and begins with the acknowledgement; on a new stream it is announced again."""
    session = welcomed(page)
    session.receive(assigned(1, at_most_once=True))

    assert list(frame_of(session).started) == [wire_token(1)]
    await asyncio.sleep(0)
    assert page.running() == ()
    session.disconnected()
    session.hello()
    session.receive(WELCOME)
    again = frame_of(session)
    assert list(again.started) == [wire_token(1)]
    session.receive(WorkResponse(acknowledged_frame=again.frame))
    await asyncio.sleep(0)

    assert [each.token.nonce for each in page.running()] == [1]


async def test_announced_task_that_is_refused_never_begins(page: BlamePage) -> None:
    """An announcement that came too late is answered as stale, and the task belongs to another."""
    session = welcomed(page)
    session.receive(assigned(1, at_most_once=True))
    frame = frame_of(session)
    refusal = WorkResponse.Refusal(token=wire_token(1), reason=WorkResponse.Refusal.REASON_STALE)

    session.receive(WorkResponse(acknowledged_frame=frame.frame, refusals=[refusal]))
    await asyncio.sleep(0)

    assert page.running() == ()
    session.leave()
    frame = session.next_frame() or frame
    assert (list(frame.reports), list(frame.returned)) == ([], [])


async def test_session_retires_from_beside_a_task_that_must_be_killed(
    page: BlamePage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The guilty task has failed at once; what runs beside it is returned when its time is over."""
    monkeypatch.setattr(session_module, "RETIREMENT_SECONDS", 0.0)
    session = welcomed(page)
    session.receive(assigned(1, 2))
    await asyncio.sleep(0)

    session.retire(Retirement(overran=(token.Token("node-1", 1, 1),), doomed=()))
    (report,) = frame_of(session).reports
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    frame = frame_of(session)

    assert report.outcome.error.type == "gesso.TimeLimitExceeded"
    assert list(frame.returned) == [wire_token(2)]
    assert session.abandoned
