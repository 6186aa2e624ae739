"""A command in a replica, from the client's side of the WebSocket: a `ChunkStream`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated

import aiohttp
from pydantic import Field, TypeAdapter, ValidationError

from orca import errors
from orca.client import schema
from orca.rpc.messages import Channel, StreamChunk

CHANNELS = (Channel.STDIN, Channel.STDOUT, Channel.STDERR)
"""By the first byte of a binary frame."""

DATA_BYTES_MAX = 256 * 1024
"""In one frame to the server; longer input becomes several."""
_STDIN = bytes([CHANNELS.index(Channel.STDIN)])

_ServerFrame = schema.ExecOpened | schema.ExecExit | schema.ExecError
_FRAMES: TypeAdapter[_ServerFrame] = TypeAdapter(
    Annotated[_ServerFrame, Field(discriminator="type")]
)


class ExecStream:
    """Satisfies `orca.rpc.session.ChunkStream`. The last chunk is closed and has the exit code."""

    def __init__(
        self,
        socket: aiohttp.ClientWebSocketResponse,
        *,
        peer: str,
        error_of: Callable[[schema.Problem], errors.OrcaError],
    ) -> None:
        self._socket = socket
        self._peer = peer
        self._error_of = error_of

    @property
    def peer(self) -> str:
        """The service."""
        return self._peer

    async def open(self, wish: schema.ExecOpen) -> None:
        """Start the command. Raises what the server says against it."""
        await self._say(wish)
        if not isinstance(await self._receive(), schema.ExecOpened):
            raise errors.Unavailable("The server did not confirm that the command runs.")

    async def send(self, message: StreamChunk) -> None:
        """Input, a new terminal size, or the end of input. Raises `Unavailable` once it is over."""
        if message.columns and message.rows:
            await self._say(schema.ExecResize(columns=message.columns, rows=message.rows))
        for at in range(0, len(message.data), DATA_BYTES_MAX):
            with _gone():
                await self._socket.send_bytes(_STDIN + message.data[at : at + DATA_BYTES_MAX])
        if message.closed:
            await self._say(schema.ExecEof())

    async def receive(self) -> StreamChunk:
        """Output, or the closed chunk with the exit code.

        Raises what ended the command on the server, and `Unavailable` when the connection is gone.
        """
        match await self._receive():
            case StreamChunk() as chunk:
                return chunk
            case schema.ExecExit() as exit_:
                await self.close()
                return StreamChunk(stream="", closed=True, exit_code=exit_.code)
        raise errors.Unavailable("The server sent a frame that makes no sense here.")

    async def close(self) -> None:
        """Leave; a command that still runs is ended by the server. Idempotent."""
        await self._socket.close()

    async def __aenter__(self) -> ExecStream:
        return self

    async def __aexit__(self, *_exception: object) -> None:
        await self.close()

    async def _receive(self) -> StreamChunk | _ServerFrame:
        message = await self._socket.receive()
        if message.type is aiohttp.WSMsgType.BINARY and message.data:
            return StreamChunk(
                stream="", channel=_channel(message.data[0]), data=bytes(message.data[1:])
            )
        if message.type is not aiohttp.WSMsgType.TEXT:
            raise errors.Unavailable("The connection to the command is gone.")
        try:
            frame = _FRAMES.validate_json(message.data)
        except ValidationError as error:
            raise errors.Unavailable("The server sent a frame that cannot be read.") from error
        if isinstance(frame, schema.ExecError):
            await self.close()
            raise self._error_of(frame.problem)
        return frame

    async def _say(self, frame: schema.Body) -> None:
        with _gone():
            await self._socket.send_str(frame.model_dump_json())


@contextmanager
def _gone() -> Iterator[None]:
    try:
        yield
    except (aiohttp.ClientError, ConnectionError) as error:
        raise errors.Unavailable("The connection to the command is gone.") from error


def _channel(number: int) -> Channel:
    if number >= len(CHANNELS):
        raise errors.Unavailable(f"The server sent bytes of an unknown channel {number}.")
    return CHANNELS[number]
