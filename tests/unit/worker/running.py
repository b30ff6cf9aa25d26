"""Running one function as a task, with nothing around the runner."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from typing import Any

from gesso import App, codec
from gesso.v1.signature_pb2 import Signature, SignatureOptions
from gesso.v1.worker_service_pb2 import Assignment, Outcome, Token
from gesso_worker.errors import InputUnavailable
from gesso_worker.frames import token_value
from gesso_worker.job import Job
from gesso_worker.runner import Runner

TOKEN = Token(node_id=f"{'c' * 32}-7", attempt=2, nonce=11)
ABSENT = "lost"


class OneInput:
    """Inputs that are elsewhere: one is there, the other is not."""

    def read_from_thread(self, node_id: str, token: Token) -> Any:
        """Return the one."""
        assert token == TOKEN
        if node_id == ABSENT:
            raise InputUnavailable("it is not there")
        return f"value of {node_id}"

    async def read(self, node_id: str, token: Token) -> Any:
        """As `read_from_thread`."""
        return self.read_from_thread(node_id, token)


def run(function: Callable[..., Any], /, *args: Any, bind: bool = False, **fields: Any) -> Outcome:
    """Run `function` as a task with stored `args`, in a context of its own, on whichever side it belongs."""
    app = App("unit")
    if bind:
        app.task(name="unit.task", bind=True)(function)
    else:
        app.task(name="unit.task")(function)
    runner = Runner(app, "worker", OneInput())
    return run_with(runner, "unit.task", *args, **fields)


def run_with(runner: Runner, task: str, *args: Any, **fields: Any) -> Outcome:
    """Run a task of `runner`."""
    signature = Signature(task=task, args=codec.encode(list(args)))
    signature.kwargs.CopyFrom(codec.encode(fields.pop("kwargs", {})))
    signature.immutable = fields.pop("immutable", False)
    signature.options.CopyFrom(fields.pop("options", SignatureOptions()))
    assignment = Assignment(signature=signature, token=TOKEN, **fields)
    return run_job(runner, Job(assignment, token_value(TOKEN)))


def run_job(runner: Runner, job: Job) -> Outcome:
    """Run a job, on whichever side it belongs."""
    if runner.wants_loop(job.assignment):
        return asyncio.run(runner.run_on_loop(job))
    return contextvars.copy_context().run(runner.run, job)


def value(outcome: Outcome) -> Any:
    """Return the value that an outcome brings."""
    assert outcome.HasField("value"), outcome
    return codec.decode(outcome.value)


def gather(*args: Any, **kwargs: Any) -> list[Any]:
    """Return what it was called with."""
    return [*args, *kwargs.items()]


async def gather_soon(*args: Any, **kwargs: Any) -> list[Any]:
    """As `gather`."""
    return gather(*args, **kwargs)


VALUE: dict[str, Any] = {"value": codec.encode("before")}
