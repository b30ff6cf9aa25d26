"""How an attempt ends that ran longer than its time limit, whoever ends it: its worker's parent or a sweep.

It fails for good, whatever its retry policy says, as in Celery: what had to be killed once would most likely have to be
killed again. A sweep, which knows no policies, may therefore end it alone.
"""

from __future__ import annotations

from typing import Final

from gesso.v1 import worker_service_pb2 as pb
from gesso.v1.task_error_pb2 import TaskError
from gesso_server.ids import CanvasId, partition_of
from gesso_server.store.calls import Exchanged, Frame, Hello, Reported, SessionId
from gesso_server.store.partition import Partition

TIME_LIMIT: Final = "gesso.TimeLimitExceeded"
"""The type of its error."""
OVERRAN = pb.Outcome(
    error=TaskError(type=TIME_LIMIT, message="The task ran longer than its time limit.")
).SerializeToString()
"""The outcome."""


async def end_overran(partition: Partition, hello: Hello) -> list[tuple[Frame, Exchanged]]:
    """End what dead processes were killed for, before their sessions go; return what was said and answered.

    Repeating it changes nothing.
    """
    said = []
    for session, tokens in hello.overran:
        ours = [token for token in tokens if partition_of(CanvasId(token.canvas_id)) == partition.number]
        if ours:
            frame = Frame(reported=[Reported(token, "e", OVERRAN, error=TIME_LIMIT) for token in ours])
            # No session has epoch 0, so the call only applies the reports.
            dead = SessionId(session=session, epoch=0)
            said.append((frame, await partition.exchange(dead, 0, frame, want=0, others_idle=False)))
    return said
