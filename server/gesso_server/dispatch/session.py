"""One worker's stream: what came in, what it may be given, and the calls that settle both.

Frames gather while a call is in flight; the next call takes everything that has come. A partition is hungry when it
may have work for the session: at first, after a lease that was filled, and when a wake-up names it. A wake-up during a
call makes the partition hungry again, so none is lost.

An acknowledgement that is all there is to say goes with what is said next (`Receipts`): on its own it would cost both
sides as much as an assignment does, and nobody waits for it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from gesso_server.dispatch.pauses import pauses
from gesso_server.dispatch.receipts import Receipts
from gesso_server.dispatch.standstill import Standstill
from gesso_server.dispatch.tally import Tally
from gesso_server.ids import CanvasId, partition_of
from gesso_server.store.calls import (
    Accepted,
    CanvasContext,
    Exchanged,
    Frame,
    Grant,
    Loan,
    Reported,
    SessionId,
    TokenRef,
)
from gesso_server.store.errors import StoreError, level_of
from gesso_server.store.partition import Partition

_log = logging.getLogger(__name__)

Submit: TypeAlias = Callable[[Loan], Awaitable[tuple[Accepted, Exchanged | None] | None]]
"""Submits a canvas and grants a session what can run at once."""

_MOST_FRAMES = 64
"""How many of a worker's frames wait for the store; a worker that sends more waits itself."""
_MOST_BYTES = 4 << 20
"""What the outcomes in them may have before the worker waits: as much as the largest frame."""


@dataclass(slots=True)
class Incoming:
    """What one frame of a worker says."""

    number: int
    credits: int
    started: list[TokenRef] = field(default_factory=list)
    returned: list[TokenRef] = field(default_factory=list)
    reported: list[Reported] = field(default_factory=list)


@dataclass(slots=True)
class Outgoing:
    """What the next frame to a worker says."""

    acknowledged: int = 0
    grants: list[Grant] = field(default_factory=list)
    contexts: dict[str, CanvasContext] = field(default_factory=dict)
    refusals: list[tuple[TokenRef, str]] = field(default_factory=list)
    """Tokens that were not applied, with their letter: D, S or U."""
    cancellations: list[tuple[TokenRef, bool]] = field(default_factory=list)
    """Attempts that are cancelled, and whether each is to be killed."""
    draining: bool = False

    def __bool__(self) -> bool:
        return bool(self.acknowledged or self.grants or self.refusals or self.cancellations or self.draining)


class SessionLostError(Exception):
    """The store does not know the session, or knows a newer connection of it: the stream is to end."""


class Session:
    """One connection of a worker's session."""

    def __init__(
        self,
        session_id: SessionId,
        namespace: str,
        queues: tuple[str, ...],
        partitions: list[Partition],
        called: Callable[[Session, Partition, Exchanged], None],
        standstill: Standstill,
    ) -> None:
        """Take over a connection that has said hello.

        Args:
            session_id: Who it is.
            namespace: Whose tasks it takes.
            queues: The queues that it takes tasks from.
            partitions: All partitions of the store.
            called: Told of the answer to each call, before the session acts on it.
            standstill: Watches whether the worker works.
        """
        self.id = session_id
        self.namespace = namespace
        self.queues = queues
        self.credits = 0
        self.others_idle: Callable[[Session, int], bool] = lambda _session, _partition: False
        self.hand_on: Callable[[Session, int], None] = lambda _session, _partition: None
        """Lets another session ask a partition for work in its place."""
        self.standstill = standstill
        self.tally: Tally | None = None
        """Counts what is reported; None where nobody looks at it."""
        self._partitions = partitions
        self._called = called
        self._hungry = {partition.number for partition in partitions}
        self._turn = 0
        self._seqs = [0] * len(partitions)
        self._inbox: list[Incoming] = []
        self._inbox_bytes = 0
        self._event = asyncio.Event()
        self._receipts = Receipts(self._event.set)
        self._room = asyncio.Event()
        self._room.set()
        self._cancellations: list[tuple[TokenRef, bool]] = []
        self._told: dict[int, dict[TokenRef, bool]] = {}
        """By partition, attempts that the worker was told of, and whether to kill them."""
        # Calls of an epoch and partition go one after the other, those of submissions that lease included.
        self._locks = [asyncio.Lock() for _ in partitions]
        self._granted: list[Exchanged] = []
        self._uncertain: set[int] = set()
        """Partitions whose last call was a submission that was not answered."""
        self._taken_back: list[TokenRef] = []
        self._closed = False
        self._draining = False
        self._drained = False
        self._lost = False
        self.said_goodbye = False
        """Whether the worker has ended the session; what it still holds goes back at once."""

    def idle_in(self, partition: int) -> bool:
        """Whether it could take work of a partition that had none when it last asked."""
        leaving = self._full or self._draining or self._lost
        return self.credits > 0 and partition not in self._hungry and not leaving

    def can_borrow(self, partition: int) -> bool:
        """Whether a submission may grant it tasks in its own call."""
        return self.idle_in(partition) and not self._locks[partition].locked()

    async def lend(self, partition: int, submit: Submit) -> tuple[Accepted, Exchanged | None] | None:
        """Let a submission grant the session what can run at once, in its own call; return what it returned.

        Raises:
            StoreError: As `submit` does. What it granted nevertheless is asked for by the next call.
        """
        async with self._locks[partition]:
            want, self.credits = self.credits, 0
            self._seqs[partition] += 1
            others = self.others_idle(self, partition)
            loan = Loan(session=self.id, seq=self._seqs[partition], want=want, others_idle=others)
            reply = None
            try:
                answer = await submit(loan)
                reply = answer[1] if answer is not None else None
            except BaseException:
                self._uncertain.add(partition)
                self._hungry.add(partition)
                raise
            finally:
                self.credits += want - (len(reply.grants) if reply is not None else 0)
                self._event.set()
            if reply is not None and reply.status == "O":
                self._granted.append(reply)
                if reply.more:
                    self._hungry.add(partition)
            elif reply is not None:
                self._lost = True
            return answer

    @property
    def slots(self) -> int:
        """How many tasks the worker runs at one time."""
        return self.standstill.slots

    @property
    def _full(self) -> bool:
        """Whether it is to get nothing more, whatever its credits."""
        return self._closed or self._drained

    def wake(self, partition: int) -> None:
        """Let it ask a partition for work."""
        self._hungry.add(partition)
        self._event.set()

    def offer(self, incoming: Incoming) -> None:
        """Take in a frame; there is to be room for it."""
        self._inbox.append(incoming)
        self._inbox_bytes += sum([len(reported.blob) for reported in incoming.reported])
        if len(self._inbox) >= _MOST_FRAMES or self._inbox_bytes >= _MOST_BYTES:
            self._room.clear()
        self._event.set()

    async def room(self) -> None:
        """Return once there is room for a frame."""
        if not self._room.is_set():
            await self._room.wait()

    def take_back(self, token: TokenRef) -> None:
        """Give back a task that was granted and has not been sent."""
        self.credits += 1
        self.standstill.parted((token,))
        self._taken_back.append(token)
        self._event.set()

    def cancel(self, token: TokenRef, *, terminate: bool) -> None:
        """Tell the worker that an attempt is cancelled, unless it was told already."""
        told = self._told.setdefault(partition_of(CanvasId(token.canvas_id)), {})
        if token in told and told[token] >= terminate:
            return
        told[token] = terminate
        self._cancellations.append((token, terminate))
        self._event.set()

    def remind(self, partition: int, cancellations: list[tuple[TokenRef, bool]]) -> None:
        """Tell the worker what the store has as cancelled and still held; a signal may have been lost."""
        listed = {token for token, _ in cancellations}
        told = self._told.get(partition, {})
        self._told[partition] = {token: kill for token, kill in told.items() if token in listed}
        for token, terminate in cancellations:
            self.cancel(token, terminate=terminate)

    def close(self) -> None:
        """Let `exchange` end once it has settled what has come."""
        self._closed = True
        self.retire()
        self._event.set()

    def lose(self) -> None:
        """Let `exchange` raise: the store does not know the session any more."""
        self._lost = True
        self.retire()
        self._event.set()

    def drain(self) -> None:
        """Ask the worker to move to another coordinator; it gets nothing more here."""
        self._draining = True
        self.retire()
        self._event.set()

    def retire(self) -> None:
        """Ask for no work any more: what it was woken for, and has not asked for, another session asks for."""
        hungry, self._hungry = self._hungry, set()
        for number in hungry if self.credits > 0 else ():
            self.hand_on(self, number)

    async def exchange(self) -> Outgoing | None:
        """Wait until there is something to tell the worker, and return it. None when the stream has ended.

        Raises:
            SessionLostError: If the stream is to end.
        """
        while True:
            await self._event.wait()
            self._event.clear()
            if self._lost:
                raise SessionLostError
            out = Outgoing(cancellations=self._cancellations)
            self._cancellations = []
            if self._draining:
                out.draining, self._draining, self._drained = True, False, True
            await self._settle(out)
            if out or self._closed or self._receipts.pressing:
                out.acknowledged = self._receipts.take()
            if out:
                if self._closed:
                    self._event.set()  # the next call is to see it, whatever was settled together with it
                return out
            if self._closed and not self._inbox:
                return None

    async def _settle(self, out: Outgoing) -> None:
        """Take everything that has come, and call the partitions that it concerns."""
        self._take_granted(out)
        incoming, self._inbox, self._inbox_bytes = self._inbox, [], 0
        if self.tally is not None:
            self.tally.frames += len(incoming)
        self._room.set()
        frames: dict[int, Frame] = {}
        for frame in incoming:
            self.credits += frame.credits
            self.standstill.began(frame.started)
            self.standstill.parted(frame.returned)
            self.standstill.parted(reported.token for reported in frame.reported if reported.kind != "s")
            self._receipts.add(frame.number, pressing=bool(frame.started or frame.returned))
            out.refusals += _sort(frame, frames, len(self._partitions))
        taken_back, self._taken_back = self._taken_back, []
        for token in taken_back:
            frames.setdefault(partition_of(CanvasId(token.canvas_id)), Frame()).returned.append(token)
        # What they may have granted is asked for before anything else is, whatever the credits.
        for number in self._uncertain:
            frames.setdefault(number, Frame())
        if not frames and self.credits > 0 and not self._full:
            frames = {number: Frame() for number in self._next_hungry()}
        if len(frames) == 1:
            ((number, only),) = frames.items()
            await self._call(self._partitions[number], only, self.credits, out)
        elif frames:
            leased_from = min(
                frames, key=lambda number: (number not in self._uncertain, number not in self._hungry, number)
            )
            await asyncio.gather(
                *(
                    self._call(
                        self._partitions[number], frame, self.credits if number == leased_from else 0, out
                    )
                    for number, frame in frames.items()
                )
            )
        self._take_granted(out)
        if self.credits > 0 and self._hungry and not self._full:
            self._event.set()

    def _take_granted(self, out: Outgoing) -> None:
        """Take what submissions have granted."""
        granted, self._granted = self._granted, []
        for reply in granted:
            self.standstill.gave(reply.grants)
            out.grants += reply.grants
            out.contexts |= reply.contexts

    def _next_hungry(self) -> list[int]:
        count = len(self._partitions)
        for step in range(count):
            number = (self._turn + step) % count
            if number in self._hungry:
                self._turn = number + 1
                return [number]
        return []

    async def _call(self, partition: Partition, frame: Frame, want: int, out: Outgoing) -> None:
        number = partition.number
        async with self._locks[number]:
            if number in self._uncertain:
                self._uncertain.discard(number)
                self._take(partition, await self._repeat(partition, Frame(), 0), out)
            want = 0 if self._full else min(want, self.credits)
            if want > 0:
                self._hungry.discard(number)
            self._seqs[number] += 1
            reply = await self._repeat(partition, frame, want)
        if self.tally is not None:
            self.tally.settled(frame, reply)
        tokens = [*frame.started, *frame.returned, *(reported.token for reported in frame.reported)]
        for token, answer in zip(tokens, reply.answers, strict=True):
            if answer != "A":
                out.refusals.append((token, answer))
        self._take(partition, reply, out)

    def _take(self, partition: Partition, reply: Exchanged, out: Outgoing) -> None:
        """Take in what a call answered, but for what it said of reports."""
        if reply.status != "O":
            raise SessionLostError
        self.credits -= len(reply.grants)
        if reply.more:
            self._hungry.add(partition.number)
        self.standstill.gave(reply.grants)
        out.grants += reply.grants
        out.contexts |= reply.contexts
        self._called(self, partition, reply)

    async def _repeat(self, partition: Partition, frame: Frame, want: int) -> Exchanged:
        """Call until the store answers; the number of the call makes repeating harmless."""
        waits = pauses()
        while True:
            try:
                return await partition.exchange(
                    self.id, self._seqs[partition.number], frame, want=want,
                    others_idle=self.others_idle(self, partition.number),
                )  # fmt: skip
            except StoreError as error:
                _log.log(level_of(error), "exchange.delayed session=%s reason=%s", self.id.session, error)
                if self._closed:
                    raise SessionLostError from error
            await asyncio.sleep(next(waits))


def _sort(incoming: Incoming, frames: dict[int, Frame], partition_count: int) -> list[tuple[TokenRef, str]]:
    """Sort what a frame says by partition; return what belongs to none."""
    strays: list[tuple[TokenRef, str]] = []

    def of(token: TokenRef) -> Frame:
        number = partition_of(CanvasId(token.canvas_id))
        if number >= partition_count:
            strays.append((token, "U"))
            return Frame()
        return frames.setdefault(number, Frame())

    for token in incoming.started:
        of(token).started.append(token)
    for token in incoming.returned:
        of(token).returned.append(token)
    for reported in incoming.reported:
        of(reported.token).reported.append(reported)
    return strays
