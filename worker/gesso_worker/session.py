"""What one child is to its coordinators, over all the streams it holds one after the other.

It joins the books (`frames`), the pace (`credits`) and the slots, and decides; it does no I/O. A stream
gives it each response and asks it for each frame. All of it is for the event loop's thread.

Leaving: nothing more is asked for, what has not begun is given back, and when the last report has been
acknowledged the session is over. Credits cannot be taken back on a stream, and what is given back
would be assigned at once again; so a session that leaves with credits out asks for a new stream, which
begins without any.

A session leaves when its process is asked to stop, when it has run its number of tasks or takes too much memory, and
when it must end because of a task that is to be killed: that one is then reported as ended, and what runs beside it is
given back after a while.
"""

from __future__ import annotations

import asyncio
import logging
import resource
import signal
import sys
import time
from collections.abc import Callable, Iterable, Sequence

from gesso import signals
from gesso.limits import Limit
from gesso.request import Asked, Request
from gesso.v1 import worker_service_pb2 as pb
from gesso.v1.task_error_pb2 import TaskError
from gesso_worker import outcomes
from gesso_worker.arguments import Arguments, stored_arguments
from gesso_worker.blame import BlamePage
from gesso_worker.credits import CreditPolicy
from gesso_worker.errors import SharedProcess, WorkerError
from gesso_worker.frames import (
    START_TOLD_AFTER_SECONDS,
    STUCK_AFTER_SECONDS,
    Ledger,
    token_value,
    wire_token,
)
from gesso_worker.job import Job
from gesso_worker.lifeline import Condemned, Limited, Note, Orders, Retirement
from gesso_worker.limits import limits_of
from gesso_worker.metrics import RunMetrics
from gesso_worker.requests import request_of
from gesso_worker.slots import Runs, Slots
from gesso_worker.token import Token

_LOG = logging.getLogger("gesso.worker")
_PROTOCOL_VERSION = 1
# How long others may go on beside a task that is to be killed; the parent has the same number.
RETIREMENT_SECONDS = 10.0
_KIB = 1024


class Session:
    """One child's session.

    Attributes:
        wants_new_stream: Whether the stream that is open is to be left for another.
        welcomed: Whether any coordinator has ever welcomed it.
        limits: What its tasks declare.
        metrics: Counts what ran; None where nobody looks at it.
        abandoned: Whether tasks were reported as cut short that still run.
    """

    def __init__(
        self,
        orders: Orders,
        tasks: Sequence[str],
        runner: Runs,
        page: BlamePage,
        *,
        wake: Callable[[], None],
        tell: Callable[[Note], None] = lambda _note: None,
    ) -> None:
        """Hold nothing.

        Args:
            wake: Called on the loop when there may be something to say.
            tell: Tells the parent something, from any thread.
        """
        self._tell = tell
        self._loop = asyncio.get_running_loop()
        self._ran_count = 0
        self.wants_new_stream = False
        self.welcomed = False
        self.limits: Sequence[Limit] = ()
        self.metrics: RunMetrics | None = None
        self.abandoned = False
        self._orders = orders
        self._tasks = tasks
        self._wake = wake
        self._slot_count = orders.config.threads
        self._slots = Slots(
            runner, page, slot_count=self._slot_count, wake=wake, limited=lambda: tell(Limited())
        )
        self._ledger = Ledger()
        self._credits = CreditPolicy(slot_count=self._slot_count)
        self._epoch = 0
        self._leaving = False

    # --- what a stream asks ------------------------------------------------------------------------

    def hello(self) -> pb.WorkRequest:
        """Return the first message of a new stream."""
        self._epoch += 1
        self.wants_new_stream = False
        held = self._ledger.reopen()
        hello = pb.WorkRequest.Hello(
            protocol_version=_PROTOCOL_VERSION,
            session_id=self._orders.session_id,
            epoch=self._epoch,
            queues=self._orders.config.queues,
            tasks=self._tasks,
            slot_count=self._slot_count,
            held=map(wire_token, held),
            worker=self._orders.worker,
        )
        for limit in self.limits:
            limit.write(hello.limits.add())
        if not self.welcomed:
            hello.dead_sessions.extend(
                pb.WorkRequest.DeadSession(
                    session_id=dead.session_id,
                    crashed=map(wire_token, dead.crashed),
                    overran=map(wire_token, dead.overran),
                )
                for dead in self._orders.dead_sessions
            )
        return pb.WorkRequest(hello=hello)

    def receive(self, response: pb.WorkResponse) -> None:
        """Take in what a coordinator said."""
        if response.HasField("welcome"):
            self.welcomed = True
            self._discard(token_value(token) for token in response.welcome.drops)
        known = self._ledger.acknowledge(response.acknowledged_frame)
        for refusal in response.refusals:
            self._take_refusal(refusal)
        for token in known:
            self._slots.begin_announced(token)
        for assignment in response.assignments:
            self._take_assignment(assignment)
        for cancellation in response.cancellations:
            self._take_cancellation(token_value(cancellation.token), terminate=cancellation.terminate)
        self._slots.release()
        if response.draining:
            self.wants_new_stream = True

    def next_frame(self, *, even_empty: bool = False) -> pb.WorkRequest | None:
        """Return the next frame for the open stream, or None when there is nothing to say."""
        for job, outcome in self._slots.take_finished():
            self._credits.observe(job.run_seconds)
            self._ledger.finish(job, outcome)
            self._ran_count += 1
            if self.metrics is not None:
                self.metrics.ended(job, outcome)
        if not self._leaving and self._is_worn_out():
            self.leave()
        now = time.monotonic()
        stuck_count = self._ledger.running_count(since=now - STUCK_AFTER_SECONDS)
        if stuck_count >= self._slot_count:
            self._give_back_unstarted()
        self._slots.release()
        limit = 0 if self._leaving else self._most_to_hold(stuck_count)
        return self._ledger.next_frame(limit=limit, now=now, even_empty=even_empty)

    def goodbye(self) -> pb.WorkRequest:
        """Return the last message of the session."""
        return self._ledger.last_frame()

    def disconnected(self) -> None:
        """Take in that the stream is gone, and with it the credits that were out."""
        self._ledger.cut_off()

    def next_look_seconds(self) -> float | None:
        """Return after how long there may be something to say though nothing happened; None if never."""
        if self._ledger.waits_to_send:
            return 0.0
        told = sum([job.start_told or job.unwanted for job in self._ledger.jobs.values()])
        if told < min(self._slot_count, len(self._ledger.jobs)):
            return START_TOLD_AFTER_SECONDS
        return STUCK_AFTER_SECONDS if self._slots.unstarted_count else None

    @property
    def over(self) -> bool:
        """Whether nothing remains but to say goodbye."""
        return self._leaving and self._ledger.settled and not self._ledger.credit_count

    @property
    def task_count(self) -> int:
        """How many tasks it knows."""
        return len(self._tasks)

    # --- leaving -------------------------------------------------------------------------------------

    def leave(self) -> None:
        """Ask for nothing more, give back what has not begun, and be over when the rest is done."""
        self._leaving = True
        self._give_back_unstarted()
        if self._ledger.credit_count:
            self.wants_new_stream = True
        self._wake()

    def abandon(self) -> None:
        """Report what still runs as cut short, because the process is about to end it."""
        for job in self._ledger.running():
            self._end(job, _cut_short(job.assignment))
        self._wake()

    def retire(self, retirement: Retirement) -> None:
        """Report what the process must end for as ended, and leave; what runs besides has a while to finish."""
        ended = set(retirement.overran) | set(retirement.doomed)
        for job in self._ledger.running():
            if job.token in ended:
                # What is cancelled ends as cancelled, whatever is reported.
                self._end(job, outcomes.overran())
        self.leave()
        self._loop.call_later(RETIREMENT_SECONDS, self._give_back_running)

    def _give_back_running(self) -> None:
        """Return what still runs, without blame; what is delivered at most once has ended."""
        for job in self._ledger.running():
            if job.limits is not None and job.limits.at_most_once:
                self._end(job, _cut_short(job.assignment))
            else:
                self._ledger.give_back(job)
                self._stop(job)
        self._wake()

    def _end(self, job: Job, outcome: pb.Outcome) -> None:
        """Report an end for a job that still runs."""
        if job.started_at is not None:
            job.run_seconds = time.monotonic() - job.started_at
        self._ledger.finish(job, outcome)
        self._stop(job)

    def _stop(self, job: Job) -> None:
        """Ask a running job to end, as its outcome counts no more. The process will be ended with it."""
        self.abandoned = True
        job.unwanted = job.asked.aborted = True
        self._slots.stop(job)

    def _most_to_hold(self, stuck_count: int) -> int:
        """Return how many tasks to hold and to ask for together."""
        limit = self._credits.limit(stuck_count)
        most = self._orders.config.max_tasks_per_child
        return min(limit, most - self._ran_count) if most else limit

    def _is_worn_out(self) -> bool:
        """Return whether the process is to be replaced."""
        config = self._orders.config
        if config.max_tasks_per_child and self._ran_count >= config.max_tasks_per_child:
            return True
        return bool(config.max_memory_per_child) and memory_kib() > config.max_memory_per_child

    def _give_back_unstarted(self) -> None:
        for job in list(self._ledger.jobs.values()):
            if self._slots.take_back(job.token):
                self._ledger.give_back(job)

    # --- what a coordinator says ---------------------------------------------------------------------

    def _take_assignment(self, assignment: pb.Assignment) -> None:
        asked = Asked(state_set=self._state_set)
        job = Job(assignment, token_value(assignment.token), limits_of(assignment), asked)
        if not self._ledger.hold(job):
            return
        if signals.task_received:
            signals.task_received.send(self._orders.worker, request=self._request(job))
        if self._leaving:
            self._ledger.give_back(job)
        elif job.limits is not None and job.limits.binding and not self._may_end_process:
            self._refuse(job)
        else:
            self._slots.add(job)

    @property
    def _may_end_process(self) -> bool:
        return self._slot_count == 1 or self._orders.config.allow_shared_limits

    def _refuse(self, job: Job) -> None:
        error = SharedProcess()
        _LOG.error(
            "task.refused task=%s node_id=%s reason=%s",
            job.assignment.signature.task,
            job.token.node_id,
            error,
        )
        if signals.task_rejected:
            signals.task_rejected.send(self._orders.worker, message=job.assignment, exc=error)
        self._ledger.finish(job, outcomes.refused(error))

    def _state_set(self) -> None:
        """Have the state that a task has set told. From the task's thread."""
        self._loop.call_soon_threadsafe(self._wake)

    def _request(self, job: Job) -> Request:
        """Return a task's request before it is run, with the arguments that it was sent with."""
        try:
            arguments = stored_arguments(job.assignment.signature)
        except WorkerError:
            arguments = Arguments((), {})
        return request_of(job.assignment, arguments, self._orders.worker, job.asked)

    def _take_refusal(self, refusal: pb.WorkResponse.Refusal) -> None:
        token, reason = token_value(refusal.token), refusal.reason
        if reason == pb.WorkResponse.Refusal.REASON_INVALID:
            _LOG.error("outcome.refused node_id=%s", token.node_id)
        else:
            name = pb.WorkResponse.Refusal.Reason.Name(reason)
            _LOG.debug("report.refused node_id=%s attempt=%d reason=%s", token.node_id, token.attempt, name)
        if reason == pb.WorkResponse.Refusal.REASON_STALE:
            self._discard((token,))

    def _take_cancellation(self, token: Token, *, terminate: bool) -> None:
        job = self._ledger.jobs.get(token)
        if job is None:
            return
        began = not self._slots.take_back(token)
        if signals.task_revoked:
            killed = began and terminate
            signals.task_revoked.send(
                job.assignment.signature.task, request=self._request(job), terminated=killed,
                signum=signal.SIGKILL if killed else None, expired=False,
            )  # fmt: skip
        if not began:
            self._ledger.give_back(job)
        elif terminate:
            self._tell(Condemned(token=token))
        else:
            job.asked.aborted = True
            self._slots.stop(job)

    def _discard(self, tokens: Iterable[Token]) -> None:
        """Drop what may not be held: the unstarted never begins, the running is asked to stop."""
        for job in self._ledger.drop(tokens):
            if self._slots.take_back(job.token):
                self._ledger.forget(job)
            else:
                job.asked.aborted = True
                self._slots.stop(job)


def _cut_short(assignment: pb.Assignment) -> pb.Outcome:
    """Return the outcome of a task whose process ends before it does: again elsewhere, if it may."""
    if assignment.signature.options.at_most_once:
        message = "The worker was stopped while the task ran, and the task is delivered at most once."
        return pb.Outcome(error=TaskError(type="gesso.WorkerLost", message=message))
    return pb.Outcome(rejected=pb.Outcome.Rejected(requeue=True))


def memory_kib() -> int:
    """Return the most memory that this process has taken so far, as Celery measures it."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak // _KIB if sys.platform == "darwin" else peak
