"""The client process of a system: it does each workload it is told to, a line of JSON, and answers with one.

    python -m bench.driver gesso

Runs in the system's own environment. An order is `{"workload": "group", "size": 10000}`; its answer is
`{"seconds": [1.2]}` or `{"error": "..."}`, that to `{"workload": "versions"}` is `{"versions": {...}}`.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import sys
from collections.abc import Mapping
from typing import Any, TextIO

from bench.workloads import Work, work_of


def main() -> None:
    """Answer orders until there are no more."""
    answers = _own_output()
    module = importlib.import_module(
        f"bench.systems.{sys.argv[1]}_side"
    )  # the only one whose library is here
    side = module.side()
    work: Mapping[str, Work] = side.work() if hasattr(side, "work") else work_of(side)
    for line in sys.stdin:
        order = json.loads(line)
        answers.write(json.dumps(_answer(side, work, order)) + "\n")
        answers.flush()


def _answer(side: Any, work: Mapping[str, Work], order: Mapping[str, Any]) -> dict[str, object]:  # noqa: ANN401
    if order["workload"] == "versions":
        return {"versions": side.versions()}
    gc.collect()  # of what the last workload left, in nobody's time
    try:
        return {"seconds": work[order["workload"]](order["size"])}
    except Exception as error:  # noqa: BLE001 - whatever a system raises stands in its column
        return {"error": f"{type(error).__name__}: {error}"[:300]}


def _own_output() -> TextIO:
    """Return the standard output, for answers alone: what a library prints goes to the log."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return answers


if __name__ == "__main__":
    main()
