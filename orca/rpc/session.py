"""A session: messages both ways between two programs, in order, until it breaks.

Programs are written against these protocols. `grpc_client.py` and `grpc_server.py` carry them over
gRPC, `orca.testing.sim.links` in memory with scriptable loss and delay.
"""

from __future__ import annotations

from typing import Protocol, TypeVar

from orca.rpc import messages

Out_contra = TypeVar("Out_contra", contravariant=True)
In_co = TypeVar("In_co", covariant=True)


class Session(Protocol[Out_contra, In_co]):
    """One side of a stream."""

    @property
    def peer(self) -> str:
        """Who is at the other end, as proved by its certificate: `orca://node/<id>`."""
        ...

    async def send(self, message: Out_contra) -> None:
        """Hand a message over. Raises `Unavailable` once the session is broken."""
        ...

    async def receive(self) -> In_co:
        """Wait for the next message. Raises `Unavailable` once the session is broken or closed."""
        ...

    async def close(self) -> None:
        """End the session; idempotent."""
        ...


NodeSide = Session[messages.NodeMessage, messages.MasterMessage]
MasterSide = Session[messages.MasterMessage, messages.NodeMessage]
ProxySide = Session[messages.ProxyMessage, messages.ProxyCommand]
ProxyMasterSide = Session[messages.ProxyCommand, messages.ProxyMessage]
ChunkStream = Session[messages.StreamChunk, messages.StreamChunk]


class Dialer(Protocol):
    """How nodes and proxies reach the leading master. Each call raises `Unavailable` when it cannot."""

    async def node_session(self) -> NodeSide:
        """Dial the node's session."""
        ...

    async def stream(self) -> ChunkStream:
        """Dial a bulk stream."""
        ...

    async def proxy_session(self) -> ProxySide:
        """Dial the proxy's session."""
        ...


class Acceptor(Protocol):
    """What a master does with sessions that were dialled. Each call lasts as long as its session."""

    async def node_session(self, session: MasterSide) -> None:
        """Serve a node."""
        ...

    async def stream(self, stream: ChunkStream) -> None:
        """Serve a bulk stream."""
        ...

    async def proxy_session(self, session: ProxyMasterSide) -> None:
        """Serve a proxy."""
        ...
