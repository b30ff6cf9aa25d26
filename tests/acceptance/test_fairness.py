"""Promise: no canvas starves another of its priority."""

from __future__ import annotations

import asyncio
import time
from statistics import median

import pytest

from acceptance.tasks import Ledger, call
from gesso import aio, chain, group
from support.system import System, until

CHAINS = 100
LARGE = 200_000


def test_chains_end_while_most_of_a_group_waits(system: System, ledger: Ledger) -> None:
    """100 chains of three steps that come behind a group of 20,000 end long before half of the group has."""
    coordinator = system.coordinator()
    system.worker(coordinator, processes=2)
    system.client(coordinator)

    group([call("mark", ledger.path, key) for key in range(20_000)]).delay()
    until(lambda: len(ledger) > 0, "the group's beginning")
    results = [chain(call("add", 1, 1), call("add", 1), call("add", 1)).delay() for _ in range(CHAINS)]
    values = [result.get(timeout=30) for result in results]

    assert len(ledger) < 10_000
    assert values == [4] * CHAINS


@pytest.mark.long
@pytest.mark.timeout(300)
def test_chains_take_less_than_twice_their_time_behind_a_large_group(
    system: System, capsys: pytest.CaptureFixture[str]
) -> None:
    """100 chains of three steps behind a group of 200,000 take less than twice what they take on an idle system."""
    coordinator = system.coordinator()
    system.worker(coordinator, processes=2)
    system.client(coordinator)
    with asyncio.Runner() as runner:
        for _ in range(3):  # until every process is warm
            runner.run(chains_seconds())
        idle = median(runner.run(chains_seconds()) for _ in range(5))

        large = group([call("add", number, 1) for number in range(LARGE)]).delay()
        until(lambda: large.completed_count() > 0, "the group's beginning")
        behind = median(runner.run(chains_seconds()) for _ in range(5))
        left = LARGE - large.completed_count()
        runner.run(aio.close())

    with capsys.disabled():
        print(  # noqa: T201 - the figures are the test's result
            f"\n{CHAINS} chains of 3: {idle:.3f} s idle, {behind:.3f} s behind {LARGE:,} (ratio {behind / idle:.2f}), "
            f"{left:,} of them left"
        )
    assert left > 0
    assert behind < 2 * idle


async def chains_seconds() -> float:
    """Submit the chains, wait for all of them, and return how long that took."""
    chains = [chain(call("add", 1, 1), call("add", 1), call("add", 1)) for _ in range(CHAINS)]
    begin = time.perf_counter()
    results = await asyncio.gather(*map(aio.delay, chains))
    values = await asyncio.gather(*(result.get(timeout=60) for result in results))
    assert values == [4] * CHAINS
    return time.perf_counter() - begin
