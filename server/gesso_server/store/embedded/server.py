"""The embedded store: a Valkey of the coordinator's own, started, supervised and stopped here.

Its rules:

- One owner and one store process for a data directory, at any time (`directory.py`).
- It dies with its owner, however that ends (`guard.py`), and with nothing else: not with Ctrl-C.
- If it dies alone, `run` starts it again on the same data and at the same address.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import ExitStack, suppress
from datetime import timedelta
from typing import Self

from gesso_server.store.embedded.address import StoreAddress, close_address, open_address
from gesso_server.store.embedded.binary import find_binary
from gesso_server.store.embedded.directory import DataDirectory
from gesso_server.store.embedded.guard import choose_guard
from gesso_server.store.embedded.process import Launch, StoreProcess
from gesso_server.store.embedded.readiness import shut_down, wait_until_ready
from gesso_server.store.embedded.settings import EmbeddedSettings, server_arguments
from gesso_server.store.errors import StoreError

_log = logging.getLogger(__name__)

# A store that lived this long is started again at once; one that did not waits, longer each time.
_LONG_LIFE = timedelta(seconds=10)
_FIRST_DELAY = timedelta(milliseconds=100)
_LONGEST_DELAY = timedelta(seconds=5)


class EmbeddedStore:
    """A store that belongs to this process. Made by `start`, kept alive by `run`, ended by `stop`."""

    def __init__(self, settings: EmbeddedSettings, directory: DataDirectory, address: StoreAddress) -> None:
        binary = find_binary()
        arguments = server_arguments(settings, socket=address.socket, log=directory.log)
        self._settings = settings
        self._directory = directory
        self._address = address
        self._launch = Launch(
            command=[str(binary.path), *arguments],
            guard=settings.guard or choose_guard(),
            lock_fd=directory.lock_fd,
            directory=directory.path,
            log=directory.log,
        )
        self._stopping = asyncio.Event()
        self._process = self._start_process()

    @classmethod
    async def start(cls, settings: EmbeddedSettings) -> Self:
        """Start a store and wait until it answers with its data loaded.

        Raises:
            StoreRefused: If it cannot run here; the text says what to do.
            RuntimeError: If called outside the main thread.
        """
        directory = await DataDirectory.claim(settings.data_directory, settings.lock_limit)
        with ExitStack() as undo:
            undo.callback(directory.release)
            address = open_address(directory.path, settings.socket_root)
            undo.callback(close_address, directory.path, address)
            store = cls(settings, directory, address)
            await store._wait_until_ready()
            undo.pop_all()
        return store

    @property
    def url(self) -> str:
        """Where the store answers, as `--store` takes it: `unix:///…`. The same after a restart by `run`."""
        return self._address.url

    async def run(self) -> None:
        """Start the store again whenever it dies; return after `stop`."""
        now = asyncio.get_running_loop().time
        delay = timedelta(0)
        while True:
            began = now()
            code = await self._process.wait()
            if self._stopping.is_set():
                return
            delay = restart_delay(delay, lived=timedelta(seconds=now() - began))
            _log.error("store.ended", extra={"exit_code": code, "restart_delay_s": delay.total_seconds()})
            await self._restart_after(delay)

    async def stop(self) -> None:
        """End the store, everything written, and give its directory up. Repeating it is harmless."""
        self._stopping.set()
        process = self._process
        if process.exit_code is None:
            await self._end(process)
        close_address(self._directory.path, self._address)
        self._directory.release()

    async def _end(self, process: StoreProcess) -> None:
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(self._settings.stop_limit.total_seconds()):
                if await shut_down(self._address.socket):
                    await process.wait()
        process.kill()  # it did not listen, or not in time
        await process.wait()

    async def _restart_after(self, delay: timedelta) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(delay.total_seconds()):
                await self._stopping.wait()
        if self._stopping.is_set():
            return
        try:
            self._process = self._start_process()
            await self._wait_until_ready()
        except (StoreError, OSError):
            _log.exception("store.not_restarted")

    def _start_process(self) -> StoreProcess:
        self._directory.remove_drafts()
        return StoreProcess.start(self._launch)

    async def _wait_until_ready(self) -> None:
        """Wait until the process answers; leave none behind that does not."""
        process = self._process
        limit = self._settings.start_limit
        try:
            await wait_until_ready(process, socket=self._address.socket, log=self._directory.log, limit=limit)
        except BaseException:
            process.kill()
            await process.wait()
            raise


def restart_delay(previous: timedelta, *, lived: timedelta) -> timedelta:
    """Return how long to wait before a store that died is started again.

    Args:
        previous: The delay before its last start; zero if there was none.
        lived: How long it ran since.
    """
    if lived >= _LONG_LIFE:
        return timedelta(0)
    return min(max(2 * previous, _FIRST_DELAY), _LONGEST_DELAY)
