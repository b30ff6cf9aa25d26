"""Limits under everything that may go wrong between a partition and a home: never one too many, and none lost."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator

import pytest

from gesso_server.store.embedded import EmbeddedStore
from gesso_server.store.limits import Limit
from gesso_server.store.store import Store
from integration.store.scripts.post import Post
from integration.store.scripts.rig import Worker
from support.trees import calls, group

STEPS = 150
LIMITS = (2, 5)


@pytest.fixture(params=[1, 3])
async def post(store: EmbeddedStore, request: pytest.FixtureRequest) -> AsyncIterator[Post]:
    """A store with one partition or three, in which time stands."""
    connection = Store(store.url, "c1")
    await connection.connect(request.param)
    post = Post(connection)
    await post.stop_clocks()
    yield post
    await connection.close()


class Chaos:
    """One run: workers, and a post that loses, repeats and reorders."""

    def __init__(self, post: Post, seed: int, most: int) -> None:
        self.post = post
        self.random = random.Random(seed)  # noqa: S311 - no secret
        self.most = most
        self.workers: list[tuple[int, Worker]] = []
        self.peak = 0
        self.done = 0
        self.submitted = 0

    @property
    def in_use(self) -> int:
        """How many tasks workers hold that live."""
        return sum(len(worker.held) for _, worker in self.workers)

    async def step(self) -> None:
        """Do one thing, and check that not too many are in use."""
        act = self.random.choices(
            [
                self._submit,
                self._take,
                self._end,
                self._carry,
                self._repeat,
                self._lose,
                self._die,
                self._wait,
            ],
            [2, 6, 6, 6, 2, 1, 1, 1],
        )[0]
        await act()
        self.peak = max(self.peak, self.in_use)
        assert self.in_use <= self.most

    async def _submit(self) -> None:
        number = self.random.randrange(len(self.post.rigs))
        size = self.random.randint(1, 6)
        await self.post.submit(group(*calls(size)), number)
        self.submitted += size

    async def _take(self) -> None:
        if len(self.workers) < 4:
            number = self.random.randrange(len(self.post.rigs))
            self.workers.append((number, await self.post.worker(number, lease_ms=3_000_000)))
        number, worker = self.random.choice(self.workers)
        reply = await worker.exchange(want=self.random.randint(1, 4))
        if self.random.random() < 0.8:  # else its coordinator died before it carried anything
            self.post.keep(number, reply.duties)
        if self.random.random() < 0.2:
            await worker.exchange(want=4, seq=worker.seq)

    async def _end(self) -> None:
        busy = [(number, worker) for number, worker in self.workers if worker.held]
        if not busy:
            return
        number, worker = self.random.choice(busy)
        some = self.random.sample(worker.held, self.random.randint(1, len(worker.held)))
        if self.random.random() < 0.2:
            for grant in some:
                worker.held.remove(grant)
            duties = (await worker.give_back(*some)).duties
        else:
            self.done += len(some)
            duties = (await worker.report(*some)).duties
        if self.random.random() < 0.8:
            self.post.keep(number, duties)

    async def _carry(self) -> None:
        self.random.shuffle(self.post.news)
        self.random.shuffle(self.post.deliveries)
        news, self.post.news = self.post.news[:2], self.post.news[2:]
        await self.post.settle(news)
        deliveries, self.post.deliveries = self.post.deliveries[:2], self.post.deliveries[2:]
        await self.post.receive(deliveries)

    async def _repeat(self) -> None:
        if self.post.news:
            await self.post.settle([self.random.choice(self.post.news)])
        if self.post.deliveries:
            await self.post.receive([self.random.choice(self.post.deliveries)])

    async def _lose(self) -> None:
        self.post.news = self.post.news[len(self.post.news) // 2 :]
        self.post.deliveries = self.post.deliveries[len(self.post.deliveries) // 2 :]

    async def _die(self) -> None:
        if not self.workers:
            return
        number, worker = self.workers.pop(self.random.randrange(len(self.workers)))
        duties = await self.post.rigs[number].partition.leave(worker.id, grace_ms=None)
        if self.random.random() < 0.8:
            self.post.keep(number, duties)

    async def _wait(self) -> None:
        await self.post.pass_ms(self.random.choice([10, 1000, 6000]))
        await self.post.sweep()

    async def finish(self) -> None:
        """Let nothing go wrong any more, and run everything there is."""
        for _, worker in self.workers:
            await self.post.report(worker, *list(worker.held))
        everyone = [await self.post.worker(number) for number in range(len(self.post.rigs))]
        idle = 0
        while idle < 20:
            await self.post.pass_ms(1000)
            await self.post.sweep()
            await self.post.carry()
            held = 0
            for worker in everyone * 2:
                held += len(await self.post.take(worker))
                await self.post.carry()
            assert held <= self.most
            idle = 0 if held else idle + 1
            self.peak = max(self.peak, held)
            for worker in everyone:
                await self.post.report(worker, *list(worker.held))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("most", LIMITS)
async def test_never_one_too_many_and_none_is_lost(post: Post, most: int, seed: int) -> None:
    """With messages lost, repeated, late and out of order, and with dead workers, the limit holds and all tasks end."""
    await post.limit("add", Limit(concurrency=most))
    chaos = Chaos(post, seed, most)
    for _ in range(STEPS):
        await chaos.step()
    await chaos.finish()

    assert chaos.peak == most
    for rig in post.rigs:
        for canvas in rig.canvases.values():
            assert set(await rig.states(canvas)) == {"S"}
    assert await post.unsettled() == []


@pytest.mark.parametrize("seed", range(3))
async def test_rate_holds_whatever_goes_wrong(post: Post, seed: int) -> None:
    """However messages are lost and repeated, no more starts than the bucket and the time allow."""
    await post.limit("add", Limit(count=5, period_ms=1000))
    chaos = Chaos(post, seed, 10**6)
    await post.submit(group(*calls(500)))
    begin, started = post.now, 0
    for _ in range(STEPS):
        before = chaos.in_use + chaos.done
        await chaos.step()
        started += max(0, chaos.in_use + chaos.done - before)

        # Permits that lie in an account unused were counted when they came.
        assert started <= 1 + 5 * (post.now - begin) / 1000
