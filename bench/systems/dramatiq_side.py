"""Dramatiq's client. Its store's socket is in BENCH_STORE."""

from __future__ import annotations

from importlib.metadata import version

from dramatiq import group, pipeline

from bench.systems.dramatiq_tasks import add, broker, done, parked
from bench.systems.side import LIMIT_S, PARKED

_LIMIT_MS = 1000 * LIMIT_S


class DramatiqSide:
    """Dramatiq's client."""

    def versions(self) -> dict[str, str]:
        """Return the versions."""
        return {name: version(name) for name in ("dramatiq", "redis", "hiredis")}

    def call(self, x: int, y: int) -> int:
        """Run one task."""
        return int(add.send(x, y).get_result(block=True, timeout=_LIMIT_MS))

    def chain(self, hops: int) -> int:
        """Run a chain."""
        return int(_chain(hops).run().get_result(block=True, timeout=_LIMIT_MS))

    def chains(self, count: int, hops: int) -> list[int]:
        """Run chains at once."""
        results = [_chain(hops).run() for _ in range(count)]
        return [int(result.get_result(block=True, timeout=_LIMIT_MS)) for result in results]

    def group(self, count: int) -> list[int]:
        """Run a group."""
        members = group([add.message(i, i) for i in range(count)]).run()
        return list(members.get_results(block=True, timeout=_LIMIT_MS))

    def chord(self, count: int) -> int:
        """Run a group with a completion callback, the nearest there is: it gets no values."""
        callback = done.message(count)
        members = group([add.message(i, i) for i in range(count)])
        members.add_completion_callback(callback)
        members.run()
        return int(callback.get_result(block=True, timeout=_LIMIT_MS))

    def submit(self, count: int) -> None:
        """Submit a group to where nobody works."""
        group([parked.message(i, i) for i in range(count)]).run()

    def send(self, count: int) -> None:
        """Submit tasks one by one to where nobody works."""
        for i in range(count):
            parked.send(i, i)

    def drop(self) -> None:
        """Empty the queue."""
        broker.flush(PARKED)


side = DramatiqSide


def _chain(hops: int) -> pipeline:
    return pipeline([add.message(0, 1), *(add.message(1) for _ in range(hops - 1))])
