"""Under mixed load for half an hour no process and no store grows, and nothing is left when results have expired.

`GESSO_SOAK_MINUTES` says how long, and `GESSO_SOAK_CLIENTS` how many send; the first sixth warms up.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from redis import Redis

from chaos.fleet import Fleet
from chaos.load import Load
from support.system import System, until

SAMPLE_SECONDS = 10.0
RESULTS_SECONDS = 20
_OF_CANVASES = (":c:", ":req:", ":live", ":ended", ":load", ":due", ":exp", ":work", ":staging")
GROWTH, SLACK_BYTES = 1.1, 8 << 20
"""How much more than at the end of the warm-up something may take in the last sixth, on average."""


def resident_bytes(group: int) -> int:
    """Return how much memory a process group takes."""
    listed = subprocess.run(
        ["ps", "-o", "rss=", "-g", str(group)],  # noqa: S607 - where a system has it
        capture_output=True, text=True, check=False, timeout=30,
    )  # fmt: skip
    return sum(map(int, listed.stdout.split())) * 1024


def probes(fleet: Fleet, redis: Redis) -> dict[str, Callable[[], int]]:
    """Return what is measured, by name."""
    found: dict[str, Callable[[], int]] = {
        f"{program.name} {number}": partial(resident_bytes, program.process.pid)
        for kind in ([each.program for each in fleet.coordinators], fleet.workers)
        for number, program in enumerate(kind)
    }
    found["store"] = lambda: int(redis.info("memory")["used_memory"])
    return found


def is_past(instant: float) -> bool:
    """Return whether an instant of this process's clock is over."""
    return time.monotonic() >= instant


def mean(values: list[int]) -> float:
    """Return the mean."""
    return sum(values) / len(values)


@pytest.mark.long
@pytest.mark.timeout(7200)
def test_nothing_grows_and_nothing_is_left(tmp_path: Path) -> None:
    """Memory is flat after the warm-up, every canvas ends right, and no key of any of them is left."""
    seconds = float(os.environ.get("GESSO_SOAK_MINUTES", "30")) * 60
    settings = [f"timing.result_ttl={RESULTS_SECONDS}s", f"timing.request_ttl={RESULTS_SECONDS}s"]
    with System(tmp_path, settings=settings) as system, Fleet(system) as fleet:
        clients = int(os.environ.get("GESSO_SOAK_CLIENTS", "6"))
        load = Load(fleet.client(), tmp_path, seed=2, clients=clients)
        with Redis.from_url(fleet.store.store) as redis:
            measured = probes(fleet, redis)
            samples: dict[str, list[int]] = {name: [] for name in measured}
            begun = time.monotonic()
            load.start()
            while (passed := time.monotonic() - begun) < seconds:
                for name, probe in measured.items():
                    samples[name].append(probe())
                until(partial(is_past, begun + passed + SAMPLE_SECONDS), "the next sample")
            load.stop()
            verdict = load.verdict()
            until(
                lambda: not left(redis),
                f"the results' end; left: {left(redis)[:10]}",
                limit=RESULTS_SECONDS + 120,
            )

    part = max(1, len(samples["store"]) // 6)
    print(f"\n{verdict}, {verdict.acknowledged / seconds:.1f} canvases a second")  # noqa: T201 - the report
    grown = []
    for name, values in samples.items():
        early, late = mean(values[part : 2 * part]), mean(values[-part:])
        print(f"{name:14} {early / 2**20:8.1f} MiB, at the end {late / 2**20:8.1f} MiB")  # noqa: T201 - the report
        if late > early * GROWTH + SLACK_BYTES:
            grown.append(name)
    assert verdict.good, verdict
    assert verdict.repeated == 0
    assert not grown


def left(redis: Redis) -> list[str]:
    """Return the keys of canvases and requests that are there, not those of the store and of sessions."""
    found = [key.decode() for key in redis.scan_iter("gesso:*", count=1000)]
    return [
        key
        for key in found
        if ":c:" in key or ":req:" in key or ":live" in key or ":ended" in key or ":load" in key
    ]
