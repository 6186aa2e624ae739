"""A `Session` over one bidirectional gRPC stream, the same for both ends.

The hard part is cancellation. A task that stops waiting for a message must not end the stream, but that
is what grpc.aio makes of a cancelled read or write; so operations run as futures that outlive who waits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Generic, Protocol, TypeVar

import grpc

from orca.errors import Unavailable

Out = TypeVar("Out")
In = TypeVar("In")
T = TypeVar("T")

OPTIONS: list[tuple[str, int]] = [
    ("grpc.max_receive_message_length", 64 << 20),
    ("grpc.max_send_message_length", 64 << 20),
    # Half-open connections are found within seconds, whatever TCP believes.
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
    # Two servers must never share a port silently.
    ("grpc.so_reuseport", 0),
]


class Stream(Protocol):
    """What both ends of a grpc.aio stream have."""

    def read(self) -> Awaitable[Any]:
        """Next message, or `grpc.aio.EOF`."""
        ...

    def write(self, message: Any) -> Awaitable[None]:
        """Send a message, waiting while the flow control says so."""
        ...


class GrpcSession(Generic[Out, In]):
    """One end of a stream; messages are the programs' own types."""

    def __init__(
        self,
        stream: Stream,
        *,
        peer: str,
        encode: Callable[[Out], Any],
        decode: Callable[[Any], In | None],
        end: Callable[[], Awaitable[None]],
    ) -> None:
        self._stream = stream
        self._peer = peer
        self._encode = encode
        self._decode = decode
        self._end = end
        self._writing = asyncio.Lock()
        self._pending_read: asyncio.Future[Any] | None = None
        self._closed = False

    @property
    def peer(self) -> str:
        return self._peer

    async def send(self, message: Out) -> None:
        async with self._writing:
            write = asyncio.ensure_future(self._stream.write(self._encode(message)))
            await self._outcome(write)

    async def receive(self) -> In:
        while True:
            message = self._decode(await self._read())
            if message is not None:
                return message

    async def _read(self) -> Any:
        """One message. A caller that gives up waiting leaves the read to the next one."""
        if self._pending_read is None:
            self._pending_read = asyncio.ensure_future(self._stream.read())
        raw = await self._outcome(self._pending_read)
        self._pending_read = None
        if raw is grpc.aio.EOF:  # type: ignore[attr-defined]
            raise self._broken(None)
        return raw

    async def _outcome(self, operation: asyncio.Future[T]) -> T:
        """What a stream operation gives. It is never cancelled: grpc.aio would cancel the whole call."""
        await asyncio.wait({operation})
        if operation.cancelled():
            raise self._broken(None)
        error = operation.exception()
        if error is None:
            return operation.result()
        if isinstance(error, grpc.RpcError | asyncio.InvalidStateError):
            raise self._broken(error) from error
        raise error

    def _broken(self, error: BaseException | None) -> Unavailable:
        if isinstance(error, grpc.aio.AioRpcError):
            return Unavailable(f"the connection to {self._peer} ended: {error.details()}")
        return Unavailable(f"the connection to {self._peer} ended")

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        await self._end()
        if self._pending_read is not None:
            self._pending_read.cancel()
            await asyncio.gather(self._pending_read, return_exceptions=True)
