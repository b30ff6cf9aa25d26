"""The time that calls to the store take, for metrics. Where nobody wants to know, nothing is wrapped."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from gesso_server.store.inspection import Caller

Took: TypeAlias = Callable[[str, float], None]
"""Told the name of a function and how many seconds a call of it took, whether it succeeded or not."""


def timed(call: Caller, took: Took) -> Caller:
    """Return `call`, timed."""

    async def call_timed(function: str, key: str, args: Sequence[bytes | str | int]) -> Any:
        begin = time.perf_counter()
        try:
            return await call(function, key, args)
        finally:
            took(function, time.perf_counter() - begin)

    return call_timed
