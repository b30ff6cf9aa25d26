"""Gesso's client. Its address is in GESSO_ADDRESS."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from bench.systems.gesso_tasks import add, count
from bench.systems.side import LIMIT_S, PARKED
from gesso import chain, chord, group
from gesso.errors import TaskRevokedError
from gesso_telemetry.setup import set_up


class GessoSide:
    """Gesso's client."""

    def __init__(self) -> None:
        set_up("bench-client")  # does nothing unless the environment asks for spans
        self._parked: list[Any] = []

    def versions(self) -> dict[str, str]:
        """Return the versions."""
        return {name: version(name) for name in ("gesso", "grpcio", "protobuf", "redis", "hiredis")}

    def call(self, x: int, y: int) -> int:
        """Run one task."""
        return add.delay(x, y).get(timeout=LIMIT_S)

    def chain(self, hops: int) -> int:
        """Run a chain."""
        value: int = _chain(hops).delay().get(timeout=LIMIT_S)
        return value

    def chains(self, count: int, hops: int) -> list[int]:
        """Run chains at once."""
        results = [_chain(hops).delay() for _ in range(count)]
        return [result.get(timeout=LIMIT_S) for result in results]

    def group(self, count: int) -> list[int]:
        """Run a group."""
        values: list[int] = group([add.s(i, i) for i in range(count)]).delay().get(timeout=LIMIT_S)
        return values

    def chord(self, size: int) -> int:
        """Run a chord."""
        value: int = chord([add.s(i, i) for i in range(size)], count.s()).delay().get(timeout=LIMIT_S)
        return value

    def submit(self, count: int) -> None:
        """Submit a group to where nobody works."""
        members = [add.s(i, i).set(queue=PARKED) for i in range(count)]
        self._parked.append(group(members).delay())

    def send(self, count: int) -> None:
        """Submit tasks one by one to where nobody works."""
        self._parked += [add.apply_async((i, i), queue=PARKED) for i in range(count)]

    def drop(self) -> None:
        """Cancel what stands there, and wait for its end."""
        for result in self._parked:
            result.revoke()
        for result in self._parked:
            try:
                result.get(timeout=LIMIT_S)
            except TaskRevokedError:
                continue
        self._parked.clear()


side = GessoSide


def _chain(hops: int) -> Any:  # noqa: ANN401  whatever a chain of so many amounts to
    return chain([add.s(0, 1), *(add.s(1) for _ in range(hops - 1))])
