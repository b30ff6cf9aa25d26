"""Whatever becomes of its streams, a worker runs each assignment once and reports it until it is heard."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from gesso.v1 import worker_service_pb2 as pb
from integration.worker.peer import Peer, PeerStream, assignment, value_of
from integration.worker.workers import running_worker

TASK_COUNT = 3_000


class Forgetful:
    """A coordinator that obeys the contract and whose streams break at any time.

    What it had sent when a stream broke may or may not have arrived: it sends again what the next hello
    does not list, with the same token.
    """

    def __init__(self, chance: random.Random) -> None:
        """Nothing is assigned."""
        self.chance = chance
        self.given: dict[int, pb.Assignment] = {}
        self.heard: dict[int, int] = {}
        self.seen: set[PeerStream] = set()
        self.broken: set[PeerStream] = set()

    def on_frame(self, stream: PeerStream, frame: pb.WorkRequest) -> None:
        """Take a frame in, and answer it, or break."""
        if stream in self.broken:
            return
        if self.chance.random() < 0.3:
            self.broken.add(stream)
            stream.end()
            return
        for report in frame.reports:
            self.heard.setdefault(report.token.nonce, value_of(report))
            self.given.pop(report.token.nonce, None)
        again = self._lacking(stream) if stream not in self.seen else []
        self.seen.add(stream)
        fresh = [self._next() for _ in range(min(frame.credit_count, self._left()))]
        stream.send(acknowledged_frame=frame.frame, assignments=[*again, *fresh])

    def _lacking(self, stream: PeerStream) -> list[pb.Assignment]:
        held = {token.nonce for token in stream.hello.held}
        return [given for nonce, given in self.given.items() if nonce not in held]

    def _left(self) -> int:
        return TASK_COUNT - len(self.given) - len(self.heard)

    def _next(self) -> pb.Assignment:
        nonce = len(self.given) + len(self.heard) + 1
        self.given[nonce] = assignment(nonce, "count_runs", nonce)
        return self.given[nonce]


@pytest.mark.parametrize("seed", [1, 2])
async def test_broken_streams_lose_and_repeat_nothing(peer: Peer, seed: int) -> None:
    """Over dozens of streams every task is heard of, and each ran once."""
    coordinator = Forgetful(random.Random(seed))  # noqa: S311 - no secret
    peer.acknowledges = False
    peer.on_frame = coordinator.on_frame
    async with running_worker(peer.address, threads=3):
        await peer.board.until(lambda: len(coordinator.heard) >= TASK_COUNT)

    assert Counter(coordinator.heard.values()) == {1: TASK_COUNT}
    assert len(peer.streams) > 10
