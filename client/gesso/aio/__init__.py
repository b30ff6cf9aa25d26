"""Gesso for asyncio: the same tasks and canvases, sent and waited for with `await`.

from gesso import aio

result = await aio.delay(add, 2, 2)
value = await result.get(timeout=10)

result = await aio.apply_async(group(add.s(i, i) for i in range(10)), countdown=3)
async for member in result:
    print(await member)

Each event loop holds one stream to each address.
"""

from gesso.aio.eager import EagerGroupResult, EagerResult
from gesso.aio.group_result import GroupResult
from gesso.aio.result import AsyncResult
from gesso.aio.sending import (
    apply,
    apply_async,
    cancel,
    canvases,
    close,
    delay,
    retry,
    revoke,
    revoke_by_stamped_headers,
    send,
)
from gesso.aio.watching import watch, watch_canvases

__all__ = [  # noqa: RUF022 - by idea
    # Sending.
    "delay",
    "apply_async",
    "send",
    "apply",
    # Results.
    "AsyncResult",
    "GroupResult",
    "EagerResult",
    "EagerGroupResult",
    # Stopping what was sent, and running it again.
    "revoke",
    "revoke_by_stamped_headers",
    "cancel",
    "retry",
    # What was sent.
    "canvases",
    # The connection.
    "close",
    # Watching.
    "watch",
    "watch_canvases",
]
