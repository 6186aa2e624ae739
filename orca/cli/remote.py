"""A command in a replica: its streams joined to those of this process until it ends.

The hard part is the end: the command may end while nobody has typed anything, and input may end long
before the command. Whatever happens, the terminal is given back as it was.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from orca import errors
from orca.cli import tty
from orca.client.schema import ExecOpen
from orca.rpc.messages import Channel, StreamChunk

if TYPE_CHECKING:
    from orca.client.exec_stream import ExecStream
    from orca.client.http import OrcaClient


async def run(client: OrcaClient, service: str, wish: ExecOpen) -> int:
    """Run the command; returns its exit code. Raises `errors.OrcaError` when that is not known."""
    async with await client.exec(service, wish) as stream:
        resized = asyncio.Event()
        with _terminal(resized) if wish.tty else contextlib.nullcontext():
            return await _joined(stream, resized)


async def _joined(stream: ExecStream, resized: asyncio.Event) -> int:
    failure: Exception | None = None
    code = -1
    try:
        async with asyncio.TaskGroup() as tasks:
            senders = [
                tasks.create_task(_send_input(stream)),
                tasks.create_task(_send_sizes(stream, resized)),
            ]
            code = await _receive_output(stream)
            for sender in senders:
                sender.cancel()
    except* (errors.OrcaError, OSError) as group:
        failure = group.exceptions[0]
    if failure is not None:
        raise failure
    return code


@contextlib.contextmanager
def _terminal(resized: asyncio.Event) -> Iterator[None]:
    with tty.raw(sys.stdin.fileno()), tty.on_resize(resized.set):
        yield


async def _receive_output(stream: ExecStream) -> int:
    while True:
        chunk = await stream.receive()
        if chunk.data:
            sink = sys.stderr if chunk.channel is Channel.STDERR else sys.stdout
            sink.buffer.write(chunk.data)
            sink.buffer.flush()
        if chunk.closed and chunk.channel is Channel.STDOUT:
            return chunk.exit_code


async def _send_input(stream: ExecStream) -> None:
    # What went wrong with a connection that cannot be written to is told where it is read from.
    with contextlib.suppress(errors.Unavailable):
        async for data in tty.read(sys.stdin.fileno()):
            await stream.send(StreamChunk(stream="", channel=Channel.STDIN, data=data))
        await stream.send(StreamChunk(stream="", channel=Channel.STDIN, closed=True))


async def _send_sizes(stream: ExecStream, resized: asyncio.Event) -> None:
    with contextlib.suppress(errors.Unavailable):
        while True:
            await resized.wait()
            resized.clear()
            columns, rows = tty.size(sys.stdout.fileno())
            size = StreamChunk(stream="", channel=Channel.STDIN, columns=columns, rows=rows)
            await stream.send(size)
