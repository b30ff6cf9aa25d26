"""A process that owns an embedded store, for the tests that kill or interrupt one.

Takes a data directory and a guard, prints the store's address, then one line for each SIGINT.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

from gesso_server.store.embedded import EmbeddedSettings, EmbeddedStore, Guard


async def main(data_directory: Path, guard: Guard) -> None:
    """Own a store until killed."""
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, _say, "interrupted")
    store = await EmbeddedStore.start(EmbeddedSettings(data_directory=data_directory, guard=guard))
    _say(store.url)
    await store.run()


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), Guard(sys.argv[2])))
