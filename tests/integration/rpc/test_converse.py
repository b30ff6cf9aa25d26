"""The conversation: many calls of one client, on one stream."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any

import grpc
import pytest

from gesso.v1 import coordinator_service_pb2 as pb
from gesso.v1 import error_reason_pb2
from gesso_server.config import Limits, ServerConfig
from gesso_server.main import Started
from support.client import Client
from support.grpc_worker import working
from support.messages import chain, read, refusal, sig

LIMIT_SECONDS = 20.0
Call = pb.ConverseRequest.Call


class Conversation:
    """One conversation."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        """Open it."""
        self.call = channel.stream_stream(
            "/gesso.v1.CoordinatorService/Converse",
            request_serializer=bytes,
            response_deserializer=pb.ConverseResponse.FromString,
        )()
        self.frames: list[pb.ConverseResponse] = []
        self._changed = asyncio.Event()
        self._reader = asyncio.create_task(self._read())

    @property
    def replies(self) -> list[pb.ConverseResponse.Reply]:
        """All replies so far."""
        return [reply for frame in self.frames for reply in frame.replies]

    async def send(self, *calls: Call) -> None:
        """Send calls."""
        await self.call.write(pb.ConverseRequest(calls=calls).SerializeToString())

    async def reply(self, number: int, kind: str) -> Any:
        """Wait for a call's reply of a kind; return what it says."""

        def look() -> Any:
            return next(
                (reply for reply in self.replies if reply.call_id == number and reply.HasField(kind)), None
            )

        return getattr(await self.until(look), kind)

    async def until(self, look: Callable[[], Any]) -> Any:
        """Wait until `look` returns something true, and return it."""
        async with asyncio.timeout(LIMIT_SECONDS):
            while not (found := look()):
                assert not self._reader.done(), "the conversation has ended"
                await self._changed.wait()
                self._changed.clear()
        return found

    async def ended(self) -> grpc.aio.AioRpcError | None:
        """Wait for its end; return its error."""
        async with asyncio.timeout(LIMIT_SECONDS):
            return await asyncio.shield(self._reader)

    async def close(self) -> None:
        """Break it."""
        self.call.cancel()
        await self._reader

    async def _read(self) -> grpc.aio.AioRpcError | None:
        try:
            async for frame in self.call:
                self.frames.append(frame)
                self._changed.set()
        except grpc.aio.AioRpcError as error:
            return error
        except asyncio.CancelledError:  # how a call ends that was cancelled here
            pass
        finally:
            self._changed.set()
        return None


@pytest.fixture
async def conversation(channel: grpc.aio.Channel) -> AsyncIterator[Conversation]:
    """A conversation in which nothing was said."""
    conversation = Conversation(channel)
    yield conversation
    await conversation.close()


def submit(number: int, canvas: Any = None, **fields: Any) -> Call:
    """Return a call to submit."""
    request = pb.SubmitCanvasRequest(canvas=sig() if canvas is None else canvas, **fields)
    return Call(call_id=number, submit=request)


def wait(number: int, node_id: str, **fields: Any) -> Call:
    """Return a call to wait."""
    return Call(call_id=number, wait=pb.WaitNodeRequest(node_id=node_id, **fields))


async def test_submission_that_waits_has_two_replies(
    channel: grpc.aio.Channel, conversation: Conversation
) -> None:
    """The first says that it was accepted, the second how it ended."""
    await conversation.send(submit(1, chain(sig(), sig()), wait=True), submit(2))
    submitted = await conversation.reply(1, "submitted")
    async with working(channel):
        ended = await conversation.reply(1, "ended")
    await conversation.reply(2, "submitted")

    assert ended.handle.node_id == submitted.last.node_id == f"{submitted.canvas_id}-1"
    assert ended.value.data == b'["add", ["add", null]]'
    assert [reply.WhichOneof("result") for reply in conversation.replies if reply.call_id == 2] == [
        "submitted"
    ]


async def test_empty_canvas_has_one_reply(conversation: Conversation) -> None:
    """A canvas of nothing has no node to wait for."""
    await conversation.send(submit(1, chain(), wait=True), submit(2))
    await conversation.reply(2, "submitted")

    submitted = await conversation.reply(1, "submitted")

    assert not submitted.HasField("last")
    await conversation.call.done_writing()
    assert await conversation.ended() is None


async def test_errors_belong_to_their_call(conversation: Conversation) -> None:
    """A bad call is answered with what a call of its own would have ended with; the others are served."""
    await conversation.send(
        submit(1, sig("")), submit(2), wait(3, "0" * 32 + "-0"), Call(call_id=4), wait(5, "", timeout={"seconds": -1}),
        submit(6, sig(), request_id="r" * 129), wait(7, "0" * 32 + "-0", timeout={"seconds": 2**62}),
    )  # fmt: skip

    errors = {number: await conversation.reply(number, "error") for number in (1, 3, 4, 5, 6, 7)}
    await conversation.reply(2, "submitted")

    assert {number: error_reason_pb2.ErrorReason.Name(error.reason) for number, error in errors.items()} == {
        1: "ERROR_REASON_BAD_TASK_NAME",
        3: "ERROR_REASON_NODE_NOT_FOUND",
        4: "ERROR_REASON_PROTOCOL",
        5: "ERROR_REASON_BAD_DURATION",
        6: "ERROR_REASON_BAD_REQUEST_ID",
        7: "ERROR_REASON_BAD_DURATION",
    }
    assert errors[1].code == grpc.StatusCode.INVALID_ARGUMENT.value[0]
    assert errors[1].violations[0].field == "canvas.signature.task"


async def test_request_id_is_recognized(conversation: Conversation, client: Client) -> None:
    """The same request again is the same canvas, on any call; another content is refused."""
    first = await client.SubmitCanvas(pb.SubmitCanvasRequest(canvas=sig(), request_id="r"))
    await conversation.send(submit(1, sig(), request_id="r"), submit(2, sig("tsum"), request_id="r"))

    again = await conversation.reply(1, "submitted")
    error = await conversation.reply(2, "error")

    assert (again.canvas_id, again.deduplicated, again.node_count) == (first.canvas_id, True, 1)
    assert again.last == first.last
    assert error.code == grpc.StatusCode.ALREADY_EXISTS.value[0]
    assert error.reason == error_reason_pb2.ERROR_REASON_REQUEST_ID_REUSED


async def test_wait_that_takes_too_long_is_answered(conversation: Conversation) -> None:
    """A wait with a limit ends at it, and the canvas goes on."""
    await conversation.send(submit(1))
    submitted = await conversation.reply(1, "submitted")

    await conversation.send(wait(2, submitted.last.node_id, timeout={"nanos": 1_000_000}))
    error = await conversation.reply(2, "error")

    assert error.code == grpc.StatusCode.DEADLINE_EXCEEDED.value[0]
    assert error.reason == error_reason_pb2.ERROR_REASON_WAIT_TIMEOUT


async def test_wait_that_is_stopped_gets_no_reply(conversation: Conversation, started: Started) -> None:
    """Stopping a wait frees it; the conversation can then end."""
    await conversation.send(submit(1))
    submitted = await conversation.reply(1, "submitted")
    await conversation.send(wait(2, submitted.last.node_id))
    await conversation.send(Call(call_id=2, stop=pb.ConverseRequest.StopWaiting()))
    await conversation.call.done_writing()

    assert await conversation.ended() is None
    assert {reply.call_id for reply in conversation.replies} == {1}
    assert len(started.coordinator.waits) == 0


@pytest.mark.parametrize("number", [0, -1, 2])
async def test_number_out_of_turn_ends_the_conversation_at_once(
    conversation: Conversation, number: int
) -> None:
    """A number that is not positive, or in use, is a fault of the client; waits under way do not delay the answer."""
    await conversation.send(submit(1))
    submitted = await conversation.reply(1, "submitted")
    await conversation.send(wait(2, submitted.last.node_id))

    await conversation.send(submit(number))
    found = read(await conversation.ended())

    assert (found.code, found.reason, found.path) == (grpc.StatusCode.INVALID_ARGUMENT, "PROTOCOL", "call_id")


async def test_bytes_that_are_no_message_end_the_conversation(conversation: Conversation) -> None:
    """What cannot be read cannot be answered call by call."""
    await conversation.call.write(b"\xff\xff")

    found = read(await conversation.ended())

    assert (found.code, found.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "MALFORMED_MESSAGE")


@pytest.mark.parametrize("config", [ServerConfig(limits=Limits(calls_per_conversation=2))], indirect=True)
async def test_calls_over_the_limit_are_refused(conversation: Conversation) -> None:
    """One call too many is told to come later; those under way go on."""
    await conversation.send(submit(1))
    node_id = (await conversation.reply(1, "submitted")).last.node_id
    await conversation.send(*(wait(number, node_id) for number in (2, 3, 4)))

    error = await conversation.reply(4, "error")

    assert error.reason == error_reason_pb2.ERROR_REASON_BACKPRESSURE
    assert error.HasField("retry_delay")


async def test_half_closed_conversation_answers_what_is_under_way(
    channel: grpc.aio.Channel, conversation: Conversation
) -> None:
    """Everything that was asked is answered before the stream ends."""
    await conversation.send(*(submit(number, wait=True) for number in range(1, 51)))
    await conversation.call.done_writing()
    async with working(channel):
        assert await conversation.ended() is None

    assert sorted(reply.call_id for reply in conversation.replies if reply.HasField("ended")) == list(
        range(1, 51)
    )


async def test_waits_leave_nothing_behind(
    conversation: Conversation, started: Started, channel: grpc.aio.Channel
) -> None:
    """However many waits there were, the coordinator's memory of them ends with them."""
    waits = started.coordinator.waits
    async with working(channel):
        for start in range(1, 2001, 500):
            await conversation.send(*(submit(number, wait=True) for number in range(start, start + 500)))
            await conversation.reply(start + 499, "ended")
        await conversation.call.done_writing()
        await conversation.ended()

    assert len(waits) == 0
    assert not any(len(held) for held in vars(waits).values() if hasattr(held, "__len__"))


async def test_draining_coordinator_asks_clients_to_move(
    conversation: Conversation, started: Started, client: Client
) -> None:
    """A conversation is told to move, and new submissions are refused with a word on when to call again."""
    await conversation.send(submit(1))
    await conversation.reply(1, "submitted")

    started.coordinator.drain()
    error = await refusal(client.SubmitCanvas(pb.SubmitCanvasRequest(canvas=sig())))
    await conversation.send(submit(2))
    refused = await conversation.reply(2, "error")
    stopping = asyncio.create_task(started.server.stop(timedelta(seconds=10)))
    await conversation.until(lambda: any(frame.draining for frame in conversation.frames))
    await conversation.call.done_writing()
    assert await conversation.ended() is None
    await stopping

    assert (error.code, error.reason, error.retries) == (grpc.StatusCode.UNAVAILABLE, "DRAINING", True)
    assert (refused.code, refused.HasField("retry_delay")) == (grpc.StatusCode.UNAVAILABLE.value[0], True)
