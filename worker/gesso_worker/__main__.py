"""The parent as a process: `python -P -m gesso_worker CONFIG`, where CONFIG is `WorkerConfig.to_json()`."""

from __future__ import annotations

import sys

from gesso_telemetry.logs import LogLevel, log_to_stderr
from gesso_worker.config import WorkerConfig
from gesso_worker.parent import Obstacle, run


def main() -> int | str:
    """Run a worker and return what to exit with: 0 after a drain, else 1 or a sentence that means it."""
    config = WorkerConfig.from_json(sys.argv[1])
    log_to_stderr(LogLevel.INFO, config.log_format)
    try:
        return 0 if run(config) else 1
    except Obstacle as obstacle:
        return f"gesso worker: {obstacle}"


if __name__ == "__main__":
    sys.exit(main())
