"""A project whose tasks write down how each attempt ends, so that metrics can be held against it."""

from __future__ import annotations

import os
from typing import Any

from acceptance.tasks import write
from gesso import App, Task

app = App("metered")


@app.task
def good(ledger: str) -> None:
    """Succeed."""
    write(ledger, "succeeded")


@app.task
def bad(ledger: str) -> None:
    """Fail."""
    write(ledger, "failed:builtins.ValueError")
    raise ValueError("bad")


@app.task
def worse(ledger: str) -> None:
    """Fail in another way."""
    write(ledger, "failed:builtins.KeyError")
    raise KeyError("worse")


@app.task(bind=True)
def flaky(self: Task[..., Any], ledger: str, times: int, most: int) -> None:
    """Fail so many times, of which some may be followed by another attempt."""
    if self.request.retries == times:
        write(ledger, "succeeded")
        return
    write(ledger, "failed:builtins.OSError")
    if self.request.retries < most:
        write(ledger, "retry")
    raise self.retry(exc=OSError("flaky"), countdown=0, max_retries=most)


@app.task(bind=True)
def mortal(self: Task[..., Any], ledger: str) -> None:
    """Die with the whole process at the first attempt."""
    if self.request.attempt == 1:
        write(ledger, "lost")
        os._exit(7)
    write(ledger, "succeeded")
