"""One connection to a Docker Engine: finding it, calling it, streaming from it.

Connections are not reused over a unix socket: a daemon that is shutting down closes its listener first
but still serves old connections, and a start that slips through there dies with the daemon. A fresh
connection tells the truth and costs 50 µs.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiodocker
import aiohttp

from orca import errors
from orca.node.docker import failures

CONNECT_SECONDS = 5.0
CALL_SECONDS = 60.0
"""Longest wait for a call that is not expected to take long."""

_SOCKETS = ("/run/docker.sock", "/var/run/docker.sock")


def find_host(environment: Mapping[str, str] = os.environ) -> str:
    """`DOCKER_HOST`, else the first usual socket that exists, else the usual one."""
    if host := environment.get("DOCKER_HOST"):
        return host
    found = next((path for path in _SOCKETS if Path(path).is_socket()), _SOCKETS[-1])
    return f"unix://{found}"


class Refused(Exception):
    """Docker understood and said no: `status` is HTTP's, `text` Docker's words."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"{status}: {text}")
        self.status = status
        self.text = text


class Api:
    """The HTTP API. Every failure is a `Refused` or a `DockerUnavailable`."""

    def __init__(self, host: str) -> None:
        self.host = host
        self._client: aiodocker.Docker | None = None

    def _docker(self) -> aiodocker.Docker:
        # Built on first use: aiohttp wants the running loop.
        if self._client is None:
            path = self.host.removeprefix("unix://")
            unix = self.host.startswith("unix://")
            connector = (
                aiohttp.UnixConnector(path=path, force_close=True, limit=0) if unix else None
            )
            timeout = aiohttp.ClientTimeout(sock_connect=CONNECT_SECONDS, total=CALL_SECONDS)
            # With a connector of our own the URL only has to be one.
            url = "unix://localhost" if unix else self.host
            self._client = aiodocker.Docker(url=url, connector=connector, timeout=timeout)
        return self._client

    async def close(self) -> None:
        """Close the client; the next call opens another."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()
            await client.connector.close()

    async def call(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        body: Any = None,
        seconds: float | None = CALL_SECONDS,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """One request; returns the decoded JSON, or None for an empty answer."""
        async with self.stream(
            method, path, params=params, body=body, seconds=seconds, headers=headers
        ) as response:
            content = await response.read()
        return json.loads(content) if content.strip().startswith((b"{", b"[")) else None

    @asynccontextmanager
    async def stream(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        body: Any = None,
        seconds: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """One request whose answer is read by the caller; breaks are `DockerUnavailable`."""
        timeout = aiohttp.ClientTimeout(sock_connect=CONNECT_SECONDS, total=seconds)
        with self.translated():
            async with self._docker()._query(
                path,
                method,
                params=params,
                data=None if body is None else json.dumps(body),
                headers={"Content-Type": "application/json", **(headers or {})},
                timeout=timeout,
            ) as response:
                try:
                    yield response
                finally:
                    response.close()

    def forget_version(self) -> None:
        """After an outage the engine may be of another version: ask again."""
        if self._client is not None:
            self._client.api_version = "auto"

    def translated(self) -> _Translate:
        """Turns what aiodocker and aiohttp raise into `Refused` and `DockerUnavailable`."""
        return _Translate(self)

    @property
    def client(self) -> aiodocker.Docker:
        """For the calls that are made through aiodocker's own objects."""
        return self._docker()


class _Translate:
    def __init__(self, api: Api) -> None:
        self._api = api

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        match error:
            case aiodocker.DockerError() if not failures.is_unreachable(error):
                raise Refused(error.status, error.message) from error
            case asyncio.TimeoutError():
                raise self._unavailable(TimeoutError("no answer in time")) from error
            case asyncio.IncompleteReadError() | aiohttp.ClientPayloadError():
                raise self._unavailable(ConnectionError("the connection broke")) from error
            case aiodocker.DockerError() | aiohttp.ClientError() | OSError():
                raise self._unavailable(error) from error

    def _unavailable(self, error: BaseException) -> errors.DockerUnavailable:
        self._api.forget_version()
        return failures.unavailable(self._api.host, error)


def not_found(container: str) -> errors.NotFound:
    """A container that is not there any more."""
    return errors.NotFound(f"Docker has no container {container[:12]}")
