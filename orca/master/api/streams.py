"""Answers that go on: server-sent events and NDJSON.

A producer reads the items into a short queue and a writer sends whatever is there, so that a burst
costs few writes and a slow client slows only its own producer down. Silence is filled with heartbeats.
Three things end a stream: its items, the client, and the shutdown of the server; when the client
leaves, the connection's task is cancelled (see `server`) and the items are closed at once.

The hard part is an error. Before the headers are sent it becomes a proper status, so the headers wait
a moment for the first item; afterwards it is the last event or line, of the form of a problem.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from pydantic import BaseModel

from orca import errors
from orca.client import schema
from orca.master.api import problems
from orca.master.api.call import Events, Lines
from orca.master.api.iterators import closing

HEARTBEAT_SECONDS = 12.0
FIRST_ITEM_SECONDS = 0.5
"""How long the headers wait for a first item, or for an error in its place."""
QUEUE_ITEMS_MAX = 256
WRITE_BYTES_MAX = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """How items look on the wire."""

    content_type: str
    item: Callable[[Any], bytes]
    problem: Callable[[schema.Problem], bytes]
    heartbeat: bytes
    opening: bytes = b""


@dataclass(frozen=True, slots=True)
class _Failed:
    error: Exception


class _Ended(Exception):
    """Takes a stream's other tasks down with the writer."""


_END = object()

_Queue = asyncio.Queue[Any]
"""Holds items, and at the end `_END` or a `_Failed`."""


def event_format(events: Events[Any]) -> Format:
    """Server-sent events, as the HTML standard has them."""

    def item(body: Any) -> bytes:
        number = f"id: {events.sequence(body)}\n" if events.sequence else ""
        return f"event: {events.name}\n{number}data: {body.model_dump_json()}\n\n".encode()

    return Format(
        content_type="text/event-stream",
        item=item,
        problem=lambda body: f"event: problem\ndata: {body.model_dump_json()}\n\n".encode(),
        heartbeat=b": heartbeat\n\n",
        opening=b": orca\nretry: 2000\n\n",
    )


def _line(body: BaseModel) -> bytes:
    return body.model_dump_json().encode() + b"\n"


LINE_FORMAT = Format(
    content_type="application/x-ndjson", item=_line, problem=_line, heartbeat=b"\n"
)


class Streamer:
    """Sends streams until they end or the server closes."""

    def __init__(self, *, heartbeat_seconds: float = HEARTBEAT_SECONDS) -> None:
        self.heartbeat_seconds = heartbeat_seconds
        self.closing = asyncio.Event()

    async def send(self, request: web.Request, answer: Events[Any] | Lines) -> web.StreamResponse:
        """Stream an answer. Raises what its items raise before the first of them."""
        form = event_format(answer) if isinstance(answer, Events) else LINE_FORMAT
        queue: _Queue = asyncio.Queue(QUEUE_ITEMS_MAX)
        sent: web.StreamResponse | _Failed = _Failed(errors.OrcaError("The stream never began."))
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(_produce(answer.items, queue))
                tasks.create_task(self._end_on_shutdown(queue))
                sent = await self._send(request, form, queue)
                raise _Ended
        except* _Ended:
            pass
        if isinstance(sent, _Failed):
            raise sent.error
        return sent

    async def _send(
        self, request: web.Request, form: Format, queue: _Queue
    ) -> web.StreamResponse | _Failed:
        first = await _next(queue, FIRST_ITEM_SECONDS)
        if isinstance(first, _Failed):
            return first
        response = web.StreamResponse(headers={"X-Accel-Buffering": "no"})
        response.content_type = form.content_type
        await response.prepare(request)
        try:
            await response.write(form.opening + (b"" if first is None else _encoded(form, first)))
            while first is not _END:
                first = await self._write_next(request, response, form, queue)
            await response.write_eof()
        except ConnectionError:
            pass  # the client left; the cancellation that says so is on its way
        return response

    async def _write_next(
        self, request: web.Request, response: web.StreamResponse, form: Format, queue: _Queue
    ) -> object:
        """Write what has come, at least a heartbeat; returns `_END` after the last of it."""
        item = await _next(queue, self.heartbeat_seconds)
        if item is None:
            await response.write(form.heartbeat)
            return None
        chunk = b""
        while True:
            chunk += _encoded(form, item, request_id=request[problems.REQUEST_ID])
            if isinstance(item, _Failed):
                item = _END
            if item is _END or queue.empty() or len(chunk) >= WRITE_BYTES_MAX:
                break
            item = queue.get_nowait()
        await response.write(chunk)
        return item

    async def _end_on_shutdown(self, queue: _Queue) -> None:
        await self.closing.wait()
        await queue.put(
            _Failed(errors.Unavailable("The orca server is shutting down.", hint="Connect again."))
        )


async def _produce(items: AsyncIterator[BaseModel], queue: _Queue) -> None:
    """Move items to the queue. Every exception goes the same way: the writer knows what to do."""
    try:
        async with closing(items):
            async for item in items:
                await queue.put(item)
        await queue.put(_END)
    except Exception as error:  # noqa: BLE001 - handed to the writer, which reports it to the client
        await queue.put(_Failed(error))


async def _next(queue: _Queue, timeout_seconds: float) -> Any:
    """The next thing in the queue, or None when nothing comes in time."""
    try:
        async with asyncio.timeout(timeout_seconds):
            return await queue.get()
    except TimeoutError:
        return None


def _encoded(form: Format, item: object, *, request_id: str = "") -> bytes:
    if item is _END:
        return b""
    if isinstance(item, _Failed):
        refusal = problems.refusal_of(item.error, request_id=request_id)
        return form.problem(problems.problem(refusal.error, status=refusal.status))
    return form.item(item)
