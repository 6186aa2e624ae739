"""Logs with their frames: which bytes came from which output."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator

import aiohttp

from orca.node.docker import failures
from orca.node.docker.api import Api, Refused, not_found
from orca.node.runtime import LogQuery, Output
from orca.rpc.messages import Channel

_HEADER = struct.Struct(">BxxxL")
_CHANNELS = {1: Channel.STDOUT, 2: Channel.STDERR}


async def read(api: Api, container: str, query: LogQuery) -> AsyncIterator[Output]:
    """What the container wrote, frame by frame."""
    params = {
        "stdout": 1,
        "stderr": 1,
        "follow": int(query.follow),
        "timestamps": int(query.timestamps),
        "tail": str(query.tail) if query.tail >= 0 else "all",
    }
    # Docker reads seconds with a fraction of nanoseconds.
    params |= {"since": f"{query.since:.9f}"} if query.since else {}
    params |= {"until": f"{query.until:.9f}"} if query.until else {}
    try:
        async with api.stream("GET", f"containers/{container}/logs", params=params) as response:
            async for output in _frames(response.content):
                yield output
    except Refused as refused:
        if refused.status == 404:
            raise not_found(container) from refused
        raise failures.container_error(container[:12], refused.text) from refused


async def _frames(content: aiohttp.StreamReader) -> AsyncIterator[Output]:
    while True:
        try:
            header = await content.readexactly(_HEADER.size)
        except asyncio.IncompleteReadError as error:
            if error.partial:
                raise
            return
        stream, length = _HEADER.unpack(header)
        data = await content.readexactly(length)
        yield Output(_CHANNELS.get(stream, Channel.STDOUT), data)
