"""Requests to the API and what comes back, before it has a type. The only door to aiohttp's client.

Foreign exceptions end here: nobody there, connection lost, too slow, refused with a problem.
"""

from __future__ import annotations

import asyncio
import io
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from contextlib import aclosing, asynccontextmanager, contextmanager
from types import TracebackType
from typing import Self

import aiohttp
from pydantic import ValidationError
from yarl import URL

from orca import errors
from orca.client import schema
from orca.client.settings import TOKEN_FILE, ClientSettings
from orca.telemetry import traceparent

PREFIX = "/api/v1"
PROBLEM_TYPE = "application/problem+json"
CONNECT_SECONDS = 5.0
STREAM_BUFFER_BYTES = 1024 * 1024
FRAME_BYTES_MAX = 1024 * 1024


class Transport:
    """One session with one server."""

    def __init__(self, settings: ClientSettings) -> None:
        self.settings = settings
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        headers = {"Authorization": f"Bearer {self.settings.token}"} if self.settings.token else {}
        self._session = aiohttp.ClientSession(
            headers=headers,
            connector=aiohttp.TCPConnector(ssl=self._ssl()),
            read_bufsize=STREAM_BUFFER_BYTES,
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: schema.Request | None = None,
        headers: Mapping[str, str] | None = None,
        timeout_seconds: float | None = None,
    ) -> bytes:
        """One request and the whole of its answer.

        Raises the error that the server sent, `NoServer`, `Unavailable`, or `DeadlineExceeded`.
        """
        limit = self.settings.timeout_seconds if timeout_seconds is None else timeout_seconds
        with self._translated():
            try:
                async with asyncio.timeout(limit):
                    async with self._request(method, path, query, body, headers) as response:
                        data = await response.read()
            except TimeoutError as error:
                raise errors.DeadlineExceeded(
                    f"{self.settings.url} did not answer {method} {path} within {limit:g} s.",
                    hint="It may still be done; look at `orca status` before trying again.",
                ) from error
        self._refuse(response, data)
        return data

    @asynccontextmanager
    async def stream(
        self, path: str, *, query: Mapping[str, str], headers: Mapping[str, str]
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """The lines of an answer that goes on; closing the block leaves it.

        Raises as `call` does, and `Unavailable` when the stream breaks or falls silent.
        """
        with self._translated():
            async with self._request("GET", path, query, None, headers) as response:
                if response.status >= 400:
                    self._refuse(response, await response.read())
                async with aclosing(self._lines(response)) as lines:
                    yield lines

    @asynccontextmanager
    async def _request(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
        body: schema.Request | None,
        headers: Mapping[str, str] | None,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        sent = {**self._trace(), **(headers or {})}
        data: io.BytesIO | None = None
        if body is not None:
            # Not bytes: aiohttp sends those in one piece, and warns of it.
            data = io.BytesIO(body.model_dump_json().encode())
            sent["Content-Type"] = "application/json"
        async with self._open_session.request(
            method,
            self.url(path, query or {}),
            data=data,
            headers=sent,
            # The token must not follow a redirect to somebody else.
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS),
        ) as response:
            yield response

    async def socket(self, path: str) -> aiohttp.ClientWebSocketResponse:
        """A WebSocket. Raises as `call` does."""
        with self._translated():
            try:
                return await self._open_session.ws_connect(
                    self.url(path, {}),
                    headers=self._trace(),
                    heartbeat=self.settings.silence_seconds / 2,
                    max_msg_size=FRAME_BYTES_MAX,
                )
            except aiohttp.WSServerHandshakeError as error:
                refused = error.status
        # The handshake error has lost the body; a plain request on the same path is refused alike.
        await self.call("GET", path)
        raise errors.Unavailable(f"{self.settings.url} refused the WebSocket with {refused}.")

    def url(self, path: str, query: Mapping[str, str]) -> URL:
        """The whole address; `path` is already percent-encoded."""
        return URL(self.settings.url + PREFIX + path, encoded=True).with_query(dict(query))

    @property
    def _open_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise RuntimeError("use the client in `async with`")
        return self._session

    async def _lines(self, response: aiohttp.ClientResponse) -> AsyncGenerator[bytes, None]:
        rest = b""
        while True:
            try:
                async with asyncio.timeout(self.settings.silence_seconds):
                    chunk = await response.content.readany()
            except TimeoutError as error:
                raise errors.Unavailable(
                    f"The stream from {self.settings.url} fell silent.", hint="Connect again."
                ) from error
            if not chunk:
                return
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                yield line

    def _refuse(self, response: aiohttp.ClientResponse, data: bytes) -> None:
        """Raise what the server said went wrong, if it did."""
        if response.content_type == PROBLEM_TYPE:
            raise self.error_of(_problem(data))
        if response.status >= 300 and response.content_type != "application/json":
            raise errors.Unavailable(
                f"What answers at {self.settings.url} is not orca: HTTP {response.status}.",
                hint="Check ORCA_API, and proxies between here and there.",
            )

    def error_of(self, problem: schema.Problem) -> errors.OrcaError:
        """A problem as the error that it was on the server."""
        hint = problem.hint
        if problem.type == errors.Unauthenticated.kind and problem.status == 401:
            hint = self._token_hint()
        return errors.from_kind(problem.type, problem.title, hint=hint)

    def _token_hint(self) -> str:
        home = self.settings.home
        if not self.settings.token and home is not None and not (home / TOKEN_FILE).exists():
            return (
                f"There is none in {home}: set ORCA_TOKEN, or name the server's home with --home."
            )
        where = f"{home}/{TOKEN_FILE}" if home else TOKEN_FILE
        return f"Set ORCA_TOKEN, or use --token; the admin token of a server is in {where}."

    def _trace(self) -> dict[str, str]:
        here = traceparent.current.get()
        return {"traceparent": str(here)} if here else {}

    def _ssl(self) -> ssl.SSLContext | bool:
        if self.settings.ca_file is None:
            return True
        try:
            return ssl.create_default_context(cafile=str(self.settings.ca_file))
        except OSError as error:
            raise errors.UserError(
                f"{self.settings.ca_file} is not a file of certificates: {error.strerror or error}.",
                hint="Set ORCA_CA_FILE to the CA of the server.",
            ) from error

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """aiohttp's exceptions in our words."""
        url = self.settings.url
        try:
            yield
        except (aiohttp.ClientConnectorCertificateError, aiohttp.ClientConnectorSSLError) as error:
            raise errors.Unavailable(
                f"{url} has a certificate that is not trusted here: {error}.",
                hint="Set ORCA_CA_FILE to the CA of the server.",
            ) from error
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise errors.NoServer(
                f"No orca server answers at {url}.", hint="Start it with `orca server -d`."
            ) from error
        except (aiohttp.ClientError, ConnectionError) as error:
            raise errors.Unavailable(
                f"The connection to {url} broke: {error or type(error).__name__}.",
                hint="What was asked for may have been done; look at `orca status`.",
            ) from error


def _problem(data: bytes) -> schema.Problem:
    try:
        return schema.Problem.model_validate_json(data)
    except ValidationError as error:
        raise errors.Unavailable("The server sent an error that cannot be read.") from error
