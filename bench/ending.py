"""How a benchmark ends: with a file of data and a picture in `bench/results`, or by a signal."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from types import FrameType

from bench.processes import ROOT

_ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_FOLDER = ROOT / "bench" / "results"


def publish(name: str, data: dict[str, object], picture: str | None, *, quick: bool) -> list[Path]:
    """Write both, the picture if there is one, and return where; a quick run leaves those of a whole one alone."""
    _FOLDER.mkdir(parents=True, exist_ok=True)
    stem = f"{name}-quick" if quick else name
    files = {_FOLDER / f"{stem}.json": json.dumps(data, indent=1) + "\n"}
    if picture is not None:
        files[_FOLDER / f"{stem}.svg"] = picture
    for path, text in files.items():
        path.write_text(text)
    return [path.relative_to(ROOT) for path in files]


def end_on_signals() -> None:
    """Have Ctrl-C, or a request to end, raise KeyboardInterrupt once; another one does not disturb the ending."""
    for number in _ENDS:
        signal.signal(number, _end)


def _end(_number: int, _frame: FrameType | None) -> None:
    for number in _ENDS:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt
