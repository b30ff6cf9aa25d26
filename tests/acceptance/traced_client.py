"""A program that sends one canvas of `acceptance.traced` within a span of its own, and prints what came of it.

python -m acceptance.traced_client CANVAS [again|coroutine]

With `again` what failed of it is run again then; with `coroutine` it is sent and waited for on an event loop.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from opentelemetry import baggage, trace
from opentelemetry import context as contexts

from acceptance.traced import CANVASES, app
from gesso import aio
from gesso.errors import TaskError
from gesso.result import Result
from gesso_telemetry.setup import set_up


def main() -> None:
    """Send a canvas within a span of the program's own, and wait for it."""
    set_up("client")
    given = baggage.set_baggage("tenant", "blue & green", baggage.set_baggage("password", "s3cret"))
    contexts.attach(baggage.set_baggage("region", "north", given))
    with trace.get_tracer("user").start_as_current_span("outer") as outer:
        if sys.argv[2:] == ["coroutine"]:
            result, value = asyncio.run(by_coroutine(sys.argv[1]))
        else:
            result = CANVASES[sys.argv[1]]().delay()
            print("sent", flush=True)  # noqa: T201 - to the test
            value = value_of(result)
    again = app.control.retry(result) if sys.argv[2:] == ["again"] else None
    context = outer.get_span_context()
    told = {
        "canvas_id": result.id.rpartition("-")[0],
        "trace_id": f"{context.trace_id:032x}",
        "outer": f"{context.span_id:016x}",
        "value": value,
        "again": again.id.rpartition("-")[0] if again else "",
        "again_value": value_of(again) if again else None,
    }
    print(f"told {json.dumps(told)}", flush=True)  # noqa: T201


async def by_coroutine(name: str) -> tuple[Any, object]:
    """Send a canvas and wait for it; return the result and its value."""
    result = await aio.apply_async(CANVASES[name]())
    value = await result.get(timeout=30)
    await aio.close(app)
    return result, value


def value_of(result: Result[Any]) -> object:
    """Return the value, or the name of the error."""
    try:
        return result.get(timeout=30)
    except (TaskError, ValueError) as error:
        return type(error).__name__


if __name__ == "__main__":
    main()
