"""What bounds Gesso: the store alone and the wire alone. The store's socket is in BENCH_STORE."""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib.metadata import version

from bench.frames import frames
from bench.transitions import transitions
from bench.workloads import Work


class LimitsSide:
    """The store without the rest, and the rest without the store."""

    def versions(self) -> dict[str, str]:
        """Return the versions."""
        return {name: version(name) for name in ("grpcio", "redis", "hiredis")}

    def work(self) -> Mapping[str, Work]:
        """Return what it can do, by the keys of `LIMITS`."""
        url = f"unix://{os.environ['BENCH_STORE']}"
        return {
            "transitions": lambda size: [transitions(url, size)],
            "frames": lambda size: [frames(size)],
        }


side = LimitsSide
