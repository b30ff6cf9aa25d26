"""The store's limit: its function `exchange` called in a bare loop, by one process, with nothing around it.

Each call completes the 64 tasks that the last one granted, and is granted 64 more, by the library that coordinators
use, on a real store. No stream, no worker, no client.
"""

from __future__ import annotations

import asyncio
import secrets
import time

from gesso_server.carried import Carried
from gesso_server.config import Durability, ServerConfig
from gesso_server.dispatch.coordinator import Coordinator
from gesso_server.dispatch.submission import Submission
from gesso_server.plan import Call, Group, Lane
from gesso_server.plan.tree import Element
from gesso_server.store.calls import Frame, Grant, Hello, Reported, SessionId, TokenRef
from gesso_server.store.partition import Partition
from gesso_server.store.store import Store

PER_CALL = 64
_NAMESPACE, _QUEUE, _TASK = "default", "limits", "bench.noop"
_BODY_BYTES = 150
_VALUE = b"\n\x04json\x12\x011"
_LEASE_MS = 600_000


def transitions(url: str, tasks: int) -> float:
    """Run a group by bare calls, and return the seconds that granting and completing its members took.

    Args:
        url: The store's address.
        tasks: Members of the group.
    """
    return asyncio.run(_transitions(url, tasks))


async def _transitions(url: str, tasks: int) -> float:
    store = Store(url, secrets.token_hex(8))
    await store.connect(None)
    try:
        coordinator = Coordinator(store, ServerConfig(), Durability.OS)
        await coordinator.submissions.submit(_submission(tasks))
        return await _drain(store.partitions[0], tasks)
    finally:
        await store.close()


async def _drain(partition: Partition, tasks: int) -> float:
    session = SessionId(session=secrets.token_hex(8), epoch=1)
    hello = Hello(
        id=session, namespace=_NAMESPACE, worker="limits", slots=1, queues=[_QUEUE], tasks=[_TASK], held=[],
        dead_sessions=[],
    )  # fmt: skip
    await partition.hello(hello, lease_ms=_LEASE_MS)
    frame, done, seq = Frame(), 0, 0
    begin = time.perf_counter()
    while done < tasks:
        seq += 1
        reply = await partition.exchange(session, seq, frame, want=PER_CALL, others_idle=False)
        if reply.status != "O" or reply.answers.strip("A"):
            raise RuntimeError(f"the store answered {reply.status} {reply.answers}")
        done += len(frame.reported)
        if not reply.grants and done < tasks:
            raise RuntimeError(f"the store granted nothing after {done} tasks")
        frame = Frame(reported=[Reported(_token(grant), "v", _VALUE) for grant in reply.grants])
    seconds = time.perf_counter() - begin
    await partition.leave(session, grace_ms=None)
    return seconds


def _token(grant: Grant) -> TokenRef:
    return TokenRef(grant.canvas_id, grant.index, grant.attempt, grant.nonce)


def _submission(tasks: int) -> Submission:
    lane = Lane(queue=_QUEUE, priority=4, task=_TASK, timed=False)
    members: tuple[Element, ...] = tuple(Call(lane=lane, body=bytes(_BODY_BYTES)) for _ in range(tasks))
    return Submission(
        namespace=_NAMESPACE, element=Group(members), request_id=secrets.token_hex(16), digest="00", traceparent="",
        carried=Carried(), watch=False,
    )  # fmt: skip
