"""Limits of rate and concurrency: permits, their homes, and what becomes of tasks that wait for them."""

from __future__ import annotations

from collections import Counter

import pytest

from gesso_server.store.calls import Frame, Reported
from gesso_server.store.limits import Limit
from integration.store.scripts.post import Post
from integration.store.scripts.rig import token
from support.trees import call, calls, group


async def test_concurrency_is_never_above_the_limit(post: Post) -> None:
    """As many tasks are handed over as the limit says, and one more for each that ends."""
    await post.limit("add", Limit(concurrency=3))
    await post.submit(group(*calls(10)))
    worker = await post.worker()

    assert await post.names(worker) == ["m0", "m1", "m2"]
    assert await post.names(worker) == []
    await post.report(worker, worker.held[0])
    await post.carry()
    assert await post.names(worker) == ["m3"]


async def test_limit_holds_over_partitions(post: Post) -> None:
    """What one partition has, no other gets."""
    await post.limit("add", Limit(concurrency=4))
    workers = []
    for number in range(len(post.rigs)):
        await post.submit(group(*calls(9)), number)
        workers.append(await post.worker(number))

    for _ in range(3):
        for worker in workers:
            await post.take(worker)
        await post.carry()

    assert sum(len(worker.held) for worker in workers) == 4


async def test_every_partition_gets_its_turn(post: Post) -> None:
    """Permits that come back go to the partitions in turn, not to the one that is busiest."""
    await post.limit("add", Limit(concurrency=1))
    workers = []
    for number in range(len(post.rigs)):
        await post.submit(group(*calls(20)), number)
        workers.append(await post.worker(number))
    served: Counter[int] = Counter()

    for _ in range(12):
        for number, worker in enumerate(workers):
            served[number] += len(await post.take(worker))
            await post.carry()
            for grant in list(worker.held):
                await post.report(worker, grant)
            await post.carry()

    assert min(served.values()) >= 12 // len(workers) - 1


async def test_tasks_share_a_key(post: Post) -> None:
    """Tasks of different names with one concurrency key have one limit, and others of those names have none."""
    await post.limit("tenant", Limit(concurrency=2))
    await post.submit(
        group(
            *(call(f"a{n}", key="tenant") for n in range(3)),
            *(call(f"b{n}", task="mul", key="tenant") for n in range(3)),
            call("free"),
        )
    )
    worker = await post.worker()

    assert sorted(await post.names(worker)) == ["a0", "b0", "free"]


async def test_rate_is_a_bucket_by_the_stores_clock(post: Post) -> None:
    """A rate of ten a second lets one through at once, and each further one a tenth of a second later."""
    await post.limit("add", Limit(count=10, period_ms=1000))
    await post.submit(group(*calls(10)))
    worker = await post.worker()
    found = [len(await post.names(worker))]

    for _ in range(6):
        await post.pass_ms(50)
        await post.sweep()
        await post.carry()
        found.append(len(await post.names(worker)))

    assert found == [1, 0, 1, 0, 1, 0, 1]


async def test_high_rate_comes_in_bursts_of_a_tenth_of_a_second(post: Post) -> None:
    """However long nothing was done, no more comes at once than a tenth of a second's worth."""
    await post.limit("add", Limit(count=200, period_ms=1000))
    await post.submit(group(*calls(100)))
    await post.pass_ms(60_000)
    worker = await post.worker()

    assert len(await post.names(worker)) == 20


async def test_slow_rate_says_when_the_next_may_come(post: Post) -> None:
    """The coordinator is told when to look again, so nobody polls."""
    await post.limit("add", Limit(count=10, period_ms=60_000))
    await post.submit(group(*calls(2)))
    worker = await post.worker()
    await post.names(worker)
    await post.carry()
    home = post.rigs[post.home("default\0add")]

    swept = await home.sweep()
    assert swept.next_due_ms == 6000
    await post.pass_ms(6000)
    await post.sweep()
    await post.carry()

    assert await post.names(worker) == ["m1"]


async def test_both_limits_hold_at_once(post: Post) -> None:
    """A task needs room under both."""
    await post.limit("add", Limit(count=1000, period_ms=1000, concurrency=2))
    await post.submit(group(*calls(9)))
    worker = await post.worker()

    assert len(await post.names(worker)) == 2
    await post.limit("add", Limit(count=1, period_ms=1000, concurrency=9))
    await post.report(worker, *worker.held)
    await post.sweep()
    await post.carry()
    assert len(await post.names(worker)) == 1


async def test_higher_priority_is_served_first_within_a_key(post: Post) -> None:
    """Of what waits for permits, the highest priority gets the next."""
    await post.limit("add", Limit(concurrency=1))
    worker = await post.worker()
    await post.submit(group(call("low0", priority=1), call("low1", priority=1)))
    assert await post.names(worker) == ["low0"]
    await post.submit(call("high", priority=9))
    await post.names(worker)
    await post.report(worker, worker.held[0])
    await post.carry()

    assert await post.names(worker) == ["high"]


async def test_canvases_of_a_key_take_turns(post: Post) -> None:
    """A few tasks do not wait behind the many of another canvas with the same key."""
    await post.limit("add", Limit(concurrency=1))
    await post.submit(group(*calls(1000, "long")))
    await post.submit(group(*calls(2, "short")))
    worker, served = await post.worker(), []

    for _ in range(6):
        served += await post.names(worker)
        await post.report(worker, *worker.held)
        await post.carry()

    assert [found for found in served if found.startswith("short")] == ["short0", "short1"]


async def test_cancelled_tasks_hold_no_permits(post: Post) -> None:
    """What was cancelled while it waited for a permit is passed over, and the others get theirs."""
    await post.limit("add", Limit(concurrency=1))
    long = await post.submit(group(*calls(1000, "long")))
    worker = await post.worker()
    await post.names(worker)
    await post.submit(group(*calls(2, "after")))
    await post.names(worker)
    _, duties = await post.rigs[0].partition.cancel_canvas("default", long.id, terminate=False, forget=False)
    post.keep(0, duties)
    await post.rigs[0].settle()
    await post.report(worker, *worker.held)
    await post.carry()

    assert await post.names(worker) == ["after0"]


async def test_revoked_members_hold_no_permits(post: Post) -> None:
    """Single tasks that were revoked while they waited are passed over within the canvas."""
    await post.limit("add", Limit(concurrency=1))
    canvas = await post.submit(group(*calls(5)))
    worker = await post.worker()
    await post.names(worker)
    for index in (2, 3, 4):
        await post.rigs[0].partition.cancel_node("default", canvas.id, index, terminate=False)
    await post.report(worker, *worker.held)
    await post.carry()

    assert len(await post.names(worker)) + len(await post.names(worker)) == 1


async def test_raising_a_limit_lets_waiting_tasks_go(post: Post) -> None:
    """A higher limit is obeyed by what waits already."""
    await post.limit("add", Limit(concurrency=1))
    await post.submit(group(*calls(9)))
    worker = await post.worker()
    assert len(await post.names(worker)) == 1

    await post.limit("add", Limit(concurrency=5))
    await post.sweep()
    await post.carry()

    assert len(await post.names(worker)) == 4


async def test_removing_a_limit_lets_everything_go(post: Post) -> None:
    """Without a limit all that waited is handed over, and nothing of it is left in the store."""
    await post.limit("add", Limit(concurrency=1))
    await post.submit(group(*calls(900)))
    worker = await post.worker()
    assert len(await post.names(worker)) == 1

    await post.limit("add", Limit())
    await post.sweep()
    await post.carry()
    assert len(await post.take(worker, 1000)) == 899
    await post.report(worker, *worker.held)
    await post.sweep()
    await post.carry()

    assert await post.unsettled() == []
    left = {key for key in await post.rigs[0].keys() if ":la:" in key or ":lh:" in key or ":ls:" in key}
    assert left == set()


async def test_limit_set_anew_counts_what_still_runs(post: Post) -> None:
    """Removing a limit and setting it again forgets nothing that holds a permit."""
    await post.limit("add", Limit(concurrency=3))
    await post.submit(group(*calls(9)))
    worker = await post.worker()
    assert len(await post.names(worker)) == 3

    await post.limit("add", Limit())
    await post.limit("add", Limit(concurrency=4))
    await post.sweep()
    await post.carry()

    assert len(await post.names(worker)) == 1


async def test_repeated_frame_takes_no_permit_twice(post: Post) -> None:
    """The same call again returns the same tasks under the same permits."""
    await post.limit("add", Limit(concurrency=2))
    await post.submit(group(*calls(5)))
    worker = await post.worker()
    await post.take(worker)
    await post.carry()
    first = await post.take(worker)

    again = await worker.exchange(want=64, seq=worker.seq)

    assert list(map(token, again.grants)) == list(map(token, first))
    assert len(first) == 2
    assert await post.names(worker) == []


async def test_account_and_home_fall_silent(post: Post) -> None:
    """When all has been said nothing is left to look at, and sweeps say nothing."""
    await post.limit("add", Limit(concurrency=2))
    await post.submit(group(*calls(2)))
    worker = await post.worker()
    await post.names(worker)
    await post.report(worker, *worker.held)
    await post.carry()
    await post.pass_ms(5000)
    await post.sweep()
    await post.carry()
    await post.sweep()

    assert (post.news, post.deliveries) == ([], [])
    assert await post.unsettled() == []


async def test_declared_limit_never_replaces_what_a_person_set(post: Post) -> None:
    """A limit from the code changes an older one from the code, and none that was set."""
    await post.limit("add", Limit(concurrency=1, declared=True))
    await post.limit("add", Limit(concurrency=2, declared=True))
    found = await post.store.partitions[-1].limit_table()
    assert found.limits("default") == {"add": Limit(concurrency=2, declared=True)}

    await post.limit("add", Limit(concurrency=3))
    await post.limit("add", Limit(concurrency=4, declared=True))

    table = await post.store.partitions[-1].limit_table()
    assert table.limits("default") == {"add": Limit(concurrency=3)}
    assert found.version < table.version


async def test_there_are_at_most_a_thousand_limits(post: Post) -> None:
    """One more is refused, and changing one that exists is not."""
    first = post.store.partitions[0]
    for number in range(1000):
        assert await first.set_limit(f"default\0key{number}", Limit(concurrency=1))

    assert not await first.set_limit("default\0more", Limit(concurrency=1))
    assert await first.set_limit("default\0key7", Limit(concurrency=2))


async def test_old_copy_of_the_table_changes_nothing(post: Post) -> None:
    """Copies that come late, in the wrong order, do not bring an old table back."""
    await post.limit("add", Limit(concurrency=1))
    old = await post.store.partitions[0].limit_table()
    await post.limit("add", Limit())

    for partition in post.store.partitions:
        await partition.copy_limits(old)

    for partition in post.store.partitions:
        assert (await partition.limit_table()).limits("default") == {}


async def test_canvas_removed_while_it_waits_leaves_nothing(post: Post) -> None:
    """What waits for a permit of a canvas that is gone is dropped."""
    await post.limit("add", Limit(concurrency=1))
    await post.submit(call("first"))
    gone = await post.submit(group(*calls(50)))
    await post.submit(call("last"))
    worker = await post.worker()
    assert await post.names(worker) == ["first"]
    await post.rigs[0].partition.cancel_canvas("default", gone.id, terminate=False, forget=True)
    await post.rigs[0].settle()
    await post.rigs[0].settle()
    await post.report(worker, *worker.held)
    await post.carry()

    assert await post.names(worker) == ["last"]


async def test_task_delivered_again_in_the_call_that_ends_it_needs_a_new_permit(post: Post) -> None:
    """A task that is rejected and handed over again at once gives its permit back and takes another."""
    await post.limit("add", Limit(concurrency=2))
    canvas = await post.submit(group(*calls(2)))
    worker = await post.worker()
    await post.take(worker)
    await post.carry()
    (first,) = await post.take(worker, 1)
    await post.rigs[0].partition.cancel_node("default", canvas.id, 2, terminate=False)

    worker.held.clear()
    reply = await worker.exchange(Frame(reported=[Reported(token(first), "q", b"")]), want=2)
    post.keep(0, reply.duties)
    assert [grant.index for grant in reply.grants] == [1]
    await post.report(worker, *worker.held)
    await post.submit(group(*calls(5)))
    await post.carry()

    assert len(await post.names(worker)) == 2


@pytest.mark.parametrize("post", [4], indirect=True)
async def test_permits_whose_delivery_was_lost_are_delivered_again(post: Post) -> None:
    """A home that has not heard that its permits came says so again, though the account asks for nothing more."""
    await post.limit("add", Limit(concurrency=1))
    workers = [await post.worker(number) for number in range(2)]
    for number, worker in enumerate(workers):
        await post.submit(call(f"m{number}"), number)
        await post.names(worker)
    await post.carry()
    await post.report(workers[0], *workers[0].held)
    news, post.news = post.news, []
    await post.settle(news)
    assert any(delivery.partition == 1 for delivery in post.deliveries)
    post.deliveries.clear()

    await post.pass_ms(1000)
    await post.sweep()
    await post.carry()

    assert await post.names(workers[1]) == ["m1"]
