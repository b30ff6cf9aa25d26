"""A coordinator as a process: prints its address, then its resident memory in KiB for each line it is sent."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from gesso_server.config import ServerConfig
from gesso_server.main import serving


def resident_kib() -> int:
    """Return how much memory this process has."""
    status = Path("/proc/self/status").read_text("utf-8")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:"))


async def main() -> None:
    """Serve until the standard input ends."""
    async with serving(ServerConfig(address="localhost:0", data=Path(sys.argv[1]))) as started:
        print(started.address, flush=True)  # noqa: T201  its only output
        while await asyncio.to_thread(sys.stdin.readline):
            print(resident_kib(), flush=True)  # noqa: T201  its only output


if __name__ == "__main__":
    asyncio.run(main())
