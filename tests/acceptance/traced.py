"""A project whose canvases are traced, and a program that sends one of them and prints what it waited for.

python -m acceptance.traced CANVAS
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from opentelemetry import baggage, trace

from gesso import App, Canvas, Task, chain, chord, group
from gesso.growing import AHEAD_TIME
from gesso.log import get_task_logger

app = App("traced")


@app.task
def add(x: int, y: int) -> int:
    """Add two numbers."""
    return x + y


@app.task
def total(values: list[int]) -> int:
    """Add up."""
    return sum(values)


@app.task(bind=True)
def flaky(self: Task[..., Any], _value: int) -> int:
    """Fail at first."""
    if self.request.retries == 0:
        raise self.retry(exc=ValueError("not yet"), countdown=0)
    return 1


@app.task
def boom(secret: str) -> None:
    """Fail, and keep a secret."""
    del secret
    raise ValueError("boom")


@app.task
def mourn(_request: object, _error: object, _traceback: object) -> str:
    """Be an error link."""
    return "sorry"


@app.task(bind=True)
def become(self: Task[..., Any], x: int) -> None:
    """Be replaced by a chain."""
    raise self.replace(chain(add.s(x, 1), add.s(1)))


@app.task
def nest() -> str:
    """Submit another canvas, within a span of the user's own."""
    with trace.get_tracer("user").start_as_current_span("inner"):
        return str(chain(add.s(1, 1), add.s(1)).delay().id)


@app.task
async def nest_on_loop() -> str:
    """Submit another canvas from a coroutine."""
    return str(add.delay(1, 1).id)


@app.task(bind=True)
def mortal(self: Task[..., Any]) -> int:
    """Die with the whole process at the first attempt."""
    if self.request.attempt == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return self.request.attempt


@app.task(bind=True)
def grow(self: Task[..., Any], x: int) -> int:
    """Add two members to the chord that this is in, one of them a chain."""
    self.add_to_chord(add.s(x, 10))
    self.add_to_chord(chain(add.s(x, 20), add.s(1)))
    return x


@app.task
def once(mark: str) -> int:
    """Fail until the file `mark` is there, and make it."""
    path = Path(mark)
    if not path.exists():
        path.touch()
        raise ValueError(mark)
    return 5


@app.task
def hold(gate: str) -> None:
    """Wait until the named pipe `gate` is opened for writing."""
    Path(gate).read_text()


@app.task
def told() -> dict[str, object]:
    """Return the baggage that the task has."""
    return dict(baggage.get_all())


@app.task
def nest_told() -> str:
    """Submit another task, which has the same baggage."""
    return str(told.delay().id)


@app.task
def speak() -> None:
    """Write into the log."""
    get_task_logger(__name__).warning("a word")


def stamped(canvas: Canvas, **stamps: Any) -> Canvas:
    """Return the canvas, stamped."""
    canvas.stamp(**stamps)
    return canvas


def slowly(members: Iterable[Canvas]) -> Iterator[Canvas]:
    """Yield members after a while, so that the group is sent as a stream."""
    for at, member in enumerate(members):
        if at == 1:
            time.sleep(2 * AHEAD_TIME.total_seconds())
        yield member


CANVASES: dict[str, Callable[[], Canvas]] = {
    "chain": lambda: chain(add.s(1, 1), add.s(1), add.s(1)),
    "group": lambda: group(add.s(i, i) for i in range(3)),
    "chord in a chord": lambda: chord([chord([add.s(1, 1), add.s(2, 2)], total.s()), add.s(3, 3)], total.s()),
    "retry": lambda: flaky.s(1),
    "failure": lambda: chain(add.s(1, 1), boom.si("s3cret").on_error(mourn.s()), add.s(1)),
    "replace": lambda: chain(become.s(1), add.s(10)),
    "nested": nest.s,
    "nested on loop": nest_on_loop.s,
    "large": lambda: chain(group(add.s(i, i) for i in range(12)), total.s()),
    "mortal": mortal.s,
    "streamed": lambda: chain(add.s(1, 1), group(slowly(add.si(i, i) for i in range(60))), total.s()),
    "grown": lambda: chain(add.s(0, 1), chord([grow.s(), add.s(1)], total.s())),
    "replaced in a chord": lambda: chord([become.s(1), add.s(3, 3)], total.s()),
    "failing": lambda: chain(add.s(1, 1), chord([add.s(1), once.si("once")], total.s())),
    "held": lambda: chain(add.si(1, 1), hold.si("gate"), add.si(1, 1)),
    "baggage": lambda: chain(nest_told.s(), told.si()),
    "speak": speak.s,
    "stamped": lambda: stamped(add.s(1, 1), visible="yes", hidden="s3cret"),
}
