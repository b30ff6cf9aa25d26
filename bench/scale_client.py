"""The client of the benchmark of scale: it submits one canvas by a generator, and waits for it.

    python -m bench.scale_client

An order is a line of JSON: `{"do": "idle"}` connects; `{"do": "submit", "kind": "chord", "size": 1000000, ...}` returns
when everything was accepted; `{"do": "wait"}` when it has ended, and says when that was by the store's clock;
`{"do": "read"}` takes the value. Each answer has the seconds that it took.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterable, Iterator
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from bench.systems.gesso_tasks import add, app, called, echo, noop
from gesso import chord, group
from gesso.canvas import Canvas, wire
from gesso.deadline import Deadline
from gesso.v1 import coordinator_service_pb2 as pb
from gesso.v1 import node_pb2

SIGNATURE_BYTES = 150
"""What a member's signature takes on the wire and in the store, in every kind but `echo`."""
_LIMIT_S = 7200
"""The benchmark itself gives up earlier."""


class ScaleClient:
    """One canvas, from its submission to its value."""

    def __init__(self) -> None:
        self._result: Any = None
        self._size = 0
        self._kind = ""

    def idle(self) -> dict[str, Any]:
        """Run one task, so that everything that any canvas needs is there."""
        add.delay(1, 1).get(timeout=60)
        return {"signature_bytes": wire.encode(noop.s(_padding())).signature.ByteSize()}

    def submit(self, kind: str, size: int, queue: str, payload: int) -> dict[str, Any]:
        """Submit a group or a chord of so many members.

        Args:
            kind: `group`, `chord`, `list`: a group that is not streamed, or `echo`: one whose members take and return
                `payload` bytes.
            size: How many members.
            queue: Where they wait.
            payload: Bytes, for `echo`.
        """
        self._kind, self._size = kind, size
        members: Iterable[Canvas] = _members(kind, size, payload)
        if kind == "list":
            members = list(members)
        canvas: Canvas = chord(members, called.s()) if kind == "chord" else group(members)
        self._result = canvas.apply_async(queue=queue)
        return {}

    def wait(self) -> dict[str, Any]:
        """Wait for its end without reading its value."""
        answer = app.coordinator.ended(self._result.id, None, Deadline(_LIMIT_S))
        if answer.state != node_pb2.Node.STATE_SUCCEEDED:
            raise RuntimeError(f"it ended as {node_pb2.Node.State.Name(answer.state)}")
        if self._kind != "chord":
            return {}
        join, body = _node(self._result.parent.id), _node(self._result.id)
        count, called_at = self._result.get(timeout=_LIMIT_S)
        if count != self._size:
            raise RuntimeError(f"the body was given {count} values of {self._size}")
        ended_at = _instant(join.finish_time)
        return {"handover_s": _instant(body.start_time) - ended_at, "call_s": called_at - ended_at}

    def read(self) -> dict[str, Any]:
        """Take its value and check it."""
        values = self._result.get(timeout=_LIMIT_S)
        if self._kind != "chord" and len(values) != self._size:
            raise RuntimeError(f"there are {len(values)} values of {self._size}")
        return {}


def main() -> None:
    """Answer orders until there are no more."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    client = ScaleClient()
    for line in sys.stdin:
        order = json.loads(line)
        answers.write(json.dumps(_answer(client, order)) + "\n")
        answers.flush()


def _answer(client: ScaleClient, order: dict[str, Any]) -> dict[str, Any]:
    begin = time.perf_counter()
    work = getattr(client, order.pop("do"))
    try:
        answer: dict[str, Any] = work(**order)
    except Exception as error:  # noqa: BLE001 - whatever was raised stands in the table
        return {"error": f"{type(error).__name__}: {error}"[:300]}
    return answer | {"seconds": time.perf_counter() - begin}


def _members(kind: str, size: int, payload: int) -> Iterator[Canvas]:
    if kind == "echo":
        data = "x" * payload
        return (echo.s(data) for _ in range(size))
    padding = _padding()
    return (noop.s(padding) for _ in range(size))


def _padding() -> str:
    """Return the argument with which a signature of `noop` takes `SIGNATURE_BYTES`."""
    padding = ""
    while wire.encode(noop.s(padding)).signature.ByteSize() < SIGNATURE_BYTES:
        padding += "x"
    return padding


def _node(node_id: str) -> node_pb2.Node:
    return app.coordinator.get_node(pb.GetNodeRequest(node_id=node_id)).node


def _instant(at: Timestamp) -> float:
    return at.seconds + at.nanos / 1e9


if __name__ == "__main__":
    main()
