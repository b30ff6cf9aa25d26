"""What an owner says to its store's process: are you ready, and end now.

Spoken as inline commands on a fresh connection, without redis-py: no pool to keep, no greeting that a
store which is still loading would refuse.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from gesso_server.store.embedded.process import StoreProcess
from gesso_server.store.errors import StoreRefused

_READY = b"+PONG"
# Between two questions. Nothing tells when a socket appears or a file is loaded.
_RETRY = timedelta(milliseconds=10)
_ANSWER_LIMIT = timedelta(seconds=1)
_SHOWN_LOG_BYTES = 2000


async def wait_until_ready(process: StoreProcess, *, socket: Path, log: Path, limit: timedelta) -> None:
    """Wait until the store answers with its data loaded.

    Args:
        process: The store's process, just started.
        socket: Where it will listen.
        log: Its log, quoted when it does not start.
        limit: Longest wait.

    Raises:
        StoreRefused: If it ended, or is not ready after `limit`.
    """
    try:
        async with asyncio.timeout(limit.total_seconds()):
            while not await _is_ready(socket):
                if process.exit_code is not None:
                    raise StoreRefused(
                        f"The store ended while it was starting, with exit code {process.exit_code}. "
                        f"Its log, {log}, ends with:\n{_log_end(log)}"
                    )
                await asyncio.sleep(_RETRY.total_seconds())
    except TimeoutError as error:
        raise StoreRefused(
            f"The store was not ready after {limit.total_seconds():g} s. "
            f"Its log, {log}, ends with:\n{_log_end(log)}"
        ) from error


async def shut_down(socket: Path) -> bool:
    """Tell the store to write what it has and end; return whether it has closed the connection.

    Raises:
        OSError: If nobody listens.
    """
    # NOSAVE concerns the snapshot, which there is none of: the append-only file is always written.
    return await _ask(socket, b"SHUTDOWN NOSAVE NOW FORCE") == b""


async def _is_ready(socket: Path) -> bool:
    try:
        async with asyncio.timeout(_ANSWER_LIMIT.total_seconds()):
            return (await _ask(socket, b"PING")).startswith(_READY)
    except (OSError, TimeoutError):
        return False


async def _ask(socket: Path, command: bytes) -> bytes:
    """Return the first line of the answer; empty if the connection ends without one."""
    reader, writer = await asyncio.open_unix_connection(socket)
    try:
        writer.write(command + b"\r\n")
        return await reader.readline()
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


def _log_end(log: Path) -> str:
    return log.read_bytes()[-_SHOWN_LOG_BYTES:].decode(errors="replace").strip()
