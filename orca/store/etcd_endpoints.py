"""Connections to etcd's endpoints: one channel each, failover and deadlines.

It knows nothing of keys or transactions: it carries one request to an endpoint that answers. Requests
are repeated on another endpoint until the deadline, so callers send only what is safe to repeat.

The hard part is to leave a bad endpoint soon: a refused connection fails at once, a frozen process never
does. So an attempt gets only a part of the deadline, streams are kept honest by HTTP/2 pings, and an
endpoint that failed goes to the end of the line.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias

import grpc
import grpc.aio

from orca import errors
from orca.store.etcd_errors import TokenExpired, is_transient, translate
from orca.store.etcd_methods import AUTHENTICATE, Method, ReplyT, RequestT
from orca.store.etcd_settings import EtcdSettings, credentials
from orca.store.etcdpb import rpc_pb2

REQUESTS_AT_ONCE: Final = 100
"""One channel loses requests when thousands are in flight."""

_RETRY_SECONDS_MIN: Final = 0.05
_RETRY_SECONDS_MAX: Final = 0.5

_CHANNEL_OPTIONS: Final = (
    # etcd refuses clients that ping more often than every 5 s.
    ("grpc.keepalive_time_ms", 6_000),
    ("grpc.keepalive_timeout_ms", 3_000),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 2_000),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    # The control plane's memory is never reached through a web proxy.
    ("grpc.enable_http_proxy", 0),
    # A channel must not inherit the reconnect backoff of an earlier one.
    ("grpc.use_local_subchannel_pool", 1),
)


Diagnosis: TypeAlias = Callable[[], errors.Unavailable | None]
"""Knows better why etcd does not answer, or returns None."""


def no_diagnosis() -> errors.Unavailable | None:
    """For an etcd of which nothing is known but its endpoints."""
    return None


class Endpoint:
    """One server and the channel to it, which is opened on first use."""

    def __init__(self, url: str, credentials: grpc.ChannelCredentials | None) -> None:
        scheme, _, address = url.rpartition("://")
        if scheme == "https" and credentials is None:
            raise errors.UserError(
                f"etcd at {url} speaks TLS, but no certificate files are configured."
            )
        self.url = url
        self._address = address.rstrip("/")
        self._credentials = None if scheme == "http" else credentials
        self._channel: grpc.aio.Channel | None = None

    def __repr__(self) -> str:
        return f"Endpoint({self.url!r})"

    async def call(
        self,
        method: Method[RequestT, ReplyT],
        request: RequestT,
        *,
        timeout_seconds: float,
        metadata: Sequence[tuple[str, str]] = (),
    ) -> ReplyT:
        """One attempt; raises grpc's own errors."""
        send = self._open().unary_unary(
            method.path,
            request_serializer=method.request.SerializeToString,
            response_deserializer=method.reply.FromString,
        )
        reply: ReplyT = await send(request, timeout=timeout_seconds, metadata=tuple(metadata))
        return reply

    def stream(
        self, method: Method[RequestT, ReplyT], *, metadata: Sequence[tuple[str, str]] = ()
    ) -> grpc.aio.StreamStreamCall[Any, Any]:
        """A stream both ways, without a deadline."""
        start = self._open().stream_stream(
            method.path,
            request_serializer=method.request.SerializeToString,
            response_deserializer=method.reply.FromString,
        )
        return start(None, metadata=tuple(metadata))

    async def close(self) -> None:
        if self._channel is not None:
            await self._channel.close(None)

    def _open(self) -> grpc.aio.Channel:
        # Not in the constructor: a channel belongs to the loop that runs when it is made.
        if self._channel is None:
            if self._credentials is None:
                self._channel = grpc.aio.insecure_channel(self._address, _CHANNEL_OPTIONS)
            else:
                self._channel = grpc.aio.secure_channel(
                    self._address, self._credentials, _CHANNEL_OPTIONS
                )
        return self._channel


class Endpoints:
    """All endpoints of one etcd cluster, the one that answered last in front."""

    def __init__(
        self,
        settings: EtcdSettings,
        *,
        diagnosis: Diagnosis = no_diagnosis,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        if not settings.endpoints:
            raise errors.UserError("No etcd endpoint is configured.")
        key = credentials(settings.tls)
        self.line = [Endpoint(url, key) for url in settings.endpoints]
        self._settings = settings
        self._diagnosis = diagnosis
        self._jitter = jitter
        self._token = ""
        self._room = asyncio.Semaphore(REQUESTS_AT_ONCE)

    @property
    def first(self) -> Endpoint:
        """The endpoint that requests go to now."""
        return self.line[0]

    async def call(self, method: Method[RequestT, ReplyT], request: RequestT) -> ReplyT:
        """Carry a request that is safe to repeat; returns the first answer within the deadline."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._settings.timeout_seconds
        pause = _RETRY_SECONDS_MIN
        async with self._room:
            while True:
                endpoint = self.first
                try:
                    return await self._attempt(endpoint, method, request, deadline - loop.time())
                except grpc.aio.AioRpcError as error:
                    problem = self.judged(error, endpoint)
                    problem.__cause__ = error
                    if not (is_transient(error) or isinstance(problem, TokenExpired)):
                        raise problem from error
                delay = pause * (0.5 + self._jitter())
                if loop.time() + delay >= deadline:
                    raise self.known_cause() or problem from problem.__cause__
                await asyncio.sleep(delay)
                pause = min(pause * 2, _RETRY_SECONDS_MAX)

    async def once(self, method: Method[RequestT, ReplyT], request: RequestT) -> ReplyT:
        """Carry a request that must not be repeated."""
        endpoint = self.first
        try:
            return await self._attempt(endpoint, method, request, self._settings.timeout_seconds)
        except grpc.aio.AioRpcError as error:
            raise self.judged(error, endpoint) from error

    def judged(self, error: grpc.aio.AioRpcError, endpoint: Endpoint) -> errors.OrcaError:
        """What the error means to the caller; what it says of endpoint and session is noted."""
        translated = translate(error, endpoint.url)
        if isinstance(translated, TokenExpired):
            self.forget_session()
        elif is_transient(error):
            self.failed(endpoint)
        return translated

    def failed(self, endpoint: Endpoint) -> None:
        """Send the endpoint to the end of the line, unless somebody did so already."""
        if endpoint is self.first:
            self.line.append(self.line.pop(0))

    def forget_session(self) -> None:
        """Log in again with the next request."""
        self._token = ""

    async def metadata(self) -> tuple[tuple[str, str], ...]:
        """What goes with every request: the session's token, if a login is configured."""
        login = self._settings.login
        if login is None:
            return ()
        if not self._token:
            request = rpc_pb2.AuthenticateRequest(name=login.user, password=login.password)
            timeout_seconds = self._settings.attempt_timeout_seconds
            reply = await self.first.call(AUTHENTICATE, request, timeout_seconds=timeout_seconds)
            self._token = reply.token
        return (("token", self._token),)

    async def close(self) -> None:
        for endpoint in self.line:
            await endpoint.close()

    async def _attempt(
        self,
        endpoint: Endpoint,
        method: Method[RequestT, ReplyT],
        request: RequestT,
        seconds_left: float,
    ) -> ReplyT:
        return await endpoint.call(
            method,
            request,
            timeout_seconds=max(0.001, min(seconds_left, self._attempt_seconds())),
            metadata=await self.metadata(),
        )

    def known_cause(self) -> errors.Unavailable | None:
        """What is known from elsewhere to be wrong with etcd."""
        known = self._diagnosis()
        return None if known is None else type(known)(known.message, hint=known.hint)

    def _attempt_seconds(self) -> float:
        # With a single endpoint there is nowhere else to go: wait for it.
        alone = len(self.line) == 1
        return self._settings.timeout_seconds if alone else self._settings.attempt_timeout_seconds
