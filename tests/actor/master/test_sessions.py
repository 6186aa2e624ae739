"""Sessions with nodes and proxies: whose word counts, and how they end with a term."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from orca.errors import Conflict, Fenced, Unavailable
from orca.master.nodes import NodeConnected, NodeGone, NodeReported, NodeSessions
from orca.master.proxies import ProxyConnected, ProxySessions
from orca.model.container import PullPolicy
from orca.model.ids import Epoch, NodeId, ProxyId, ReplicaId
from orca.model.node import NodeFacts
from orca.model.replica import ReplicaState, ReplicaStatus
from orca.rpc import messages
from orca.testing import virtual_time

NODE = NodeId("n1")


class Line:
    """The master's end of a session whose other end is the test."""

    peer = "sim://node"

    def __init__(self) -> None:
        self.said: asyncio.Queue[Any] = asyncio.Queue()
        self.heard: list[Any] = []

    async def send(self, message: Any) -> None:
        self.heard.append(message)

    async def receive(self) -> Any:
        return await self.said.get()

    async def close(self) -> None: ...


class World:
    def __init__(self) -> None:
        self.news: list[Any] = []
        self.nodes = NodeSessions(
            cluster="test", epoch=Epoch(5), heartbeat_seconds=2.0, tell=self.news.append
        )
        self.proxies = ProxySessions(epoch=Epoch(5), heartbeat_seconds=2.0, tell=self.news.append)

    def node(self) -> tuple[Line, asyncio.Task[None]]:
        line = Line()
        return line, asyncio.ensure_future(self.nodes.serve(line))

    def proxy(self) -> tuple[Line, asyncio.Task[None]]:
        line = Line()
        return line, asyncio.ensure_future(self.proxies.serve(line))


def play(script: Callable[[World], Awaitable[None]]) -> World:
    async def main() -> World:
        world = World()
        await script(world)
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        return world

    return virtual_time.run(main())


def hello(epoch: int = 5, *statuses: ReplicaStatus) -> messages.NodeHello:
    return messages.NodeHello(
        node=NODE, name="one", epoch=Epoch(epoch), facts=NodeFacts(), statuses=statuses
    )


def proxy_hello(epoch: int = 5) -> messages.ProxyHello:
    return messages.ProxyHello(proxy=ProxyId("p1"), name="p1", epoch=Epoch(epoch))


def ready(replica: str) -> ReplicaStatus:
    return ReplicaStatus(replica=ReplicaId(replica), state=ReplicaState.RUNNING, ready=True)


def test_node_is_welcomed_and_announced() -> None:
    async def script(world: World) -> None:
        line, _ = world.node()
        line.said.put_nowait(hello())
        await asyncio.sleep(0.1)
        assert isinstance(line.heard[0], messages.Welcome)
        assert world.nodes.connected() == (NODE,)

    assert isinstance(play(script).news[0], NodeConnected)


def test_node_that_stops_delivering_loses_its_session_after_three_heartbeats() -> None:
    async def script(world: World) -> None:
        line, task = world.node()
        line.said.put_nowait(hello())
        await asyncio.sleep(5.9)
        assert not task.done()
        await asyncio.sleep(0.2)
        assert task.done()
        assert world.nodes.connected() == ()

    assert play(script).news[-1] == NodeGone(node=NODE)


@pytest.mark.parametrize("kind", ["node", "proxy"])
def test_whoever_follows_a_newer_leader_is_not_served(kind: str) -> None:
    async def script(world: World) -> None:
        line, task = world.node() if kind == "node" else world.proxy()
        line.said.put_nowait(hello(epoch=6) if kind == "node" else proxy_hello(epoch=6))
        with pytest.raises(Fenced, match="epoch 6"):
            await task
        assert world.nodes.connected() == ()

    announced = [type(each) for each in play(script).news]
    assert NodeConnected not in announced
    assert ProxyConnected not in announced


def test_session_without_a_greeting_is_refused() -> None:
    async def script(world: World) -> None:
        line, task = world.node()
        line.said.put_nowait(messages.Heartbeat(sequence=1))
        with pytest.raises(Conflict, match="hello"):
            await task

    play(script)


@pytest.mark.parametrize("kind", ["node", "proxy"])
def test_session_that_greets_after_the_term_has_ended_is_refused(kind: str) -> None:
    """It would be kept alive by a master that has nothing to say to it any more."""

    async def script(world: World) -> None:
        line, task = world.node() if kind == "node" else world.proxy()
        await asyncio.sleep(1)
        world.nodes.close()
        world.proxies.close()
        line.said.put_nowait(hello() if kind == "node" else proxy_hello())
        with pytest.raises(Unavailable, match="no longer leads"):
            await task

    assert play(script).news == []


def test_sessions_end_with_the_term() -> None:
    async def script(world: World) -> None:
        (node, serving_node), (proxy, serving_proxy) = world.node(), world.proxy()
        node.said.put_nowait(hello())
        proxy.said.put_nowait(proxy_hello())
        await asyncio.sleep(0.1)
        world.nodes.close()
        world.proxies.close()
        await asyncio.wait_for(asyncio.gather(serving_node, serving_proxy), 1.0)

    assert [type(each) for each in play(script).news[:2]] == [NodeConnected, ProxyConnected]


def test_command_under_way_when_the_term_ends_fails_in_words() -> None:
    async def script(world: World) -> None:
        line, _ = world.node()
        line.said.put_nowait(hello())
        await asyncio.sleep(0.1)
        asking = asyncio.ensure_future(
            world.nodes.resolve_image(
                NODE, "app:1", PullPolicy.AUTO, trace="", timeout_seconds=60.0
            )
        )
        await asyncio.sleep(0.1)
        world.nodes.close()
        with pytest.raises(Unavailable, match="no longer leads"):
            await asking

    play(script)


def test_late_word_of_a_replaced_session_does_not_count() -> None:
    async def script(world: World) -> None:
        old, _ = world.node()
        old.said.put_nowait(hello(5, ready("r1")))
        await asyncio.sleep(0.1)
        new, _ = world.node()
        await asyncio.sleep(0.1)
        new.said.put_nowait(hello(5))
        old.said.put_nowait(messages.StatusReport(statuses=(ready("r1"),)))
        await asyncio.sleep(0.1)

    news = play(script).news
    assert [type(each) for each in news].count(NodeConnected) == 2
    assert not any(isinstance(each, NodeReported) for each in news)


def test_node_that_presents_itself_under_another_name_is_refused() -> None:
    async def script(world: World) -> None:
        line = Line()
        line.peer = "orca://node/n2"
        line.said.put_nowait(hello())
        with pytest.raises(Conflict, match="presented itself as node n1"):
            await world.nodes.serve(line)

    assert play(script).news == []
