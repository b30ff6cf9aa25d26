"""Gesso in the benchmark: `gesso dev` with a data directory of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bench.gesso_tasks import add, app

from gesso import group

_GESSO = [sys.executable, "-P", "-m", "gesso"]
_LIMIT_S = 300


class GessoSide:
    """Gesso, running."""

    name = "gesso"

    def __init__(self, processes: int, report: dict[str, Any]) -> None:
        self._processes = processes
        self._report = report

    def conditions(self) -> dict[str, str]:
        """Return how it runs, and on what store."""
        facts, latency = self._report["facts"], self._report["latency_ms"]
        fsync = f"appendonly {'yes' if facts['appendonly'] else 'no'}, appendfsync {facts['appendfsync']}"
        return {
            "gesso": f"{version('gesso')}, one coordinator, {self._processes} worker processes of one thread",
            "store": f"{facts['engine']} {facts['version']}, embedded, {fsync}",
            "store's p50": f"write {latency['write']['p50']:.2f} ms, its disk's fsync {latency['fsync']['p50']:.2f} ms",
        }

    def group(self, count: int) -> list[int]:
        """Run a group."""
        values: list[int] = (
            group([add.s(number, number) for number in range(count)]).delay().get(timeout=_LIMIT_S)
        )
        return values

    def call(self, x: int, y: int) -> int:
        """Run one task."""
        return add.delay(x, y).get(timeout=_LIMIT_S)


@contextmanager
def gesso_side(processes: int) -> Generator[GessoSide]:
    """Run Gesso."""
    with tempfile.TemporaryDirectory(prefix="gesso-bench-") as folder:
        data, log = f"{folder}/data", Path(folder, "log")
        options = [
            "--address",
            "localhost:0",
            "--data",
            data,
            "--processes",
            str(processes),
            "--output",
            "json",
        ]
        ready, told = os.pipe()
        with log.open("wb") as errors:
            system = subprocess.Popen(
                [*_GESSO, "dev", "-A", "gesso_tasks", *options], cwd=Path(__file__).parent, stdout=told, stderr=errors,
                process_group=0,  # Ctrl-C is ours
            )  # fmt: skip
        os.close(told)
        try:
            with os.fdopen(ready) as lines:
                line = lines.readline()
            if not line:
                raise RuntimeError(f"Gesso did not start:\n{log.read_text()}")
            os.environ["GESSO_ADDRESS"] = json.loads(line)["address"]
            with app:
                yield GessoSide(processes, _examined(data))
        finally:
            system.send_signal(signal.SIGINT)
            system.wait()


def _examined(data: str) -> dict[str, Any]:
    done = subprocess.run(
        [*_GESSO, "doctor", "--data", data, "-o", "json"], stdout=subprocess.PIPE, check=True
    )
    report: dict[str, Any] = json.loads(done.stdout)
    return report
