"""Prepares gRPC, before anything imports it; `gesso` imports this first. What the environment already says stands.

Forks: its handlers for them exist only if GRPC_ENABLE_FORK_SUPPORT is set when it is first imported. Without them a
child that uses gRPC, forked by a process that had used it, hangs or crashes: every child with the variable 0,
about one in fifty with it unset, none of 340 with it 1 (grpcio 1.85).

Polling: the engine that grpcio polls with since 2026 hands each event from thread to thread once or twice more than the
one before it, which is there still. With that one a task there and back took 6 % less time, and a hop of a chain 10 %
(grpcio 1.85, four runs each by turns). GRPC_EXPERIMENTS is read at the import, and is gone from the environment again
behind it: the programs that a process starts are not to have it. Later versions may not know these words.

A process that imports gRPC before Gesso must set both itself.
"""

from __future__ import annotations

import importlib
import os
import re
from importlib.metadata import version

_POLLING = "-event_engine_client,-event_engine_listener"
_LAST_WITH_BOTH = (1, 85)


def _has_both_engines() -> bool:
    found = re.match(r"(\d+)\.(\d+)", version("grpcio"))
    return found is not None and (int(found[1]), int(found[2])) <= _LAST_WITH_BOTH


os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "1")
if "GRPC_EXPERIMENTS" not in os.environ and _has_both_engines():
    os.environ["GRPC_EXPERIMENTS"] = _POLLING
    try:
        importlib.import_module("grpc")
    finally:
        del os.environ["GRPC_EXPERIMENTS"]
