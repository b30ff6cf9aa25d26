"""A Valkey of the coordinator's own, for when no store is given by address."""

from __future__ import annotations

from gesso_server.store.embedded.address import default_socket_root
from gesso_server.store.embedded.binary import StoreBinary, find_binary
from gesso_server.store.embedded.guard import Guard
from gesso_server.store.embedded.server import EmbeddedStore
from gesso_server.store.embedded.settings import AppendFsync, EmbeddedSettings

__all__ = [  # noqa: RUF022 - grouped by idea
    # the store
    "EmbeddedStore",
    # how it is to run
    "AppendFsync",
    "EmbeddedSettings",
    "Guard",
    "default_socket_root",
    # the program
    "StoreBinary",
    "find_binary",
]
