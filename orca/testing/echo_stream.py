"""A command in a replica that only echoes: a `ChunkStream` in memory."""

from __future__ import annotations

import asyncio

from orca import errors
from orca.rpc.messages import Channel, StreamChunk


class EchoStream:
    """A command that says on stdout what it hears, and exits with 7 at the end of its input.

    A new terminal size is told on stderr. Input `!<kind>` ends it with an error of that kind.
    """

    def __init__(self, peer: str) -> None:
        self._closed = asyncio.Event()
        self._peer = peer
        self._chunks: asyncio.Queue[StreamChunk | None] = asyncio.Queue()

    @property
    def peer(self) -> str:
        return self._peer

    @property
    def closed(self) -> bool:
        """Whether the other side has left."""
        return self._closed.is_set()

    async def until_closed(self) -> None:
        """Wait for the other side to leave."""
        await self._closed.wait()

    async def send(self, message: StreamChunk) -> None:
        if self.closed:
            raise errors.Unavailable("The stream is closed.")
        if message.columns:
            size = f"{message.columns}x{message.rows}".encode()
            await self._chunks.put(StreamChunk(stream="", channel=Channel.STDERR, data=size))
        if message.data.startswith(b"!"):
            kind = message.data[1:].decode()
            failed = StreamChunk(stream="", error_kind=kind, error="It failed.", closed=True)
            await self._chunks.put(failed)
        elif message.data:
            await self._chunks.put(StreamChunk(stream="", data=message.data))
        if message.closed:
            await self._chunks.put(StreamChunk(stream="", closed=True, exit_code=7))

    async def receive(self) -> StreamChunk:
        chunk = await self._chunks.get()
        if chunk is None:
            raise errors.Unavailable("The stream is closed.")
        return chunk

    async def close(self) -> None:
        self._closed.set()
        await self._chunks.put(None)
