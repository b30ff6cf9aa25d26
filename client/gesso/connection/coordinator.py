"""What a process asks of a coordinator, with what is needed to get an answer: time limits, repeating."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Protocol, TypeVar

import grpc

from gesso.canvas.wire import OpenGroup
from gesso.connection.arrival import Arrival
from gesso.connection.backoff import backoff, jittered
from gesso.connection.conversation import Conversation
from gesso.connection.line import Line
from gesso.connection.refusals import from_call_error, from_rpc_error, repeatable
from gesso.connection.upload import Upload
from gesso.connection.watches import Watches
from gesso.deadline import Deadline, Timeout
from gesso.errors import GessoError, ResourceExhausted, TimeoutError, Unavailable  # noqa: A004 - Celery's name
from gesso.v1 import coordinator_service_pb2 as pb
from gesso.v1.coordinator_service_pb2_grpc import CoordinatorServiceStub
from gesso.v1.operations_service_pb2_grpc import OperationsServiceStub

__all__ = [
    "ATTEMPT_TIMEOUT",
    "CALL_TIMEOUT",
    "CONVERSE_BYTES",
    "Coordinator",
    "End",
    "pause_after",
    "trouble",
]

logger = logging.getLogger(__name__)

CALL_TIMEOUT = timedelta(seconds=30)
"""How long a call may take as a whole, repeating included, unless its caller says otherwise."""

ATTEMPT_TIMEOUT = timedelta(seconds=30)
"""How long one attempt of a call may take."""

CONVERSE_BYTES = 256 << 10
"""A larger submission goes by a call of its own, so that others do not wait behind it."""

_LEAVE_SECONDS = 1.0
"""How long a fork waits for calls of their own to end: while one is under way, gRPC cannot be forked."""

Q = TypeVar("Q")
R = TypeVar("R")
S = TypeVar("S")
Q_contra = TypeVar("Q_contra", contravariant=True)
R_co = TypeVar("R_co", covariant=True)
T = TypeVar("T")


class End(Arrival[pb.WaitNodeResponse | pb.CallError]):
    """Where the end of a node arrives. Whoever lets go of it stops the wait."""

    __slots__ = ()


class Answer(Arrival[pb.SubmitCanvasResponse | pb.CallError]):
    """Where the answer to a submission arrives."""

    __slots__ = ()


class Method(Protocol[Q_contra, R_co]):
    """A call of the service's, of one request and one response."""

    def __call__(self, request: Q_contra, /, *, timeout: float) -> R_co:
        """Make it."""
        ...


class Coordinator:
    """The coordinators at one address, for the threads of one process.

    Args:
        address: As `channel.target` takes it.
        opened: Called when a channel has been opened.
    """

    def __init__(self, address: str, opened: Callable[[], None]) -> None:
        self.address = address
        self._line = Line(address, opened)
        self._conversation = Conversation(self._line)
        self._watches = Watches(self._line)
        self._kept: set[End] = set()

    # --- submissions and ends ----------------------------------------------------------------

    def submit(
        self, request: pb.SubmitCanvasRequest, end: End | None = None, timeout: Timeout = CALL_TIMEOUT
    ) -> pb.SubmitCanvasResponse:
        """Submit a canvas, and return when it is accepted.

        Args:
            request: Has a request id, so that repeating it is harmless.
            end: Takes the end of the canvas's last node, when the submission is small and not too many
                ends are waited for already.

        Raises:
            GessoError: If it was refused, or nobody answered in time.
        """
        deadline = Deadline(timeout)
        if request.ByteSize() > CONVERSE_BYTES:
            return self._call(lambda stub: stub.SubmitCanvas, request, deadline)
        return self._repeated(lambda: self._submit(request, end, deadline), deadline)

    def stream(self, request: pb.SubmitCanvasRequest, groups: Sequence[OpenGroup]) -> pb.SubmitCanvasResponse:
        """Submit a canvas whose groups grow while they are read, and return when they have ended.

        Raises:
            GessoError: If it was refused, or the connection broke: it is then cancelled.
            Exception: What reading a group raises; the canvas is then cancelled.
        """
        return Upload(request, groups).send(self._line).submitted

    def wait(self, node_id: str) -> End:
        """Begin to wait for a node's end."""
        end = End()
        self._conversation.wait(node_id, end)
        return end

    def keep(self, end: End) -> End:
        """Hold on to a wait until it is over, whoever else lets go of it."""
        self._kept.add(end)
        end.when_done(lambda: self._kept.discard(end))
        return end

    def ended(self, node_id: str, end: End | None, deadline: Deadline) -> pb.WaitNodeResponse:
        """Return how a node ended, once it has.

        Args:
            end: A wait that is under way already.

        Raises:
            TimeoutError: If it did not in time.
            NotFound: If there is no such node.
            GessoError: If the coordinator refused to wait.
        """
        attempt = 0
        while True:
            awaited = end or self.wait(node_id)
            if not awaited.wait(deadline.left()):
                del awaited  # whoever keeps the error does not keep up the wait
                raise TimeoutError(f"{node_id} did not end in time.")
            answer = awaited.result()
            if isinstance(answer, pb.WaitNodeResponse):
                return answer
            attempt += 1
            error, end = from_call_error(answer), None
            pause = repeatable(error)
            if pause is None:
                raise error
            time.sleep(min(pause_after(pause, attempt), deadline.at_most(CALL_TIMEOUT)))

    # --- calls of their own ------------------------------------------------------------------

    def get_node(self, request: pb.GetNodeRequest, timeout: Timeout = CALL_TIMEOUT) -> pb.GetNodeResponse:
        """Return a node."""
        return self._call(lambda stub: stub.GetNode, request, Deadline(timeout))

    def list_nodes(
        self, request: pb.ListNodesRequest, timeout: Timeout = CALL_TIMEOUT
    ) -> pb.ListNodesResponse:
        """Return a page of nodes."""
        return self._call(lambda stub: stub.ListNodes, request, Deadline(timeout))

    def get_canvas(
        self, request: pb.GetCanvasRequest, timeout: Timeout = CALL_TIMEOUT
    ) -> pb.GetCanvasResponse:
        """Return how a canvas stands."""
        return self._call(lambda stub: stub.GetCanvas, request, Deadline(timeout))

    def list_canvases(
        self, request: pb.ListCanvasesRequest, timeout: Timeout = CALL_TIMEOUT
    ) -> pb.ListCanvasesResponse:
        """Return a page of canvases."""
        return self._call(lambda stub: stub.ListCanvases, request, Deadline(timeout))

    def cancel_canvas(
        self, request: pb.CancelCanvasRequest, timeout: Timeout = CALL_TIMEOUT
    ) -> pb.CancelCanvasResponse:
        """Cancel what has not ended of a canvas."""
        return self._call(lambda stub: stub.CancelCanvas, request, Deadline(timeout))

    def retry_canvas(
        self, request: pb.RetryCanvasRequest, timeout: Timeout = CALL_TIMEOUT
    ) -> pb.RetryCanvasResponse:
        """Run what failed of a canvas again."""
        return self._call(lambda stub: stub.RetryCanvas, request, Deadline(timeout))

    def revoke_nodes(
        self, request: pb.RevokeNodesRequest, timeout: Timeout = CALL_TIMEOUT
    ) -> pb.RevokeNodesResponse:
        """Cancel single nodes."""
        return self._call(lambda stub: stub.RevokeNodes, request, Deadline(timeout))

    def forget_node(
        self, request: pb.ForgetNodeRequest, timeout: Timeout = CALL_TIMEOUT
    ) -> pb.ForgetNodeResponse:
        """Remove a node's value."""
        return self._call(lambda stub: stub.ForgetNode, request, Deadline(timeout))

    def operate(
        self,
        method: Callable[[OperationsServiceStub], Method[Q, R]],
        request: Q,
        timeout: Timeout = CALL_TIMEOUT,
    ) -> R:
        """Make a call of those who run a fleet."""
        return self._made(self._line.operations, method, request, Deadline(timeout))

    def read_value(
        self,
        request: pb.ReadValueRequest,
        take: Callable[[Iterator[pb.ReadValueResponse]], T],
        timeout: Timeout = None,
    ) -> T:
        """Return what `take` makes of the parts of a value; after a lost connection it gets them anew."""
        deadline = Deadline(timeout)

        def read() -> T:
            try:
                with self._line.service() as service:
                    return take(service.ReadValue(request, timeout=deadline.left()))
            except grpc.RpcError as error:
                raise from_rpc_error(error) from error

        return self._repeated(read, deadline)

    def watch(self, request: pb.WatchCanvasesRequest) -> Iterator[pb.WatchCanvasesResponse]:
        """Yield the messages of a watch; after a lost connection it goes on where it was.

        Raises:
            GessoError: If it was refused, or nobody answered for as long as a call may take.
        """
        return self._watches.follow(request, CALL_TIMEOUT)

    # --- its life ----------------------------------------------------------------------------

    def unanswered_count(self) -> int:
        """Return how many calls of the conversation are not answered."""
        return self._conversation.unanswered_count()

    def pause(self) -> None:
        """Let go of the connection, before a fork."""
        self._conversation.pause()
        self._watches.pause()
        self._line.wait_empty(_LEAVE_SECONDS)

    def resume(self) -> None:
        """Go on after `pause`."""
        self._conversation.resume()

    def close(self) -> None:
        """Let go of the connection, and fail what is unanswered. A later call opens another."""
        self._watches.close()
        self._conversation.close()

    # --- inside ------------------------------------------------------------------------------

    def _submit(
        self, request: pb.SubmitCanvasRequest, end: End | None, deadline: Deadline
    ) -> pb.SubmitCanvasResponse:
        answer = Answer()
        call_id = self._conversation.submit(request, answer, end)
        try:
            answered = answer.wait(deadline.left())
        finally:
            if not answer.done():
                self._conversation.drop(call_id)
        if not answered:
            raise self._no_answer()
        result = answer.result()
        if isinstance(result, pb.CallError):
            raise from_call_error(result)
        return result

    def _no_answer(self) -> Unavailable:
        trouble = self._conversation.trouble
        text = f"No coordinator answered at {self.address} in time" + (f": {trouble}" if trouble else "")
        return Unavailable(text, code="DEADLINE_EXCEEDED")

    def _call(
        self, method: Callable[[CoordinatorServiceStub], Method[Q, R]], request: Q, deadline: Deadline
    ) -> R:
        return self._made(self._line.service, method, request, deadline)

    def _made(
        self,
        entered: Callable[[], AbstractContextManager[S]],
        method: Callable[[S], Method[Q, R]],
        request: Q,
        deadline: Deadline,
    ) -> R:
        def attempt() -> R:
            try:
                with entered() as service:
                    return method(service)(request, timeout=deadline.at_most(ATTEMPT_TIMEOUT))
            except grpc.RpcError as error:
                raise from_rpc_error(error) from error
            except ValueError as error:  # the channel was closed between being had and being used
                raise Unavailable(str(error), code="CANCELLED") from error

        return self._repeated(attempt, deadline)

    def _repeated(self, attempt: Callable[[], T], deadline: Deadline) -> T:
        """Return what `attempt` does, made again as long as that may help and there is time."""
        count = 0
        while True:
            count += 1
            try:
                return attempt()
            except GessoError as error:
                pause = repeatable(error)
                seconds = 0.0 if pause is None else pause_after(pause, count)
                if pause is None or not deadline.allows(timedelta(seconds=seconds)):
                    raise
                logger.log(
                    logging.WARNING if count > 1 else logging.INFO,
                    "%s %s (%s); trying again in %.1f s.",
                    *(trouble(error), self.address, error, seconds),
                )
            time.sleep(seconds)


def trouble(error: GessoError) -> str:
    """Return the beginning of a sentence that says what is wrong with a coordinator."""
    return "There is no room yet at" if isinstance(error, ResourceExhausted) else "No answer from"


def pause_after(asked: timedelta, attempt: int) -> float:
    """Return how many seconds to wait before `attempt` is followed by another."""
    return max(asked, jittered(backoff(attempt))).total_seconds()
