"""OperationsService: limits of rate and concurrency."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import timedelta

from gesso.v1 import limit_pb2
from gesso.v1 import operations_service_pb2 as pb
from gesso_server.dispatch.coordinator import Coordinator
from gesso_server.rpc.canvases import NAMESPACE
from gesso_server.rpc.elements import milliseconds
from gesso_server.rpc.refusal import Refusal, invalid
from gesso_server.rpc.service import Context
from gesso_server.store.limits import Limit

_KEY = re.compile(r"[^\x00-\x1f\x7f-\x9f]+")
_KEY_BYTES = 256
_MOST = 1_000_000
_LONGEST_MS = timedelta(hours=24) // timedelta(milliseconds=1)
_DEFAULT_PERIOD_MS = 1000


class Limits:
    """Serves what OperationsService has on limits."""

    def __init__(self, coordinator: Coordinator) -> None:
        self._limiter = coordinator.limiter

    async def set_limit(self, request: pb.SetLimitRequest, _context: Context) -> pb.SetLimitResponse:
        """Serve OperationsService.SetLimit."""
        await self._limiter.set(NAMESPACE, request.key, _limit(request, declared=False))
        return pb.SetLimitResponse()

    async def list_limits(self, _request: pb.ListLimitsRequest, _context: Context) -> pb.ListLimitsResponse:
        """Serve OperationsService.ListLimits."""
        response = pb.ListLimitsResponse()
        uses = await self._limiter.uses(NAMESPACE)
        for key, limit in sorted((await self._limiter.limits(NAMESPACE)).items()):
            message = response.limits.add(
                key=key, rate_count=limit.count, concurrency_count=limit.concurrency, declared=limit.declared
            )
            if key in uses:
                message.held_count, message.waiting_count = uses[key].held, uses[key].waiting
            if limit.count:
                message.rate_period.FromMilliseconds(limit.period_ms)
        return response


def declared_limits(messages: Iterable[limit_pb2.Limit]) -> dict[str, Limit]:
    """Check and convert the limits that a worker's tasks declare, by key.

    Raises:
        Refusal: If something in one is wrong.
    """
    found = {}
    for position, message in enumerate(messages):
        try:
            limit = _limit(message, declared=True)
        except Refusal as refusal:
            raise refusal.within(f"hello.limits[{position}]") from None
        if limit.count or limit.concurrency:
            found[message.key] = limit
    return found


def _limit(message: pb.SetLimitRequest | limit_pb2.Limit, *, declared: bool) -> Limit:
    if not _KEY.fullmatch(message.key) or len(message.key.encode()) > _KEY_BYTES:
        text = f"a limit's key has 1 to {_KEY_BYTES} bytes and no control characters"
        raise invalid("BAD_LIMIT_KEY", text, "key")
    for field in ("rate_count", "concurrency_count"):
        if not 0 <= getattr(message, field) <= _MOST:
            raise invalid("OUT_OF_RANGE", f"from 0 to {_MOST}", field)
    period = _DEFAULT_PERIOD_MS
    if message.HasField("rate_period"):
        period = milliseconds(message.rate_period, "rate_period")
        if not 1 <= period <= _LONGEST_MS:
            raise invalid("BAD_DURATION", "a rate's period lies between 1 ms and 24 h", "rate_period")
    return Limit(
        count=message.rate_count, period_ms=period if message.rate_count else _DEFAULT_PERIOD_MS,
        concurrency=message.concurrency_count, declared=declared,
    )  # fmt: skip
