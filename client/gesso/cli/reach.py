"""The way to a coordinator, with an early word when there is none."""

from __future__ import annotations

import logging
from collections.abc import Generator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import grpc

from gesso.app import App
from gesso.cli.exits import CommandError, Exit
from gesso.connection.channel import open_channel
from gesso.errors import (
    CoordinatorFault,
    NotFound,
    ResourceExhausted,
    ServiceError,
    TimeoutError,  # noqa: A004 - Celery's name
    Unavailable,
)
from gesso.failure import failure_of

__all__ = ["reached"]

_LIMIT = timedelta(seconds=3)
"""How long a coordinator may take to be there. One that is being restarted has that long."""
_HEALTH = "/grpc.health.v1.Health/Check"
"""What is called, rather than asking gRPC for the state of the connection: that takes a thread, which goes on for a
while and may crash a process that ends meanwhile."""
_NOBODY = (grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.UNAVAILABLE)


@contextmanager
def reached(address: str) -> Generator[App]:
    """Lend an app for the coordinators at `address`, and tell what they refuse as a `CommandError`."""
    # Attempts that failed are for a log, and a command has none.
    logging.getLogger("gesso").addHandler(logging.NullHandler())
    try:
        _await(address)
        with App("gesso", address) as app:
            yield app
    except (ServiceError, TimeoutError) as error:
        if failure_of(error) is not None:  # a task's, not the coordinator's
            raise
        raise CommandError(_sentence(error, address), _code(error)) from error


def _await(address: str) -> None:
    try:
        channel = open_channel(address)
    except ValueError as error:
        raise CommandError(str(error)) from error
    try:
        # Bytes, as the stubs for health are the server's; all fields of the request have their defaults.
        check: Any = channel.unary_unary(_HEALTH)
        check(b"", timeout=_LIMIT.total_seconds(), wait_for_ready=True)
    except grpc.RpcError as error:
        if error.code() not in _NOBODY:
            return  # somebody answers
        raise CommandError(
            f"No coordinator answers at {address}: start one with `gesso dev` or `gesso server`, or say where it is "
            "with --address or GESSO_ADDRESS.",
            Exit.UNREACHABLE,
        ) from None
    finally:
        channel.close()


def _sentence(error: Exception, address: str) -> str:
    if isinstance(error, NotFound):
        return f"{error}: it was never submitted to {address}, or its result was removed."
    if isinstance(error, ServiceError) and len(error.violations) == 1:
        return str(error.args[0])  # it names the field, too
    return str(error)


def _code(error: Exception) -> Exit:
    match error:
        case TimeoutError():
            return Exit.TIMEOUT
        case Unavailable() | ResourceExhausted() | CoordinatorFault():
            return Exit.UNREACHABLE
        case _:
            return Exit.REFUSED
