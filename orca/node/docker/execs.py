"""Commands inside containers: an exec's output, input, terminal size and end."""

from __future__ import annotations

import contextlib

from aiodocker.execs import Exec
from aiodocker.stream import Stream

from orca.node.docker import failures
from orca.node.docker.api import Api, Refused, not_found
from orca.node.runtime import ExecSpec, Output
from orca.rpc.messages import Channel


async def run(api: Api, container: str, spec: ExecSpec) -> DockerExec:
    """Start the command."""
    body = {
        "AttachStdin": spec.stdin,
        "AttachStdout": True,
        "AttachStderr": True,
        "Tty": spec.tty,
        "Cmd": list(spec.command),
        "Env": [f"{key}={value}" for key, value in spec.env.items()],
        "User": spec.user,
    }
    try:
        made = await api.call("POST", f"containers/{container}/exec", body=body)
        with api.translated():
            handle = Exec(api.client, made["Id"], tty=spec.tty)
            stream = handle.start(detach=False)
            await stream._init()
    except Refused as refused:
        if refused.status == 404:
            raise not_found(container) from refused
        raise failures.container_error(container[:12], refused.text) from refused
    session = DockerExec(api, handle, stream, spec)
    await session.resize(columns=spec.columns, rows=spec.rows)
    return session


class DockerExec:
    """An `ExecSession` on a hijacked HTTP connection."""

    def __init__(self, api: Api, handle: Exec, stream: Stream, spec: ExecSpec) -> None:
        self._api = api
        self._handle = handle
        self._stream = stream
        self._spec = spec

    async def read(self) -> Output | None:
        """Wait for output."""
        with self._api.translated():
            message = await self._stream.read_out()
        if message is None:
            return None
        channel = Channel.STDERR if message.stream == 2 else Channel.STDOUT
        return Output(channel, message.data)

    async def write(self, data: bytes) -> None:
        """Write to standard input; what a command no longer reads is dropped."""
        # aiodocker writes to a transport that is None once the command has ended.
        with contextlib.suppress(AssertionError, ConnectionError, RuntimeError):
            await self._stream.write_in(data)

    async def close_stdin(self) -> None:
        """Half-close the connection: the command sees the end of its input, we still read."""
        response = self._stream._resp
        connection = response.connection if response is not None else None
        transport = connection.transport if connection is not None else None
        if transport is not None and transport.can_write_eof():
            transport.write_eof()

    async def resize(self, *, columns: int, rows: int) -> None:
        """Resize the terminal."""
        if not (self._spec.tty and columns and rows):
            return
        # The command may have ended in between; then there is nothing to resize.
        with contextlib.suppress(Refused), self._api.translated():
            await self._handle.resize(w=columns, h=rows)

    async def exit_code(self) -> int:
        """Ask how it ended."""
        found = await self._api.call("GET", f"exec/{self._handle.id}/json")
        code = found["ExitCode"]
        return -1 if code is None else int(code)

    async def close(self) -> None:
        """Close the connection."""
        response = self._stream._resp
        if response is not None and response.connection is None:
            self._stream._closed = True
            return
        await self._stream.close()
