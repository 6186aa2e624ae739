"""Connections to etcd's endpoints: one channel each, failover, deadlines, and the table of errors.

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
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Generic, TypeAlias, TypeVar

import grpc
import grpc.aio
from google.protobuf.message import Message

from orca import errors
from orca.store.etcdpb import rpc_pb2

RequestT = TypeVar("RequestT", bound=Message)
ReplyT = TypeVar("ReplyT", bound=Message)

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

_TRANSIENT: Final = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.UNKNOWN,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.ABORTED,
    }
)


class Compacted(errors.Unavailable):
    """The revision asked for was compacted away; list again. Never leaves the store."""

    kind = "store_compacted"


class LeaseUnknown(errors.Conflict):
    """The lease named does not exist (any more). Never leaves the store."""

    kind = "store_lease_unknown"


class TokenExpired(errors.StoreUnavailable):
    """The login must be repeated. Never leaves the store."""

    kind = "store_token_expired"


@dataclass(frozen=True, slots=True, kw_only=True)
class EtcdTls:
    """Files (PEM) of a mutual TLS connection."""

    ca_file: Path
    cert_file: Path
    key_file: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class EtcdLogin:
    """A user of etcd's own access control."""

    user: str
    password: str

    def __repr__(self) -> str:
        return f"EtcdLogin(user={self.user!r})"


@dataclass(frozen=True, slots=True, kw_only=True)
class EtcdSettings:
    """How to reach etcd.

    `endpoints` are `host:port`, with or without `http://` or `https://`. `timeout_seconds` bounds a
    request with all its retries, `attempt_timeout_seconds` one try on one endpoint.
    """

    endpoints: tuple[str, ...]
    tls: EtcdTls | None = None
    login: EtcdLogin | None = None
    timeout_seconds: float = 5.0
    attempt_timeout_seconds: float = 2.0


@dataclass(frozen=True, slots=True)
class Method(Generic[RequestT, ReplyT]):
    """One call of etcd's API, by its name on the wire."""

    path: str
    reply: type[ReplyT]
    request: type[RequestT]


RANGE: Final = Method("/etcdserverpb.KV/Range", rpc_pb2.RangeResponse, rpc_pb2.RangeRequest)
TXN: Final = Method("/etcdserverpb.KV/Txn", rpc_pb2.TxnResponse, rpc_pb2.TxnRequest)
COMPACT: Final = Method(
    "/etcdserverpb.KV/Compact", rpc_pb2.CompactionResponse, rpc_pb2.CompactionRequest
)
WATCH: Final = Method("/etcdserverpb.Watch/Watch", rpc_pb2.WatchResponse, rpc_pb2.WatchRequest)
LEASE_GRANT: Final = Method(
    "/etcdserverpb.Lease/LeaseGrant", rpc_pb2.LeaseGrantResponse, rpc_pb2.LeaseGrantRequest
)
LEASE_REVOKE: Final = Method(
    "/etcdserverpb.Lease/LeaseRevoke", rpc_pb2.LeaseRevokeResponse, rpc_pb2.LeaseRevokeRequest
)
LEASE_KEEP_ALIVE: Final = Method(
    "/etcdserverpb.Lease/LeaseKeepAlive",
    rpc_pb2.LeaseKeepAliveResponse,
    rpc_pb2.LeaseKeepAliveRequest,
)
ALARM: Final = Method(
    "/etcdserverpb.Maintenance/Alarm", rpc_pb2.AlarmResponse, rpc_pb2.AlarmRequest
)
STATUS: Final = Method(
    "/etcdserverpb.Maintenance/Status", rpc_pb2.StatusResponse, rpc_pb2.StatusRequest
)
DEFRAGMENT: Final = Method(
    "/etcdserverpb.Maintenance/Defragment",
    rpc_pb2.DefragmentResponse,
    rpc_pb2.DefragmentRequest,
)
AUTHENTICATE: Final = Method(
    "/etcdserverpb.Auth/Authenticate",
    rpc_pb2.AuthenticateResponse,
    rpc_pb2.AuthenticateRequest,
)


def translate(error: grpc.aio.AioRpcError, endpoint: str) -> errors.OrcaError:
    """The one table from etcd's errors to ours."""
    code, details = error.code(), error.details() or ""
    if "database space exceeded" in details or "no space left" in details:
        return errors.StoreFull(
            f"etcd at {endpoint} refuses writes: its space quota is used up.",
            hint="Delete what is not needed, or raise the quota; then compact and defragment.",
        )
    if "revision has been compacted" in details:
        return Compacted(f"etcd at {endpoint}: {details}.")
    if "requested lease not found" in details:
        return LeaseUnknown(f"etcd at {endpoint}: {details}.")
    if "invalid auth token" in details:
        return TokenExpired(f"etcd at {endpoint}: {details}.")
    if code in (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED) or (
        code is grpc.StatusCode.INVALID_ARGUMENT and "authentication failed" in details
    ):
        return errors.StoreUnavailable(
            f"etcd at {endpoint} does not let us in: {details}.",
            hint="Check the user and password of [store], and that user's role in etcd.",
        )
    if "request is too large" in details or "too many operations" in details:
        return errors.UserError(f"etcd at {endpoint} refuses the request: {details}.")
    return errors.StoreUnavailable(
        f"etcd at {endpoint} does not answer: {details or code.name.lower()}.",
        hint="Check that etcd runs, and that it has a leader.",
    )


def is_transient(error: grpc.aio.AioRpcError) -> bool:
    """Whether another try, or another endpoint, may mend it."""
    details = error.details() or ""
    overloaded = "too many requests" in details
    return overloaded or (error.code() in _TRANSIENT and "no space left" not in details)


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


def credentials(tls: EtcdTls | None) -> grpc.ChannelCredentials | None:
    """Read the files; raises UserError naming one that cannot be read."""
    if tls is None:
        return None
    try:
        return grpc.ssl_channel_credentials(
            root_certificates=tls.ca_file.read_bytes(),
            private_key=tls.key_file.read_bytes(),
            certificate_chain=tls.cert_file.read_bytes(),
        )
    except OSError as error:
        raise errors.UserError(
            f"The etcd client's file {error.filename} cannot be read: {error.strerror}."
        ) from error


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
