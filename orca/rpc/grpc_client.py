"""How nodes and proxies dial a master over gRPC with mutual TLS."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

import grpc

from orca.rpc import convert
from orca.rpc.grpc_session import OPTIONS, GrpcSession
from orca.rpc.session import ChunkStream, NodeSide, ProxySide
from orca.rpc.tls import Identity
from orca.rpc.v1 import node_pb2_grpc, proxy_pb2_grpc

MASTER_NAME = "orca-master"
"""The name every master's certificate carries, whatever address it is dialled by."""


END_SECONDS = 2.0
"""Longest wait for the master to end a stream that this side has finished."""


class GrpcDialer:
    """Dials one master. One channel serves all sessions; `close` ends it."""

    def __init__(self, address: str, identity: Callable[[], Identity]) -> None:
        """`address` is `host:port`; `identity` is asked anew whenever a channel has to be built."""
        self._address = address
        self._identity = identity
        self._channel: grpc.aio.Channel | None = None

    async def node_session(self) -> NodeSide:
        """Dial the node's session."""
        stub = node_pb2_grpc.NodeServiceStub(await self._ready())  # type: ignore[no-untyped-call]
        call = stub.Session()
        return self._session(call, convert.node_to_wire, convert.master_from_wire)

    async def stream(self) -> ChunkStream:
        """Dial a bulk stream."""
        stub = node_pb2_grpc.NodeServiceStub(await self._ready())  # type: ignore[no-untyped-call]
        call = stub.Stream()
        return self._session(call, convert.chunk_to_wire, convert.chunk_from_wire)

    async def proxy_session(self) -> ProxySide:
        """Dial the proxy's session."""
        stub = proxy_pb2_grpc.ProxyServiceStub(await self._ready())  # type: ignore[no-untyped-call]
        call = stub.Session()
        return self._session(call, convert.proxy_to_wire, convert.command_from_wire)

    def _session(
        self, call: Any, encode: Callable[[Any], Any], decode: Callable[[Any], Any]
    ) -> GrpcSession[Any, Any]:
        async def end() -> None:
            """Let what was sent arrive: a cancelled call takes it back."""
            with contextlib.suppress(grpc.RpcError, asyncio.InvalidStateError, TimeoutError):
                async with asyncio.timeout(END_SECONDS):
                    await call.done_writing()
                    await call.code()
            call.cancel()

        peer = f"master {self._address}"
        return GrpcSession(call, peer=peer, encode=encode, decode=decode, end=end)

    async def _ready(self) -> grpc.aio.Channel:
        state = None if self._channel is None else self._channel.get_state(try_to_connect=True)
        if self._channel is None or state is grpc.ChannelConnectivity.SHUTDOWN:
            self._channel = self._dial()
        return self._channel

    def _dial(self) -> grpc.aio.Channel:
        options: list[tuple[str, Any]] = [
            *OPTIONS,
            ("grpc.ssl_target_name_override", MASTER_NAME),
            ("grpc.initial_reconnect_backoff_ms", 100),
            ("grpc.max_reconnect_backoff_ms", 2_000),
            ("grpc.enable_http_proxy", 0),
        ]
        credentials = self._identity().grpc_channel_credentials()
        return grpc.aio.secure_channel(self._address, credentials, options=options)

    async def renew(self) -> None:
        """Use a new certificate from the next session on."""
        await self.close()

    async def close(self) -> None:
        """End all sessions."""
        if self._channel is not None:
            channel, self._channel = self._channel, None
            await channel.close(grace=None)
