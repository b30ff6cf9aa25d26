"""From a service's descriptor and an object with its methods to gRPC's handlers.

Requests arrive as bytes and are read here, since gRPC's own deserialization answers what it cannot read with UNKNOWN
and the name of a Python class. Errors are translated here, once. A method of the contract that the object does not
have answers UNIMPLEMENTED with a reason.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeAlias, TypeVar

import grpc
from google.protobuf import message_factory
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import DecodeError, Message

from gesso_server.rpc.refusal import Refusal, invalid, refused

M = TypeVar("M", bound=Message)
Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
Unary = Callable[[Any, Context], Awaitable[Message]]
Streaming = Callable[[Any, Context], AsyncIterator[Message]]


def read(kind: type[M], data: bytes) -> M:
    """Read a message.

    Raises:
        Refusal: If the bytes are not one.
    """
    try:
        return kind.FromString(data)
    except DecodeError:
        raise invalid("MALFORMED_MESSAGE", "the bytes are not the message they should be") from None


async def messages(kind: type[M], requests: AsyncIterator[bytes]) -> AsyncIterator[M]:
    """Read the messages of a stream.

    Raises:
        Refusal: If the bytes of one are not one.
    """
    async for data in requests:
        yield read(kind, data)


def handlers(service: ServiceDescriptor, servicer: object) -> grpc.GenericRpcHandler:
    """Return the handlers of a service.

    Args:
        service: Its descriptor.
        servicer: Has a method in snake case for each method that is served. A unary one takes a message and returns
            one; one that takes a stream takes an iterator of messages; one that returns a stream is a generator.
    """
    return grpc.method_handlers_generic_handler(
        service.full_name, {method.name: _handler(method, servicer) for method in service.methods}
    )


def _handler(method: MethodDescriptor, servicer: object) -> grpc.RpcMethodHandler[Any, Any]:
    kind: type[Message] = message_factory.GetMessageClass(method.input_type)
    function: Any = getattr(servicer, _snake(method.name), None)
    if function is None:
        function = _unserved_stream if method.server_streaming else _unserved
    incoming = (
        (lambda requests: messages(kind, requests))
        if method.client_streaming
        else (lambda data: read(kind, data))
    )
    maker = {
        (False, False): grpc.unary_unary_rpc_method_handler,
        (False, True): grpc.unary_stream_rpc_method_handler,
        (True, False): grpc.stream_unary_rpc_method_handler,
        (True, True): grpc.stream_stream_rpc_method_handler,
    }[method.client_streaming, method.server_streaming]
    wrapped: Any = _streaming(function, incoming) if method.server_streaming else _unary(function, incoming)
    answer = message_factory.GetMessageClass(method.output_type)
    return maker(wrapped, request_deserializer=None, response_serializer=answer.SerializeToString)


def _unary(function: Unary, incoming: Callable[[Any], Any]) -> Callable[[Any, Context], Awaitable[Message]]:
    async def call(request: Any, context: Context) -> Message:
        try:
            return await function(incoming(request), context)
        except Exception as error:
            await _abort(context, error)
            raise

    return call


def _streaming(function: Streaming, incoming: Callable[[Any], Any]) -> Streaming:
    async def call(request: Any, context: Context) -> AsyncIterator[Message]:
        try:
            async for message in function(incoming(request), context):
                yield message
        except Exception as error:  # noqa: BLE001  the one place that turns errors into answers
            await _abort(context, error)

    return call


async def _abort(context: Context, error: Exception) -> None:
    """End the call with what its caller may see of an error. It does so by raising."""
    if isinstance(error, grpc.aio.AbortError):
        raise error
    if isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    await context.abort_with_status(refused(error).status())


async def _unserved(_request: Any, _context: Context) -> Message:
    raise _UNSERVED


async def _unserved_stream(request: Any, context: Context) -> AsyncIterator[Message]:
    yield await _unserved(request, context)


_UNSERVED = Refusal(
    grpc.StatusCode.UNIMPLEMENTED, "NOT_SERVED", "the contract has it, this version does not serve it yet"
)


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")
