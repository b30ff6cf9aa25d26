"""Tasks that run too long, in every way in which one can, and that tell what becomes of them."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from typing import Any

from acceptance.tasks import write
from gesso import App, Signature, SoftTimeLimitExceeded, Task, signals, signature
from gesso.errors import Ignore

app = App("limited")


@app.task
def spin(ledger: str) -> None:
    """Never end, and never wait."""
    write(ledger, "spin")
    while True:
        pass


@app.task
def block(ledger: str) -> None:
    """Never end, in a call that nothing in Python interrupts."""
    write(ledger, "block")
    time.sleep(3600)


@app.task
async def hog(ledger: str) -> None:
    """Never end, and never let the event loop go on."""
    write(ledger, "hog")
    time.sleep(3600)  # noqa: ASYNC251 - that is the point


@app.task
def clean_up(ledger: str) -> str:
    """Run until told that it is enough."""
    write(ledger, "clean_up")
    try:
        while True:
            pass
    except SoftTimeLimitExceeded:
        return "cleaned"


@app.task
async def clean_up_soon(ledger: str) -> str:
    """As `clean_up`, on the event loop."""
    write(ledger, "clean_up_soon")
    try:
        await asyncio.Event().wait()
    except SoftTimeLimitExceeded:
        await asyncio.sleep(0)
    return "cleaned"


@app.task
def hold(gate: str, ledger: str) -> int:
    """Wait for the named pipe, and return where it ran."""
    write(ledger, "hold")
    Path(gate).read_text()
    return os.getpid()


@app.task(bind=True)
def watch_for_end(self: Task[..., Any], ledger: str) -> None:
    """Run until nobody wants the result."""
    write(ledger, "watching")
    while not self.is_aborted():
        time.sleep(0.01)
    write(ledger, "aborted")


@app.task
async def wait_for_end(ledger: str) -> None:
    """Wait until it is cancelled."""
    write(ledger, "watching")
    try:
        await asyncio.Event().wait()
    finally:
        write(ledger, "aborted")


@app.task
def where() -> int:
    """Return the id of the process."""
    return os.getpid()


@app.task
def grow(mebibytes: int) -> int:
    """Take memory, and return the id of the process."""
    return os.getpid() + 0 * len(b"x" * (mebibytes << 20))


@app.task(bind=True)
def bake(self: Task[..., Any], gate: str) -> str:
    """Say how far it is, and wait for the named pipe."""
    self.update_state(state="MIXING", meta={"done": 0})
    self.update_state(state="BAKING", meta={"done": 50})
    Path(gate).read_text()
    return "bread"


@app.task(bind=True)
def burn(self: Task[..., Any]) -> None:
    """Leave a state behind."""
    self.update_state(state="BURNT", meta="black")
    raise Ignore


class Teller(Task[..., Any]):
    """Tells a ledger, the first argument, what becomes of each attempt."""

    def before_start(self, task_id: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:  # noqa: ARG002 - as declared
        """Tell."""
        write(args[0], "hook:before_start")

    def on_success(self, retval: Any, task_id: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:  # noqa: ARG002
        """Tell."""
        write(args[0], f"hook:on_success:{retval}")

    def on_failure(self, exc: BaseException, task_id: str, args: Any, kwargs: Any, einfo: Any) -> None:  # noqa: ARG002
        """Tell, and fail."""
        write(args[0], f"hook:on_failure:{type(exc).__name__}:{einfo.type.__name__}")
        raise RuntimeError

    def on_retry(self, exc: BaseException, task_id: str, args: Any, kwargs: Any, einfo: Any) -> None:  # noqa: ARG002
        """Tell."""
        write(args[0], f"hook:on_retry:{type(exc).__name__}")

    def after_return(
        self,
        status: str,
        retval: Any,  # noqa: ARG002
        task_id: str,  # noqa: ARG002
        args: Any,
        kwargs: Any,  # noqa: ARG002
        einfo: Any,  # noqa: ARG002
    ) -> None:
        """Tell."""
        write(args[0], f"hook:after_return:{status}")


@app.task(base=Teller)
def told(ledger: str, number: int) -> float:  # noqa: ARG001 - the hooks' own
    """Return one by the number."""
    return 1 / number


@app.task(base=Teller, bind=True)
def told_again(self: Task[..., Any], ledger: str) -> None:  # noqa: ARG001
    """Ask to be run again."""
    raise self.retry(exc=KeyError("x"), countdown=0, max_retries=1)


@signals.task_prerun.connect(sender="acceptance.limited_tasks.told")
def _prerun(task_id: str, args: Any, **_more: Any) -> None:
    write(args[0], f"signal:prerun:{bool(task_id)}")


@signals.task_postrun.connect(sender=told)
def _postrun(args: Any, state: str, **_more: Any) -> None:
    write(args[0], f"signal:postrun:{state}")
    raise RuntimeError


@signals.task_failure.connect
def _failure(sender: Any, exception: BaseException, args: Any, **_more: Any) -> None:
    write(args[0], f"signal:failure:{sender.name.rpartition('.')[2]}:{type(exception).__name__}")


def _in_life(signal: signals.Signal) -> None:
    def tell(**_more: Any) -> None:
        write(os.environ["LIFE"], signal.name)

    if "LIFE" in os.environ:
        signal.connect(tell, weak=False)


for _each in (
    signals.worker_init, signals.worker_process_init, signals.worker_ready, signals.worker_shutting_down,
    signals.worker_process_shutdown, signals.worker_shutdown,
):  # fmt: skip
    _in_life(_each)


def call(name: str, *args: Any, **options: Any) -> Signature[Any]:
    """Return a signature of a task of this project, to be sent by the current app."""
    made: Signature[Any] = signature(f"{__name__}.{name}", args=args, options=options)
    return made
