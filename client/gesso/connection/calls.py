"""The calls of one conversation: which wait for their turn, which are under way, what answers them.

Bookkeeping only: no thread, no stream, no clock. The synchronous and the asyncio conversation both keep
theirs here; one of them at a time may use it (but for `Calls.drop`, see there). The rules:

- A call is *queued* until `frame` takes it, then *under way* until its last reply. At most so many of a
  kind are under way that all together stay below the contract's 1,000.
- What answers a call goes into its promise, as the reply it is: a response or a `CallError`.
- A submission that waits has two replies. After the first it is a wait like any other. The table
  holds the promise of an end weakly: when nobody is left to ask for it, the wait is stopped.
- `restart` queues again whatever is not answered, for a new stream. A submission keeps its request id,
  so that the coordinator recognizes it.
"""

from __future__ import annotations

import weakref
from collections import OrderedDict, deque
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from gesso.v1 import coordinator_service_pb2 as pb

__all__ = ["Calls", "Promise", "Settled"]

SUBMIT_LIMIT = 200
"""How many submissions are under way at one time."""
WAIT_LIMIT = 500
"""How many waits that were asked for are under way at one time; the others wait for their turn."""
AWAITED_LIMIT = 250
"""How many ends of submissions are waited for without having been asked for."""
FRAME_BYTES = 1 << 20
"""How much is put into one frame, unless one call is larger."""

Call: TypeAlias = pb.ConverseRequest.Call


class Promise(Protocol):
    """Where an answer goes: `Arrival` and `asyncio.Future` both are one."""

    def done(self) -> bool:
        """Return whether it has been given, or is not wanted any more."""
        ...

    def set_result(self, result: Any, /) -> None:
        """Give it."""
        ...


Settled: TypeAlias = list[tuple[Promise, Any]]
"""Promises and what goes into them, once no lock is held."""


@dataclass(slots=True)
class _Submit:
    request: pb.SubmitCanvasRequest
    answer: Promise
    end: weakref.ref[Promise] | None
    sent: bool = False

    def write(self, out: Call) -> None:
        out.submit.CopyFrom(self.request)


@dataclass(slots=True)
class _Wait:
    node_id: str
    end: weakref.ref[Promise]
    asked: bool
    sent: bool = False

    def write(self, out: Call) -> None:
        out.wait.node_id = self.node_id


class Calls:
    """The calls of one conversation."""

    def __init__(self) -> None:
        self._next_id = 0
        self._calls: dict[int, _Submit | _Wait] = {}
        self._submits: OrderedDict[int, None] = OrderedDict()  # queued
        self._waits: OrderedDict[int, None] = OrderedDict()  # queued
        self._stops: deque[int] = deque()  # waits to stop
        self._notes: deque[tuple[int, bool]] = deque()  # calls dropped, and whether only their end is
        self._submits_sent = 0
        self._waits_sent = 0
        self._awaited = 0

    def __len__(self) -> int:
        """Return how many calls are not answered."""
        self._sweep()
        return len(self._calls)

    @property
    def queued(self) -> bool:
        """Whether a call waits for its turn, or something is to be stopped."""
        return bool(self._submits or self._waits or self._stops)

    def submit(self, request: pb.SubmitCanvasRequest, answer: Promise, end: Promise | None = None) -> int:
        """Queue a submission.

        Args:
            request: Has a request id. Its `wait` is set here.
            answer: Takes the `SubmitCanvasResponse`.
            end: Takes the `WaitNodeResponse` of the last node. It is left alone when too many are waited
                for already.

        Returns:
            The call's number, for `drop`.
        """
        self._sweep()
        call_id = self._number()
        awaited = end is not None and self._awaited < AWAITED_LIMIT
        request.wait = awaited
        reference = self._reference(call_id, end) if end is not None and awaited else None
        self._awaited += awaited
        self._calls[call_id] = _Submit(request, answer, reference)
        self._submits[call_id] = None
        return call_id

    def wait(self, node_id: str, end: Promise) -> int:
        """Queue a wait for a node's end, a `WaitNodeResponse`, and return its number."""
        self._sweep()
        call_id = self._number()
        self._queue_wait(call_id, node_id, self._reference(call_id, end))
        return call_id

    def drop(self, call_id: int) -> None:
        """Forget a call whose answer nobody wants. Safe from any thread, and from destructors."""
        self._notes.append((call_id, False))

    def frame(self) -> pb.ConverseRequest | None:
        """Return the next message to send; None when nothing may be sent now."""
        self._sweep()
        if not self.queued:
            return None
        frame = pb.ConverseRequest()
        calls = frame.calls
        while self._stops:
            calls.add(call_id=self._stops.popleft()).stop.SetInParent()
        size = 0
        while size < FRAME_BYTES and (call_id := self._turn()) is not None:
            message = calls.add(call_id=call_id)
            self._calls[call_id].write(message)
            size += message.ByteSize()
        return frame if calls else None

    def apply(self, response: pb.ConverseResponse) -> Settled:
        """Take the replies in, and return what they settle. Replies to calls unknown are passed over."""
        settled: Settled = []
        for reply in response.replies:
            call = self._calls.get(reply.call_id)
            if isinstance(call, _Submit):
                self._answer(reply, call, settled)
            elif call is not None:
                self._end(reply, call, settled)
        return settled

    def restart(self) -> None:
        """Queue everything that is not answered again, for a stream that has just been opened."""
        self._sweep()
        self._stops.clear()
        self._submits.clear()
        self._waits.clear()
        self._submits_sent = self._waits_sent = 0
        for call_id, call in tuple(self._calls.items()):
            if isinstance(call, _Submit):
                call.sent = False
                self._submits[call_id] = None
            else:
                self._awaited -= not call.asked
                self._queue_wait(call_id, call.node_id, call.end)

    def fail(self, error: pb.CallError) -> Settled:
        """Settle everything that is not answered with `error`."""
        settled: Settled = []
        for call_id in tuple(self._calls):
            call = self._remove(call_id)
            promise = call.answer if isinstance(call, _Submit) else call.end()
            if promise is not None:
                settled.append((promise, error))
        return settled

    # --- inside ----------------------------------------------------------------------------

    def _number(self) -> int:
        self._next_id += 1
        return self._next_id

    def _reference(self, call_id: int, end: Promise) -> weakref.ref[Promise]:
        # The destructor may run in the middle of anything, so it only leaves a note.
        notes = self._notes
        return weakref.ref(end, lambda _: notes.append((call_id, True)))

    def _queue_wait(self, call_id: int, node_id: str, end: weakref.ref[Promise]) -> None:
        self._calls[call_id] = _Wait(node_id, end, asked=True)
        self._waits[call_id] = None

    def _sweep(self) -> None:
        """Take out what was dropped, and stop what was sent of it."""
        while self._notes:
            call_id, only_end = self._notes.popleft()
            call = self._calls.get(call_id)
            if call is None or (only_end and isinstance(call, _Submit)):
                continue  # a submission is answered all the same, and then looked at again
            self._remove(call_id)
            if call.sent:
                self._stops.append(call_id)

    def _turn(self) -> int | None:
        """Return the next call to send and note that it is."""
        if self._submits and self._submits_sent < SUBMIT_LIMIT:
            call_id, _ = self._submits.popitem(last=False)
            self._submits_sent += 1
        elif self._waits and self._waits_sent < WAIT_LIMIT:
            call_id, _ = self._waits.popitem(last=False)
            self._waits_sent += 1
        else:
            return None
        self._calls[call_id].sent = True
        return call_id

    def _remove(self, call_id: int) -> _Submit | _Wait:
        call = self._calls.pop(call_id)
        match call:
            case _Submit():
                self._submits_sent -= call.sent
                self._awaited -= call.end is not None
                self._submits.pop(call_id, None)
            case _Wait():
                self._waits_sent -= call.sent and call.asked
                self._awaited -= not call.asked
                self._waits.pop(call_id, None)
        return call

    def _answer(self, reply: pb.ConverseResponse.Reply, call: _Submit, settled: Settled) -> None:
        self._remove(reply.call_id)
        match reply.WhichOneof("result"):
            case "submitted":
                submitted = reply.submitted
                settled.append((call.answer, submitted))
                self._await(reply.call_id, submitted, call)
            case "error":
                settled.append((call.answer, reply.error))
            case _:
                settled.append((call.answer, _unknown_reply()))

    def _await(self, call_id: int, submitted: pb.SubmitCanvasResponse, call: _Submit) -> None:
        """Make a wait of a submission whose second reply is to come."""
        if call.end is None or call.end() is None or not submitted.HasField("last"):
            if call.end is not None and call.sent:
                self._stops.append(call_id)
            return
        node_id = submitted.last.node_id
        if not call.sent:  # the answer came over the stream before, and this one does not know of it
            self._queue_wait(call_id, node_id, call.end)
            return
        self._calls[call_id] = _Wait(node_id, call.end, asked=False, sent=True)
        self._awaited += 1

    def _end(self, reply: pb.ConverseResponse.Reply, call: _Wait, settled: Settled) -> None:
        result = reply.WhichOneof("result")
        if result == "submitted":
            return  # the first reply once more, from the stream before
        self._remove(reply.call_id)
        promise = call.end()
        if promise is None:
            return
        match result:
            case "ended":
                settled.append((promise, reply.ended))
            case "error":
                settled.append((promise, reply.error))
            case _:
                settled.append((promise, _unknown_reply()))


def _unknown_reply() -> pb.CallError:
    return pb.CallError(message="The coordinator sent a reply that this version does not know.")
