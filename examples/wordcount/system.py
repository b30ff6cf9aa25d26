"""Starts `gesso dev` for as long as it is needed, on a free port and with a data directory of its own."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def running_system(module, processes):
    """Run a coordinator, its store and workers for the tasks of a module; yield the address."""
    with tempfile.TemporaryDirectory(prefix="gesso-demo-") as folder:
        log = Path(folder, "log")
        ready, told = os.pipe()
        options = ["--address", "localhost:0", "--data", f"{folder}/data", "--processes", str(processes)]
        with log.open("wb") as errors:
            system = subprocess.Popen(
                [sys.executable, "-P", "-m", "gesso", "dev", "-A", module, *options, "--output", "json"],
                cwd=Path(__file__).parent, stdout=told, stderr=errors, process_group=0,  # Ctrl-C is ours
            )  # fmt: skip
        os.close(told)
        try:
            with os.fdopen(ready) as lines:
                line = lines.readline()
            if not line:
                sys.exit(f"The system did not start:\n{log.read_text()}")
            yield json.loads(line)["address"]
        finally:
            system.send_signal(signal.SIGINT)
            system.wait()
