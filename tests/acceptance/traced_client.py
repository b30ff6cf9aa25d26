"""A program that sends one canvas of `acceptance.traced` within a span of its own, and prints what came of it.

python -m acceptance.traced_client CANVAS
"""

from __future__ import annotations

import json
import sys

from opentelemetry import trace

from acceptance.traced import CANVASES
from gesso.errors import TaskError
from gesso_telemetry.setup import set_up


def main() -> None:
    """Send a canvas within a span of the program's own, and wait for it."""
    set_up("client")
    with trace.get_tracer("user").start_as_current_span("outer") as outer:
        result = CANVASES[sys.argv[1]]().delay()
        print("sent", flush=True)  # noqa: T201 - to the test
        try:
            value = result.get(timeout=30)
        except (TaskError, ValueError) as error:
            value = type(error).__name__
    context = outer.get_span_context()
    told = {
        "canvas_id": result.id.rpartition("-")[0],
        "trace_id": f"{context.trace_id:032x}",
        "outer": f"{context.span_id:016x}",
        "value": value,
    }
    print(f"told {json.dumps(told)}", flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
