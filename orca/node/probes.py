"""Asking a container how it is: http, tcp and exec probes.

Only the asking; what the answers mean is `probe_state.py`'s, and when to ask the replica's. An answer is
a failure's reason in words, or nothing. Redirects count as answers and are not followed: where they lead
is not what was asked.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from typing import Protocol

import aiohttp

from orca import errors
from orca.model.container import Probe, ProbeKind
from orca.node.runtime import ExecSpec, Runtime

OK = ""
_SAID_BYTES_MAX = 200


class Prober(Protocol):
    """Asks."""

    async def ask(self, probe: Probe, *, container: str, address: str, port: int) -> str:
        """Ask once; returns why it failed, or `OK`. `port` stands in where the probe names none.

        Only an exec probe raises `DockerUnavailable`: then nothing was learned of the container.
        """
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


class NetworkProber:
    """Asks over the host's network, and through the runtime for exec probes."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._session: aiohttp.ClientSession | None = None

    async def ask(self, probe: Probe, *, container: str, address: str, port: int) -> str:
        """See `Prober`."""
        port = probe.port or port
        try:
            async with asyncio.timeout(probe.timeout_seconds):
                match probe.kind:
                    case ProbeKind.HTTP:
                        return await self._http(f"http://{address}:{port}{_path(probe.path)}")
                    case ProbeKind.TCP:
                        return await _tcp(address, port)
                    case ProbeKind.EXEC:
                        return await self._exec(container, probe.command)
        except TimeoutError:
            where = _subject(probe, address, port)
            return f"{where} → no answer within {probe.timeout_seconds:g} s"

    async def close(self) -> None:
        """See `Prober`."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _http(self, url: str) -> str:
        if self._session is None:
            # A kept connection would say nothing about whether new ones are accepted.
            connector = aiohttp.TCPConnector(force_close=True, limit=0)
            self._session = aiohttp.ClientSession(
                connector=connector, cookie_jar=aiohttp.DummyCookieJar()
            )
        try:
            headers = {"User-Agent": "orca-probe"}
            async with self._session.get(url, allow_redirects=False, headers=headers) as response:
                ok = 200 <= response.status < 400
                return OK if ok else f"GET {url} → {response.status}"
        except (aiohttp.ClientError, OSError) as error:
            return f"GET {url} → {_why(error)}"

    async def _exec(self, container: str, command: tuple[str, ...]) -> str:
        try:
            session = await self._runtime.exec(container, ExecSpec(command=command))
        except (errors.NotFound, errors.ContainerError) as error:
            return error.message
        said = b""
        try:
            while (output := await session.read()) is not None:
                said = (said + output.data)[:_SAID_BYTES_MAX]
            code = await session.exit_code()
        finally:
            await session.close()
        if code == 0:
            return OK
        text = said.decode(errors="replace").strip()
        return f"`{' '.join(command)}` → exit code {code}" + (f": {text}" if text else "")


async def _tcp(address: str, port: int) -> str:
    try:
        _, writer = await asyncio.open_connection(address, port)
    except OSError as error:
        return f"{address}:{port} → {_why(error)}"
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return OK


def _path(path: str) -> str:
    return path if path.startswith("/") else f"/{path}"


def _subject(probe: Probe, address: str, port: int) -> str:
    match probe.kind:
        case ProbeKind.HTTP:
            return f"GET http://{address}:{port}{_path(probe.path)}"
        case ProbeKind.TCP:
            return f"{address}:{port}"
        case ProbeKind.EXEC:
            return f"`{' '.join(probe.command)}`"


def _why(error: BaseException) -> str:
    """`connection refused`, not four layers of Python around it."""
    if isinstance(error, aiohttp.ClientConnectorError):
        error = error.os_error
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return "connection closed without an answer"
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno).lower()
    return str(error) or type(error).__name__
