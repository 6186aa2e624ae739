"""Bulk streams: logs and exec. The master asks over the session, the node dials in with a ticket.

A ticket is good for one stream and a few seconds. What the node sends is handed through as it comes;
nothing is buffered beyond the transport's own window.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from orca.client import schema
from orca.errors import (
    DeadlineExceeded,
    Failed,
    NotFound,
    OrcaError,
    Unavailable,
    UserError,
    from_kind,
)
from orca.master.control import LogsQuery
from orca.master.naming import find_replica, find_service
from orca.master.office import Office
from orca.model.ids import NodeId, ReplicaId
from orca.model.replica import Replica
from orca.model.snapshot import Snapshot
from orca.rpc.messages import Channel, ExecRequest, LogsRequest, OpenStream, StreamChunk
from orca.rpc.session import ChunkStream

DIAL_TIMEOUT_SECONDS = 10.0
LINE_BYTES_MAX = 64 * 1024


class Streams:
    """Opens streams to nodes and hands them out."""

    def __init__(self, office: Office) -> None:
        self._office = office
        self._awaited: dict[str, asyncio.Future[_Dialled]] = {}

    async def accept(self, stream: ChunkStream) -> None:
        """Serve a stream that a node dialled; returns when whoever asked for it has done with it."""
        async with asyncio.timeout(DIAL_TIMEOUT_SECONDS):
            first = await stream.receive()
        waiter = self._awaited.pop(first.stream, None)
        if waiter is None or waiter.done():
            raise Unavailable("nobody waits for this stream any more")
        dialled = _Dialled(stream)
        waiter.set_result(dialled)
        await dialled.released.wait()

    async def open(
        self,
        node: NodeId,
        *,
        logs: LogsRequest | None = None,
        exec: ExecRequest | None = None,
    ) -> _Dialled:
        """Ask a node to dial. Raises `NoNode`, or `DeadlineExceeded` when it does not."""
        leading = self._office.require()
        ticket = secrets.token_urlsafe(16)
        waiter: asyncio.Future[_Dialled] = asyncio.get_running_loop().create_future()
        self._awaited[ticket] = waiter
        request = OpenStream(stream=ticket, epoch=leading.mandate.epoch, logs=logs, exec=exec)
        try:
            leading.nodes.send(node, request)
            async with asyncio.timeout(DIAL_TIMEOUT_SECONDS):
                return await waiter
        except TimeoutError as error:
            raise DeadlineExceeded(
                f"node {node} has not opened the stream within {DIAL_TIMEOUT_SECONDS:g} s"
            ) from error
        finally:
            self._awaited.pop(ticket, None)

    # --- logs ---

    async def logs(self, service: str, query: LogsQuery) -> AsyncIterator[schema.LogLine]:
        """Log lines of all chosen replicas, each as it comes."""
        replicas = self._chosen(service, query)
        lines: asyncio.Queue[schema.LogLine | None] = asyncio.Queue(maxsize=1000)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._pump(r, query, lines)) for r in replicas]
            left = len(tasks)
            try:
                while left:
                    line = await lines.get()
                    if line is None:
                        left -= 1
                    else:
                        yield line
            finally:
                for task in tasks:
                    task.cancel()

    def _chosen(self, service: str, query: LogsQuery) -> list[Replica]:
        snapshot = self._office.edition().snapshot
        replicas = _replicas(snapshot, service)
        if query.replica:
            return [find_replica(replicas, snapshot.statuses, query.replica)]
        if not replicas:
            raise NotFound(
                f"{service} has no replica whose log could be read",
                hint="it is stopped, or was never started: `orca why` tells",
            )
        return replicas

    async def _pump(
        self,
        replica: Replica,
        query: LogsQuery,
        lines: asyncio.Queue[schema.LogLine | None],
    ) -> None:
        request = LogsRequest(
            replica=replica.id,
            follow=query.follow,
            tail=query.tail,
            since=query.since,
            previous=query.previous,
            timestamps=query.timestamps,
        )
        try:
            async with self._opened(replica.node, request) as stream:
                async for channel, text in _lines(stream):
                    await lines.put(_line(replica, channel, text))
        except OrcaError as error:
            await lines.put(
                schema.LogLine(
                    replica=replica.id, slot=replica.slot, stream="", line="", error=error.message
                )
            )
        await lines.put(None)

    @asynccontextmanager
    async def _opened(self, node: NodeId, request: LogsRequest) -> AsyncIterator[ChunkStream]:
        dialled = await self.open(node, logs=request)
        try:
            yield dialled
        finally:
            await dialled.close()

    # --- exec ---

    async def exec(self, service: str, request: ExecRequest) -> ChunkStream:
        """A command in a replica: the one named, else a ready one."""
        snapshot = self._office.edition().snapshot
        replicas = _replicas(snapshot, service)
        if request.replica:
            replica = find_replica(replicas, snapshot.statuses, request.replica)
        else:
            replica = _first_running(snapshot, replicas, service)
        if not request.command:
            raise UserError("no command was given", hint="orca exec SERVICE -- COMMAND")
        return await self.open(replica.node, exec=replace(request, replica=replica.id))


class _Dialled:
    """A stream in the hands of whoever asked for it; `close` lets the node's call end."""

    def __init__(self, stream: ChunkStream) -> None:
        self._stream = stream
        self.released = asyncio.Event()

    @property
    def peer(self) -> str:
        return self._stream.peer

    async def send(self, message: StreamChunk) -> None:
        await self._stream.send(message)

    async def receive(self) -> StreamChunk:
        return await self._stream.receive()

    async def close(self) -> None:
        self.released.set()


def _replicas(snapshot: Snapshot, service: str) -> list[Replica]:
    id = find_service(snapshot.services, service)
    found = [r for r in snapshot.replicas.values() if r.service == id]
    return sorted(found, key=lambda r: (r.slot, r.created_at))


def _first_running(snapshot: Snapshot, replicas: list[Replica], service: str) -> Replica:
    def rank(replica: Replica) -> tuple[bool, bool]:
        status = snapshot.statuses.get(replica.id)
        return status is not None and status.ready, status is not None

    best = max(replicas, key=rank, default=None)
    if best is None or not rank(best)[1]:
        raise Failed(
            f"{service} has no running replica",
            hint=f"`orca why {service}` tells the reason",
        )
    return best


def _line(replica: Replica, channel: Channel, text: str) -> schema.LogLine:
    return schema.LogLine(
        replica=ReplicaId(replica.id), slot=replica.slot, stream=channel.value, line=text
    )


async def _lines(stream: ChunkStream) -> AsyncIterator[tuple[Channel, str]]:
    """Whole lines per channel; the rest of an unfinished one comes at the end."""
    partial: dict[Channel, bytes] = {}
    while True:
        chunk = await stream.receive()
        if chunk.error_kind:
            raise from_kind(chunk.error_kind, chunk.error)
        data = partial.pop(chunk.channel, b"") + chunk.data
        *whole, rest = data.split(b"\n")
        for line in whole:
            yield chunk.channel, line.decode(errors="replace").rstrip("\r")
        if len(rest) > LINE_BYTES_MAX:
            yield chunk.channel, rest.decode(errors="replace")
            rest = b""
        if rest:
            partial[chunk.channel] = rest
        if chunk.closed:
            break
    for channel, rest in partial.items():
        yield channel, rest.decode(errors="replace")
