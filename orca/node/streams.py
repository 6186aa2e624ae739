"""Bulk streams that a master asks for: logs out, and commands with their input and output.

The node dials, presents the ticket in its first chunk, and is then one end of a pipe. Nothing is
buffered here: a slow reader slows the container's pipe. Errors travel in the last chunk.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from dataclasses import replace
from typing import Any

from orca import errors
from orca.model.replica import Replica, ReplicaStatus
from orca.node.host import Host
from orca.node.runtime import LOG_LAG_SECONDS, ExecSession, ExecSpec, LogQuery, Output
from orca.rpc.messages import (
    Channel,
    ExecRequest,
    LogsRequest,
    OpenStream,
    StreamChunk,
)
from orca.rpc.session import ChunkStream, Dialer

CHUNK_BYTES_MAX = 64 * 1024


async def serve(
    request: OpenStream,
    *,
    host: Host,
    dialer: Dialer,
    replica: Replica | None,
    status: ReplicaStatus | None,
) -> None:
    """Dial and serve one stream to its end. Raises `Unavailable` only when dialling fails."""
    stream = await dialer.stream()
    try:
        await stream.send(StreamChunk(stream=request.stream))
        try:
            last = await _serve(stream, request, host=host, replica=replica, status=status)
        except errors.OrcaError as error:
            last = StreamChunk(
                stream=request.stream, closed=True, error_kind=error.kind, error=error.message
            )
        await stream.send(last)
    except errors.Unavailable:
        # Whoever asked hung up: there is nobody left to tell.
        return
    finally:
        await stream.close()


async def _serve(
    stream: ChunkStream,
    request: OpenStream,
    *,
    host: Host,
    replica: Replica | None,
    status: ReplicaStatus | None,
) -> StreamChunk:
    if replica is None or status is None:
        raise errors.NotFound("this node does not run that replica")
    if request.logs is not None:
        outputs = _logs(request.logs, host=host, replica=replica, status=status)
        await _while_connected(
            _send_all(stream, request.stream, outputs), _wait_for_hang_up(stream)
        )
        return StreamChunk(stream=request.stream, closed=True)
    if request.exec is not None:
        code = await _exec(stream, request.stream, request.exec, host=host, status=status)
        return StreamChunk(stream=request.stream, closed=True, exit_code=code)
    raise errors.Unsupported("this node does not know that kind of stream")


# --- logs ---


async def _logs(
    request: LogsRequest, *, host: Host, replica: Replica, status: ReplicaStatus
) -> AsyncIterator[Output]:
    query = LogQuery(
        follow=request.follow,
        tail=request.tail,
        since=request.since,
        timestamps=request.timestamps,
    )
    if request.previous:
        async for output in _previous(query, host=host, replica=replica, status=status):
            yield output
        return
    if not status.container_id:
        raise errors.NotFound(f"{replica.service} has no container yet: {status.reason}")
    async for output in host.runtime.logs(status.container_id, query):
        yield output


async def _previous(
    query: LogQuery, *, host: Host, replica: Replica, status: ReplicaStatus
) -> AsyncIterator[Output]:
    """What was written before the container last ended, else by the slot's last replica."""
    container = await host.runtime.inspect(status.container_id) if status.container_id else None
    if container is not None and container.finished_at:
        until = container.finished_at + LOG_LAG_SECONDS
        before = replace(query, follow=False, until=until)
        async for output in host.runtime.logs(status.container_id, before):
            yield output
        return
    archived = host.archive.previous(
        replica.service, slot=replica.slot, but=replica.id, query=query
    )
    if archived is None:
        raise errors.NotFound(f"no earlier log of {replica.service} is kept on this node")
    for output in archived:
        yield output


async def _send_all(stream: ChunkStream, ticket: str, outputs: AsyncIterator[Output]) -> None:
    async for output in outputs:
        await _send(stream, ticket, output)


async def _send(stream: ChunkStream, ticket: str, output: Output) -> None:
    for start in range(0, len(output.data), CHUNK_BYTES_MAX):
        data = output.data[start : start + CHUNK_BYTES_MAX]
        await stream.send(StreamChunk(stream=ticket, channel=output.channel, data=data))


# --- exec ---


async def _exec(
    stream: ChunkStream, ticket: str, request: ExecRequest, *, host: Host, status: ReplicaStatus
) -> int:
    if not status.container_id:
        raise errors.NotFound(f"the replica has no container: {status.reason}")
    spec = ExecSpec(
        command=request.command,
        tty=request.tty,
        stdin=request.stdin,
        env=request.env,
        user=request.user,
        columns=request.columns,
        rows=request.rows,
    )
    session = await host.runtime.exec(status.container_id, spec)
    try:
        await _while_connected(_send_outputs(stream, ticket, session), _feed(stream, session))
        return await session.exit_code()
    finally:
        await session.close()


async def _send_outputs(stream: ChunkStream, ticket: str, session: ExecSession) -> None:
    while (output := await session.read()) is not None:
        await _send(stream, ticket, output)


async def _feed(stream: ChunkStream, session: ExecSession) -> None:
    """Carry input and terminal sizes to the command, until the other end hangs up."""
    while True:
        chunk = await stream.receive()
        if chunk.columns and chunk.rows:
            await session.resize(columns=chunk.columns, rows=chunk.rows)
        if chunk.data:
            await session.write(chunk.data)
        if chunk.closed and chunk.channel is Channel.STDIN:
            await session.close_stdin()


async def _wait_for_hang_up(stream: ChunkStream) -> None:
    while True:
        await stream.receive()


async def _while_connected(
    work: Coroutine[Any, Any, None], listening: Coroutine[Any, Any, None]
) -> None:
    """Run `work` to its end; the other side's hanging up, which `listening` raises, ends it early."""
    worker = asyncio.ensure_future(work)
    listener = asyncio.ensure_future(listening)
    try:
        await asyncio.wait({worker, listener}, return_when=asyncio.FIRST_COMPLETED)
        (worker if worker.done() else listener).result()
    finally:
        for task in (worker, listener):
            task.cancel()
        await asyncio.gather(worker, listener, return_exceptions=True)
