"""What every number depends on: the machine, how busy it was, and the versions."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path

from bench.processes import ROOT


def conditions() -> dict[str, str]:
    """Return what a number is measured under, by name. To be called before anything is started."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "machine": f"{cores} cores, {_processor()}, {platform.system()} {platform.release()}",
        "load before": ", ".join(f"{load:.1f}" for load in os.getloadavg()) + " (1, 5 and 15 min)",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "when": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": _commit(),
    }


def warning() -> str:
    """Return a sentence if the machine is so busy that figures mean little, else nothing."""
    cores = os.cpu_count() or 1
    if os.getloadavg()[0] < cores / 4:
        return ""
    return "The machine is busy with something else: these figures are not worth quoting."


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:  # not on macOS
        return platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _commit() -> str:
    try:
        done = subprocess.run(
            ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--exclude", "*"],  # noqa: S607
            capture_output=True, text=True, check=True,
        )  # fmt: skip
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return done.stdout.strip()
