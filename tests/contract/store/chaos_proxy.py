"""A TCP proxy in front of one etcd that can lose replies: the request arrives, the answer does not."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self


class ChaosProxy:
    """Forwards to `port`; while `lossy`, it cuts every connection on which the server says a word."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.lossy = False
        self.cuts = 0
        self.endpoint = ""

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        host, port = self._server.sockets[0].getsockname()
        self.endpoint = f"{host}:{port}"
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self._port)
        # Connections made while lossy must come up, or no request would ever arrive.
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pump(reader, up_writer, may_cut=False))
                group.create_task(self._pump(up_reader, writer, may_cut=True))
        except* (ConnectionError, EOFError):
            pass
        finally:
            writer.close()
            up_writer.close()

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, may_cut: bool
    ) -> None:
        while data := await reader.read(65536):
            if may_cut and self.lossy:
                self.cuts += 1
                self.lossy = False
                raise ConnectionResetError("cut")
            writer.write(data)
            await writer.drain()
        raise EOFError
