"""The master's gRPC server: accepts sessions of nodes and proxies whose certificate the cluster signed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import grpc

from orca.errors import Conflict, OrcaError, Unavailable
from orca.processes import listener_of
from orca.rpc import convert
from orca.rpc.grpc_session import OPTIONS, GrpcSession
from orca.rpc.session import Acceptor
from orca.rpc.tls import peer_uri
from orca.rpc.v1 import node_pb2_grpc, proxy_pb2_grpc


class GrpcServer:
    """Serves an `Acceptor` on one port."""

    def __init__(
        self,
        acceptor: Acceptor,
        *,
        host: str,
        port: int,
        credentials: grpc.ServerCredentials,
    ) -> None:
        self._acceptor = acceptor
        self._host = host
        self._port = port
        self._credentials = credentials
        self._server: grpc.aio.Server | None = None

    @property
    def port(self) -> int:
        """The port in use; differs from the one asked for only when that was 0."""
        return self._port

    async def start(self) -> None:
        """Listen. Raises `Conflict` naming who holds the port."""
        server = grpc.aio.server(options=OPTIONS)
        node_pb2_grpc.add_NodeServiceServicer_to_server(_Nodes(self._acceptor), server)  # type: ignore[no-untyped-call]
        proxy_pb2_grpc.add_ProxyServiceServicer_to_server(_Proxies(self._acceptor), server)  # type: ignore[no-untyped-call]
        try:
            self._port = server.add_secure_port(f"{self._host}:{self._port}", self._credentials)
        except RuntimeError as error:
            holder = listener_of(self._port, self._host) or "another program"
            raise Conflict(
                f"port {self._port} for gRPC is taken by {holder}",
                hint="stop it, or set another port in cluster.toml: [cluster] grpc_port",
            ) from error
        await server.start()
        self._server = server

    async def stop(self, *, grace_seconds: float = 1.0) -> None:
        """End all sessions."""
        if self._server is not None:
            server, self._server = self._server, None
            await server.stop(grace_seconds)


async def _serve(
    handle: Callable[[Any], Any],
    context: Any,
    encode: Callable[[Any], Any],
    decode: Callable[[Any], Any],
) -> None:
    async def end() -> None:
        """The stream ends when the handler returns."""

    peer = peer_uri(context) or context.peer()
    session: GrpcSession[Any, Any] = GrpcSession(
        context, peer=peer, encode=encode, decode=decode, end=end
    )
    try:
        await handle(session)
    except Unavailable as error:
        await context.abort(grpc.StatusCode.UNAVAILABLE, error.message)
    except OrcaError as error:
        await context.abort(grpc.StatusCode.FAILED_PRECONDITION, error.message)
    finally:
        await session.close()


class _Nodes(node_pb2_grpc.NodeServiceServicer):
    def __init__(self, acceptor: Acceptor) -> None:
        self._acceptor = acceptor

    async def Session(self, _requests: Any, context: Any) -> None:
        handle = self._acceptor.node_session
        await _serve(handle, context, convert.master_to_wire, convert.node_from_wire)

    async def Stream(self, _requests: Any, context: Any) -> None:
        await _serve(self._acceptor.stream, context, convert.chunk_to_wire, convert.chunk_from_wire)


class _Proxies(proxy_pb2_grpc.ProxyServiceServicer):
    def __init__(self, acceptor: Acceptor) -> None:
        self._acceptor = acceptor

    async def Session(self, _requests: Any, context: Any) -> None:
        handle = self._acceptor.proxy_session
        await _serve(handle, context, convert.command_to_wire, convert.proxy_from_wire)
