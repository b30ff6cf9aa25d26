"""One coordinator object for each event loop and address."""

from __future__ import annotations

import asyncio
import os
from asyncio import AbstractEventLoop

from gesso.aio.coordinator import Coordinator

__all__ = ["close", "shared"]


class _Registry:
    def __init__(self) -> None:
        self.loops: dict[AbstractEventLoop, dict[str, Coordinator]] = {}
        # Of the processes that this one was forked from: kept, so that no destructor touches them.
        self.inherited: list[object] = []

    def of_loop(self, loop: AbstractEventLoop) -> dict[str, Coordinator]:
        for other in [each for each in self.loops.copy() if each.is_closed()]:
            self.loops.pop(other, None)
        return self.loops.setdefault(loop, {})

    def after_fork_in_child(self) -> None:
        self.inherited.append(self.loops)
        self.loops = {}


_registry = _Registry()
if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_registry.after_fork_in_child)


def shared(address: str) -> Coordinator:
    """Return the running event loop's coordinator at `address`. Nothing is opened before it is asked."""
    coordinators = _registry.of_loop(asyncio.get_running_loop())
    found = coordinators.get(address)
    if found is None:
        found = coordinators[address] = Coordinator(address)
    return found


async def close(address: str) -> None:
    """Let go of this event loop's connection to `address`, if there is one."""
    found = _registry.of_loop(asyncio.get_running_loop()).pop(address, None)
    if found is not None:
        await found.close()
