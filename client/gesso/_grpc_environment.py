"""Prepares gRPC, before anything imports it; `gesso` imports this first. What the environment already says stands.

Forks: its handlers for them exist only if GRPC_ENABLE_FORK_SUPPORT is set when it is first imported. Without them a
child that uses gRPC, forked by a process that had used it, hangs or crashes: every child with the variable 0,
about one in fifty with it unset, none of 340 with it 1 (grpcio 1.85).

Not here: GRPC_EXPERIMENTS=-event_engine_client,-event_engine_listener, with which gRPC polls as it did before 2026 and
which is 10 % quicker. In a forked child that engine closes the parent's connections and goes on writing to their
numbers (a ping at once, a GOAWAY after 5 s), whatever has been opened under these meanwhile.

A process that imports gRPC before Gesso must set the variable itself.
"""

from __future__ import annotations

import os

os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "1")
