"""Gesso for asyncio: the same tasks and canvases, sent and waited for with `await`.

from gesso import aio

result = await aio.delay(add, 2, 2)
value = await result.get(timeout=10)

result = await aio.apply_async(group(add.s(i, i) for i in range(10)), countdown=3)
async for member in result:
    print(await member)

Each event loop holds one stream to each address.
"""

from gesso.aio.result import AsyncResult, GroupResult
from gesso.aio.sending import apply_async, close, delay, send

__all__ = [  # noqa: RUF022 - by idea
    # Sending.
    "delay",
    "apply_async",
    "send",
    # Results.
    "AsyncResult",
    "GroupResult",
    # The connection.
    "close",
]
