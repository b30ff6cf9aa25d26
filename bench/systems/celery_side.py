"""Celery's client. Its store's socket is in BENCH_STORE."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from celery import chain, chord, group

from bench.systems.celery_tasks import add, app, count
from bench.systems.side import LIMIT_S, PARKED


class CelerySide:
    """Celery's client."""

    def versions(self) -> dict[str, str]:
        """Return the versions."""
        return {name: version(name) for name in ("celery", "kombu", "billiard", "redis", "hiredis")}

    def call(self, x: int, y: int) -> int:
        """Run one task."""
        return int(add.delay(x, y).get(timeout=LIMIT_S))

    def chain(self, hops: int) -> int:
        """Run a chain."""
        return int(_chain(hops).apply_async().get(timeout=LIMIT_S))

    def chains(self, count: int, hops: int) -> list[int]:
        """Run chains at once."""
        results = [_chain(hops).apply_async() for _ in range(count)]
        return [int(result.get(timeout=LIMIT_S)) for result in results]

    def group(self, count: int) -> list[int]:
        """Run a group."""
        values = group([add.s(i, i) for i in range(count)]).apply_async().get(timeout=LIMIT_S)
        return list(values)

    def chord(self, size: int) -> int:
        """Run a chord."""
        result = chord([add.s(i, i) for i in range(size)], count.s()).apply_async()
        return int(result.get(timeout=LIMIT_S))

    def submit(self, count: int) -> None:
        """Submit a group to where nobody works."""
        group([add.s(i, i) for i in range(count)]).apply_async(queue=PARKED)

    def send(self, count: int) -> None:
        """Submit tasks one by one to where nobody works."""
        for i in range(count):
            add.apply_async((i, i), queue=PARKED)

    def drop(self) -> None:
        """Empty the queue."""
        with app.connection_for_write() as connection:
            connection.default_channel.queue_purge(PARKED)


side = CelerySide


def _chain(hops: int) -> Any:  # noqa: ANN401  of a library without types
    return chain([add.s(0, 1), *(add.s(1) for _ in range(hops - 1))])
