"""A command in a replica over a WebSocket: terminal bytes both ways, and what goes around them.

Binary frames are one byte of channel (0 stdin, 1 stdout, 2 stderr) and then data. Text frames are the
`Exec…` bodies of `orca.client.schema`: the client opens with `open` and may send `resize` and `eof`;
the server answers `opened`, and ends with `exit` or `error`. docs/api.md has the whole protocol.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Annotated

from aiohttp import WSCloseCode, WSMessage, WSMsgType, web
from pydantic import Field, TypeAdapter, ValidationError

from orca import errors
from orca.client import schema
from orca.master.api import audit, problems
from orca.master.api.call import Socket
from orca.rpc.messages import Channel, StreamChunk
from orca.rpc.session import ChunkStream

FRAME_BYTES_MAX = 1024 * 1024
DATA_BYTES_MAX = 256 * 1024
"""In one frame to a client; longer output becomes several."""
HEARTBEAT_SECONDS = 15.0
OPEN_SECONDS = 10.0
CHANNELS = (Channel.STDIN, Channel.STDOUT, Channel.STDERR)
"""By the first byte of a binary frame."""

_ClientFrame = schema.ExecOpen | schema.ExecResize | schema.ExecEof
_FRAMES: TypeAdapter[_ClientFrame] = TypeAdapter(
    Annotated[_ClientFrame, Field(discriminator="type")]
)


class _Ended(Exception):
    """The connection is over, on whichever side it began."""


async def serve(
    request: web.Request, answer: Socket, *, closing: asyncio.Event
) -> web.StreamResponse:
    """Carry one command until it ends, the client leaves or the server closes."""
    socket = web.WebSocketResponse(heartbeat=HEARTBEAT_SECONDS, max_msg_size=FRAME_BYTES_MAX)
    if not socket.can_prepare(request):
        raise problems.Refusal(
            errors.UserError("This route speaks WebSocket only."),
            status=426,
            headers={"Upgrade": "websocket"},
        )
    await socket.prepare(request)
    try:
        await _run(socket, answer, closing)
        request[audit.OUTCOME] = "ok"
    except Exception as error:  # noqa: BLE001 - the last frame is the only place left to say it
        refusal = problems.refusal_of(error, request_id=request[problems.REQUEST_ID])
        request[audit.OUTCOME] = refusal.error.kind
        body = problems.problem(refusal.error, status=refusal.status)
        await _say(socket, schema.ExecError(problem=body))
    finally:
        going = closing.is_set()
        await socket.close(code=WSCloseCode.GOING_AWAY if going else WSCloseCode.OK)
    return socket


async def _run(socket: web.WebSocketResponse, answer: Socket, closing: asyncio.Event) -> None:
    stream = await answer.open(await _opening(socket))
    failure: Exception | None = None
    try:
        await _say(socket, schema.ExecOpened())
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_from_client(socket, stream))
            tasks.create_task(_from_replica(socket, stream))
            tasks.create_task(_end_on_shutdown(closing))
    except* (_Ended, ConnectionError):
        pass
    except* errors.OrcaError as group:
        failure = group.exceptions[0]
    finally:
        await stream.close()
    if failure is not None:
        raise failure


async def _opening(socket: web.WebSocketResponse) -> schema.ExecOpen:
    try:
        message = await socket.receive(timeout=OPEN_SECONDS)
    except TimeoutError as error:
        raise errors.DeadlineExceeded(f"No `open` frame came within {OPEN_SECONDS:g} s.") from error
    frame = _frame(message) if message.type is WSMsgType.TEXT else None
    if not isinstance(frame, schema.ExecOpen):
        raise errors.UserError("The first frame must be `open`, with the command to run.")
    return frame


def _frame(message: WSMessage) -> _ClientFrame:
    try:
        return _FRAMES.validate_json(message.data)
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()
        )
        raise errors.UserError(f"A text frame is not valid: {faults}") from error


async def _from_client(socket: web.WebSocketResponse, stream: ChunkStream) -> None:
    async for message in socket:
        await stream.send(_chunk(message))
    raise _Ended


def _chunk(message: WSMessage) -> StreamChunk:
    """A frame of the client as a chunk. Raises `UserError` for what makes no sense here."""
    if message.type is WSMsgType.BINARY:
        if not message.data or message.data[0] != CHANNELS.index(Channel.STDIN):
            raise errors.UserError("A client's binary frame must begin with 0, for stdin.")
        return StreamChunk(stream="", channel=Channel.STDIN, data=message.data[1:])
    match _frame(message):
        case schema.ExecResize() as size:
            return StreamChunk(
                stream="", channel=Channel.STDIN, columns=size.columns, rows=size.rows
            )
        case schema.ExecEof():
            return StreamChunk(stream="", channel=Channel.STDIN, closed=True)
    raise errors.UserError("`open` may only be the first frame.")


async def _from_replica(socket: web.WebSocketResponse, stream: ChunkStream) -> None:
    while True:
        chunk = await stream.receive()
        channel = bytes([CHANNELS.index(chunk.channel)])
        for at in range(0, len(chunk.data), DATA_BYTES_MAX):
            await socket.send_bytes(channel + chunk.data[at : at + DATA_BYTES_MAX])
        if chunk.error_kind or chunk.error:
            raise errors.from_kind(chunk.error_kind, chunk.error)
        if chunk.closed and chunk.channel is Channel.STDOUT:
            await _say(socket, schema.ExecExit(code=chunk.exit_code))
            raise _Ended


async def _end_on_shutdown(closing: asyncio.Event) -> None:
    await closing.wait()
    raise errors.Unavailable("The orca server is shutting down.", hint="Run the command again.")


async def _say(socket: web.WebSocketResponse, body: schema.Body) -> None:
    if not socket.closed:
        # The client may be leaving; the loop that reads from it ends then too.
        with contextlib.suppress(ConnectionError):
            await socket.send_str(body.model_dump_json())
