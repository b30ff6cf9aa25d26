"""What a child has to say: what it holds, what the next frame carries, what is not yet acknowledged.

Pure bookkeeping for one session, over all its streams. A task is in one place at a time:

    held ──finish──▶ to send ──next_frame──▶ sent ──acknowledge──▶ gone
      └────give_back──▶ ┘        ◀──reopen── ┘

Until it is gone it stands in the hello of every new stream. `reopen` puts what was sent and not
acknowledged back, in order, in front of what is still to be sent; frames count from 1 again, credits
from 0, and what runs is told once more, with the state that it set, because the frame that told it may have been lost.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from google.protobuf.duration_pb2 import Duration

from gesso.v1 import worker_service_pb2 as pb
from gesso_worker.job import Job
from gesso_worker.outcomes import progress_of
from gesso_worker.token import Token

# A frame has no more than this, unless one report alone has.
MAX_FRAME_BYTES = 1_000_000
MAX_FRAME_ITEMS = 256
# What the states that tasks set for themselves may take of it.
MAX_PROGRESS_BYTES = 500_000
# With so many frames unacknowledged, what there is to say gathers for the next one. A coordinator takes
# all that has come while it was at work in one go; more frames would cost it, and bring nothing sooner.
MAX_FRAMES_IN_FLIGHT = 2
# A task that ends sooner than this after its start is never told to have begun.
START_TOLD_AFTER_SECONDS = 0.01
# A slot that runs something older than this is stuck: nothing is taken ahead for it, and what waits
# while every slot is stuck is given back.
STUCK_AFTER_SECONDS = 0.25
# The contract's limit for credits that are outstanding.
MAX_CREDITS = 1_000
# With more reports than this unacknowledged, no more tasks are asked for.
MAX_UNACKNOWLEDGED = 1_024


@dataclass(frozen=True, slots=True)
class _Sent:
    """A frame that waits for its acknowledgement."""

    number: int
    items: tuple[_Item, ...]
    announced: tuple[Token, ...]
    """Tasks that begin when it is acknowledged."""


# What a task ended with; None for one that is given back.
_Item = tuple[Token, pb.Outcome | None]


class Ledger:
    """The books of one session."""

    def __init__(self) -> None:
        """Hold nothing, on a stream that has not begun."""
        self.jobs: dict[Token, Job] = {}
        self._to_send: deque[_Item] = deque()
        self._sent: deque[_Sent] = deque()
        self._unsettled: dict[Token, None] = {}  # tokens in `_to_send` and `_sent`
        self._frame = 0
        self._credits = 0

    # --- what happens to a task ------------------------------------------------------------------

    def hold(self, job: Job) -> bool:
        """Take a task on. False, and nothing changes, if it is known already. Either way a credit is used."""
        self._credits = max(0, self._credits - 1)
        if job.token in self.jobs or job.token in self._unsettled:
            return False
        self.jobs[job.token] = job
        return True

    def finish(self, job: Job, outcome: pb.Outcome) -> None:
        """Take the end of a held task into the books; what is unwanted is forgotten."""
        if self.jobs.pop(job.token, None) is not None and not job.unwanted:
            _set_duration(outcome.run_duration, job.run_seconds)
            self._settle(job.token, outcome)

    def give_back(self, job: Job) -> None:
        """Return a held task that never began."""
        del self.jobs[job.token]
        self._settle(job.token, None)

    def drop(self, tokens: Iterable[Token]) -> list[Job]:
        """Forget what must not be held: its report is not sent, and if it still comes, not kept.

        Returns:
            The jobs among them that have not finished, marked as unwanted.
        """
        dropped = set(tokens)
        self._to_send = deque(item for item in self._to_send if item[0] not in dropped)
        for token in dropped:
            self._unsettled.pop(token, None)
        jobs = [self.jobs[token] for token in dropped if token in self.jobs]
        for job in jobs:
            job.unwanted = True
        return jobs

    def forget(self, job: Job) -> None:
        """Cease to hold a task without a word."""
        self.jobs.pop(job.token, None)

    def _settle(self, token: Token, outcome: pb.Outcome | None) -> None:
        self._unsettled[token] = None
        self._to_send.append((token, outcome))

    # --- streams and frames ----------------------------------------------------------------------

    def reopen(self) -> list[Token]:
        """Begin a new stream.

        Returns:
            Every token that its hello lists as held.
        """
        unacknowledged = [item for sent in self._sent for item in sent.items]
        self._to_send.extendleft(reversed(unacknowledged))
        self._sent.clear()
        self._frame = 0
        self._credits = 0
        for job in self.jobs.values():
            job.start_told = False
            job.asked.state_unsent = bool(job.asked.state)
        return [*(token for token, job in self.jobs.items() if not job.unwanted), *self._unsettled]

    def cut_off(self) -> None:
        """Count no more assignments as still to come."""
        self._credits = 0

    def next_frame(self, *, limit: int, now: float, even_empty: bool = False) -> pb.WorkRequest | None:
        """Return the next frame, or None when there is nothing to say.

        Args:
            limit: How many tasks may be held and asked for together.
            now: The time, by `time.monotonic`.
            even_empty: Whether to make a frame with nothing in it.
        """
        if len(self._sent) >= MAX_FRAMES_IN_FLIGHT and not even_empty:
            return None
        started, announced = self._starts(now)
        credit_count = self._grant(limit)
        if not (self._to_send or started or credit_count or even_empty or self._has_states()):
            return None
        self._frame += 1
        self._credits += credit_count
        frame = pb.WorkRequest(frame=self._frame, credit_count=credit_count, started=started)
        items = self._fill(frame)
        if self._has_states() and frame.ByteSize() <= MAX_FRAME_BYTES:
            frame.progress.extend(self._progress())
        if items or announced:
            self._sent.append(_Sent(self._frame, tuple(items), tuple(announced)))
        return frame

    def last_frame(self) -> pb.WorkRequest:
        """Return the frame that says goodbye."""
        self._frame += 1
        return pb.WorkRequest(frame=self._frame, goodbye=pb.WorkRequest.Goodbye())

    def acknowledge(self, frame: int) -> list[Token]:
        """Forget what frames up to this number brought.

        Returns:
            Tasks whose announced start is now known.
        """
        announced: list[Token] = []
        while self._sent and self._sent[0].number <= frame:
            sent = self._sent.popleft()
            announced += sent.announced
            for token, _ in sent.items:
                self._unsettled.pop(token, None)
        return announced

    def _fill(self, frame: pb.WorkRequest) -> list[_Item]:
        """Move what fits into the frame."""
        items: list[_Item] = []
        size = 0
        while self._to_send and len(items) < MAX_FRAME_ITEMS:
            token, outcome = self._to_send[0]
            size += outcome.ByteSize() if outcome is not None else 0
            if items and size > MAX_FRAME_BYTES:
                break
            items.append(self._to_send.popleft())
            if outcome is None:
                _set_token(frame.returned.add(), token)
            else:
                # Filled where it lies: a message that is appended is copied once more.
                report = frame.reports.add()
                _set_token(report.token, token)
                report.outcome.CopyFrom(outcome)
        return items

    def _starts(self, now: float) -> tuple[list[pb.Token], list[Token]]:
        """Return what is to be told as started, and what of it only begins when that is acknowledged."""
        started: list[pb.Token] = []
        announced: list[Token] = []
        for job in self.jobs.values():
            if job.start_told or job.unwanted:
                continue
            if job.started_at is None:
                if not job.announced:
                    continue
                announced.append(job.token)
            elif now - job.started_at < START_TOLD_AFTER_SECONDS and not job.announced:
                continue
            job.start_told = True
            started.append(wire_token(job.token))
        return started, announced

    def _has_states(self) -> bool:
        """Return whether a task has set a state that is to be told."""
        for job in self.jobs.values():  # noqa: SIM110 - asked for each frame, and a generator takes thrice as long
            if job.asked.state_unsent and not job.unwanted:
                return True
        return False

    def _progress(self) -> list[pb.WorkRequest.Progress]:
        """Return the states that running tasks have set since they were last told, as many as fit."""
        told: list[pb.WorkRequest.Progress] = []
        size = 0
        for job in self.jobs.values():
            if not job.asked.state_unsent or job.unwanted or size > MAX_PROGRESS_BYTES:
                continue
            job.asked.state_unsent = False  # before it is read: one that is set meanwhile is told again
            progress = progress_of(job.asked)
            progress.token.CopyFrom(wire_token(job.token))
            told.append(progress)
            size += progress.ByteSize()
        return told

    def _grant(self, limit: int) -> int:
        if len(self._unsettled) > MAX_UNACKNOWLEDGED:
            return 0
        return max(0, min(limit - len(self.jobs), MAX_CREDITS) - self._credits)

    # --- what else one asks ----------------------------------------------------------------------

    @property
    def waits_to_send(self) -> bool:
        """Whether something is left for another frame, and one may go."""
        return len(self._sent) < MAX_FRAMES_IN_FLIGHT and (bool(self._to_send) or self._has_states())

    @property
    def credit_count(self) -> int:
        """How many assignments may still come."""
        return self._credits

    @property
    def settled(self) -> bool:
        """Whether nothing is held, and all that was is acknowledged."""
        return not self.jobs and not self._unsettled

    def running(self) -> list[Job]:
        """Return the jobs that have begun and not ended."""
        return [job for job in self.jobs.values() if job.started_at is not None]

    def running_count(self, *, since: float) -> int:
        """Return how many jobs began at `since` or before, by `time.monotonic`, and have not ended."""
        count = 0
        for job in self.jobs.values():
            if job.started_at is not None and job.started_at <= since:
                count += 1
        return count


def _set_duration(duration: Duration, seconds: float) -> None:
    whole = int(seconds)
    duration.seconds, duration.nanos = whole, int((seconds - whole) * 1e9)


def _set_token(message: pb.Token, token: Token) -> None:
    message.node_id, message.attempt, message.nonce = token


def wire_token(token: Token) -> pb.Token:
    """Return a token as the wire has it."""
    message = pb.Token()
    _set_token(message, token)
    return message


def token_value(token: pb.Token) -> Token:
    """Return a token as a value."""
    return Token(token.node_id, token.attempt, token.nonce)
