"""Sessions over real gRPC with mutual TLS: order, endings, identities."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from orca.errors import Conflict, Unavailable
from orca.model.ids import Epoch, NodeId
from orca.model.node import NodeFacts
from orca.rpc.grpc_client import MASTER_NAME, GrpcDialer
from orca.rpc.grpc_server import GrpcServer
from orca.rpc.messages import Heartbeat, HeartbeatAck, NodeHello, StreamChunk
from orca.rpc.session import ChunkStream, MasterSide, ProxyMasterSide
from orca.rpc.tls import CertificateAuthority, Identity

HELLO = NodeHello(node=NodeId("n1"), name="n1", epoch=Epoch(0), facts=NodeFacts())


class Echo:
    """Answers heartbeats, collects chunks, notes who called."""

    def __init__(self) -> None:
        self.peers: list[str] = []
        self.received: list[bytes] = []
        self.done = asyncio.Event()

    async def node_session(self, session: MasterSide) -> None:
        self.peers.append(session.peer)
        while True:
            message = await session.receive()
            if isinstance(message, Heartbeat):
                await session.send(HeartbeatAck(sequence=message.sequence, epoch=Epoch(1)))

    async def stream(self, stream: ChunkStream) -> None:
        try:
            while True:
                self.received.append((await stream.receive()).data)
        finally:
            self.done.set()

    async def proxy_session(self, session: ProxyMasterSide) -> None:
        raise Unavailable("this master does not lead")


def identity(authority: CertificateAuthority, uri: str) -> Identity:
    return authority.issue(
        common_name="test",
        uri=uri,
        dns=(MASTER_NAME,),
        ips=("127.0.0.1",),
        lifetime=timedelta(hours=1),
        now=datetime.now(UTC),
    )


@pytest.fixture
def authority(tmp_path: Path) -> CertificateAuthority:
    return CertificateAuthority.load_or_create(tmp_path, cluster="t", now=datetime.now(UTC))


@pytest.fixture
async def echo(authority: CertificateAuthority) -> AsyncIterator[tuple[Echo, GrpcServer]]:
    acceptor = Echo()
    credentials = identity(authority, "orca://master").grpc_server_credentials()
    server = GrpcServer(acceptor, host="127.0.0.1", port=0, credentials=credentials)
    await server.start()
    yield acceptor, server
    await server.stop(grace_seconds=0)


@pytest.fixture
async def dialer(
    echo: tuple[Echo, GrpcServer], authority: CertificateAuthority
) -> AsyncIterator[GrpcDialer]:
    made = GrpcDialer(f"127.0.0.1:{echo[1].port}", lambda: identity(authority, "orca://node/n1"))
    yield made
    await made.close()


async def test_session_carries_messages_both_ways_and_proves_who_calls(
    echo: tuple[Echo, GrpcServer], dialer: GrpcDialer
) -> None:
    session = await dialer.node_session()
    await session.send(HELLO)
    for sequence in range(3):
        await session.send(Heartbeat(sequence=sequence))
        answer = await session.receive()
        assert isinstance(answer, HeartbeatAck)
        assert answer.sequence == sequence
    await session.close()
    assert echo[0].peers == ["orca://node/n1"]


async def test_stream_that_is_closed_at_once_loses_nothing(
    echo: tuple[Echo, GrpcServer], dialer: GrpcDialer
) -> None:
    stream = await dialer.stream()
    for number in range(200):
        await stream.send(StreamChunk(stream="t", data=str(number).encode()))
    await stream.close()
    await asyncio.wait_for(echo[0].done.wait(), 5)
    assert echo[0].received == [str(number).encode() for number in range(200)]


async def test_receiver_that_gives_up_waiting_does_not_end_the_stream(
    echo: tuple[Echo, GrpcServer], dialer: GrpcDialer
) -> None:
    session = await dialer.node_session()
    await session.send(HELLO)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(session.receive(), 0.05)
    await session.send(Heartbeat(sequence=7))
    answer = await asyncio.wait_for(session.receive(), 5)
    assert answer == HeartbeatAck(sequence=7, epoch=Epoch(1))
    await session.close()


async def test_refusal_by_the_master_is_unavailable_with_its_reason(dialer: GrpcDialer) -> None:
    session = await dialer.proxy_session()
    with pytest.raises(Unavailable, match="does not lead"):
        await session.receive()


async def test_session_ends_as_unavailable_when_the_server_stops(
    echo: tuple[Echo, GrpcServer], dialer: GrpcDialer
) -> None:
    session = await dialer.node_session()
    await session.send(HELLO)
    await echo[1].stop(grace_seconds=0)
    with pytest.raises(Unavailable):
        await session.receive()


async def test_master_that_is_not_there_is_unavailable(authority: CertificateAuthority) -> None:
    dialer = GrpcDialer("127.0.0.1:1", lambda: identity(authority, "orca://node/n1"))
    session = await dialer.node_session()
    with pytest.raises(Unavailable):
        await session.receive()
    await dialer.close()


async def test_certificate_of_another_cluster_is_refused(
    echo: tuple[Echo, GrpcServer], tmp_path: Path
) -> None:
    stranger = CertificateAuthority.load_or_create(
        tmp_path / "other", cluster="x", now=datetime.now(UTC)
    )
    dialer = GrpcDialer(f"127.0.0.1:{echo[1].port}", lambda: identity(stranger, "orca://node/n1"))
    session = await dialer.node_session()
    with pytest.raises(Unavailable):
        await session.receive()
    await dialer.close()
    assert echo[0].peers == []


async def test_taken_port_names_its_holder(
    echo: tuple[Echo, GrpcServer], authority: CertificateAuthority
) -> None:
    credentials = identity(authority, "orca://master").grpc_server_credentials()
    second = GrpcServer(Echo(), host="127.0.0.1", port=echo[1].port, credentials=credentials)
    with pytest.raises(Conflict, match=r"taken by .*pid"):
        await second.start()
