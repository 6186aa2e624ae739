"""The whole proxy on a real Envoy: a master that says something, clients that meet it."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
from proxy_upstreams import WEB, Upstream, World

from orca import errors
from orca.model.ids import Epoch, ReplicaId
from orca.model.route import Backend, EndpointState, Route
from orca.proxy.app import ProxyApp
from orca.rpc.messages import (
    Heartbeat,
    HeartbeatAck,
    ProxyApplied,
    ProxyCommand,
    ProxyDrained,
    ProxyHello,
    ProxyMessage,
    RouteUpdate,
)
from orca.rpc.session import ChunkStream, NodeSide, ProxySide

EPOCH = Epoch(7)


class Master:
    """The master's end of a session, and the dialer that reaches it."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.heard: asyncio.Queue[ProxyMessage] = asyncio.Queue()
        self._orders: asyncio.Queue[ProxyCommand] = asyncio.Queue()
        self._version = 0

    @property
    def peer(self) -> str:
        return "orca://master/m1"

    async def send(self, message: ProxyMessage) -> None:
        if isinstance(message, Heartbeat):
            await self._orders.put(HeartbeatAck(sequence=message.sequence, epoch=EPOCH))
        else:
            await self.heard.put(message)

    async def receive(self) -> ProxyCommand:
        return await self._orders.get()

    async def close(self) -> None:
        return None

    async def proxy_session(self) -> ProxySide:
        return self

    async def node_session(self) -> NodeSide:
        raise errors.Unavailable("this master has no use for nodes")

    async def stream(self) -> ChunkStream:
        raise errors.Unavailable("this master has no use for streams")

    async def order(self, *states: EndpointState, upstream: Upstream) -> ProxyMessage:
        """Send a complete table and wait for the answer."""
        self._version += 1
        endpoints = tuple(upstream.endpoint(state) for state in states)
        await self._orders.put(
            RouteUpdate(
                epoch=EPOCH,
                version=self._version,
                complete=True,
                routes=(Route(domain="shop.test", path="/", service=WEB),),
                backends=(Backend(service=WEB, endpoints=endpoints),),
            )
        )
        return await self.next()

    async def next(self) -> ProxyMessage:
        async with asyncio.timeout(8):
            return await self.heard.get()


@pytest.fixture
async def master(world: World) -> Master:
    return Master(world)


@asynccontextmanager
async def running(master: Master) -> AsyncIterator[ProxyApp]:
    app = ProxyApp(master.world.settings, master)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(app.run())
        try:
            yield app
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


async def test_master_is_told_what_is_in_force_and_what_has_drained(
    master: Master, world: World, upstream: Upstream
) -> None:
    async with running(master):
        hello = await master.next()
        assert isinstance(hello, ProxyHello)
        assert hello.epoch == 0
        applied = await master.order(EndpointState.SERVING, upstream=upstream)
        assert applied == ProxyApplied(version=1)
        assert await world.status() == 200
        applied = await master.order(EndpointState.DRAINING, upstream=upstream)
        assert applied == ProxyApplied(version=2)
        assert await master.next() == ProxyDrained(replicas=(ReplicaId("one"),))


async def test_killed_envoy_is_back_without_anybody_asking(
    master: Master, world: World, upstream: Upstream
) -> None:
    async with running(master):
        await master.next()
        await master.order(EndpointState.SERVING, upstream=upstream)
        os.kill(_envoy_pid(world), signal.SIGKILL)
        assert await master.next() == ProxyApplied(version=1)
        assert await world.status() == 200


async def test_restart_of_orca_without_a_master_changes_nothing(
    master: Master, world: World, upstream: Upstream
) -> None:
    async with running(master):
        await master.next()
        await master.order(EndpointState.SERVING, upstream=upstream)
    pid = _envoy_pid(world)
    async with world.get("/events") as stream:
        await stream.content.readline()
        silent = Master(world)
        async with running(silent):
            hello = await silent.next()
            assert isinstance(hello, ProxyHello)
            assert hello.epoch == EPOCH
            assert await world.status() == 200
        upstream.release.set()
        assert b"second" in await stream.content.read()
    assert _envoy_pid(world) == pid


async def test_shutdown_from_another_process_ends_envoy(
    master: Master, world: World, upstream: Upstream
) -> None:
    async with running(master):
        await master.next()
        await master.order(EndpointState.SERVING, upstream=upstream)
    assert await ProxyApp(world.settings, master).shutdown_envoy(drain_seconds=0)
    assert not world.envoy.is_alive()
    assert not await ProxyApp(world.settings, master).shutdown_envoy(drain_seconds=0)


async def test_start_on_a_strangers_port_fails_and_leaves_nothing(
    master: Master, world: World
) -> None:
    async def hang_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    stranger = await asyncio.start_server(hang_up, "127.0.0.1", world.settings.http_port)
    async with stranger:
        with pytest.raises(errors.Conflict, match=str(world.settings.http_port)):
            await ProxyApp(world.settings, master).run()
    assert not world.envoy.is_alive()


def _envoy_pid(world: World) -> int:
    (slot,) = world.envoy._process.living()
    pid = slot.pid()
    assert pid is not None
    return pid
