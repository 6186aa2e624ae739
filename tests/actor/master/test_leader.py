"""The leader's loop on a store in memory: what it tells, and what it must not."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import Any

from orca.actors.actor import Ref
from orca.actors.local import LocalEngine
from orca.errors import Fenced, StoreUnavailable
from orca.master.journal import Journal
from orca.master.leader import Mandate, MasterActor, StoreChanged, Surroundings
from orca.master.nodes import NodeSessions
from orca.master.proxies import ProxySessions
from orca.master.publication import Publication
from orca.master.records import Records
from orca.master.vault import Vault
from orca.model.container import ContainerSpec
from orca.model.ids import Epoch, NodeId, RevisionNumber, ServiceId
from orca.model.node import NodeFacts
from orca.model.service import Revision, RevisionSpec, Rollout, Service
from orca.rpc import messages
from orca.secrets.keyring import Keyring, MasterKey
from orca.store.base import Fence, Put, Transaction
from orca.store.keys import Keys
from orca.store.memory import MemoryStore
from orca.testing import virtual_time

WEB = ServiceId("shop", "web")
LEADER = "/leader"


class Line:
    """A node's session, with the test at its other end."""

    peer = "sim://node"

    def __init__(self) -> None:
        self.said: asyncio.Queue[Any] = asyncio.Queue()
        self.heard: list[Any] = []

    async def send(self, message: Any) -> None:
        self.heard.append(message)

    async def receive(self) -> Any:
        return await self.said.get()

    async def close(self) -> None: ...

    def assigned(self) -> list[str]:
        told = [m for m in self.heard if isinstance(m, messages.Assignments)]
        return [str(a.replica.service) for each in told for a in each.assignments]


class World:
    """One leader with one node."""

    def __init__(self, engine: LocalEngine, fence: Fence, store: MemoryStore) -> None:
        self.store = store
        self.valid = True
        self.fenced = False
        self._serving: list[asyncio.Future[None]] = []
        self.records = Records(Keys("test"))
        self.publication = Publication()
        refs: list[Ref[Any]] = []
        self.nodes = NodeSessions(
            cluster="test",
            epoch=Epoch(fence.create_revision),
            heartbeat_seconds=1000.0,
            tell=lambda news: refs[0].tell(news),
        )
        around = Surroundings(
            store=store,
            records=self.records,
            vault=Vault(Keyring(cluster="test", current=MasterKey(bytes(32)))),
            journal=Journal(store, self.records, self.publication),
            publication=self.publication,
            nodes=self.nodes,
            proxies=ProxySessions(epoch=Epoch(1), heartbeat_seconds=1000.0, tell=lambda _: None),
            clock=asyncio.get_running_loop().time,
            fenced=self._be_fenced,
        )
        mandate = Mandate(epoch=Epoch(7), fence=fence, is_valid=lambda: self.valid)
        self.actor: Ref[Any] = engine.spawn("master", lambda: MasterActor(mandate, around))
        refs.append(self.actor)

    def _be_fenced(self) -> None:
        self.fenced = True

    async def watch(self) -> None:
        async with aclosing(self.store.watch(self.records.keys.root)) as batches:
            async for batch in batches:
                self.actor.tell(StoreChanged(batch))

    async def connect(self) -> Line:
        line = Line()
        self._serving.append(asyncio.ensure_future(self.nodes.serve(line)))
        hello = messages.NodeHello(
            node=NodeId("n1"), name="one", epoch=Epoch(0), facts=NodeFacts(docker_version="1")
        )
        line.said.put_nowait(hello)
        await asyncio.sleep(1)
        return line

    async def deploy(self) -> None:
        spec = RevisionSpec(container=ContainerSpec(image="app:1"))
        revision = Revision(
            service=WEB, number=RevisionNumber(1), spec=spec, spec_hash="h", created_at=0.0
        )
        service = Service(id=WEB, revision=RevisionNumber(1), rollout=Rollout(id="r1"))
        writes = (self.records.put(revision), self.records.put(service))
        self.store.server.commit(Transaction(writes=writes))
        await asyncio.sleep(1)


def play(script: Callable[[World], Awaitable[None]]) -> None:
    async def main() -> None:
        store = MemoryStore()
        epoch = (await store.commit(Transaction(writes=(Put(LEADER, b"me"),)))).revision
        async with LocalEngine(report=_refuse, seed=1) as engine:
            world = World(engine, Fence(LEADER, epoch), store)
            watching = asyncio.ensure_future(world.watch())
            await asyncio.sleep(1)
            await script(world)
            watching.cancel()
            world.nodes.close()

    virtual_time.run(main())


def _refuse(name: str, error: BaseException, _delay_seconds: float) -> None:
    raise AssertionError(f"{name} failed") from error


def test_deployed_service_is_assigned_to_a_node() -> None:
    async def script(world: World) -> None:
        line = await world.connect()
        await world.deploy()
        assert line.assigned() == ["shop/web"]
        assert world.publication.latest.problem == ""

    play(script)


def test_leader_whose_commit_outlasts_its_lease_tells_nobody_anything() -> None:
    async def script(world: World) -> None:
        line = await world.connect()

        async def strike(name: str) -> None:
            if name == "commit.reply":
                world.valid = False

        world.store.faults = strike
        await world.deploy()
        assert line.assigned() == []
        assert "not certain" in world.publication.latest.problem

    play(script)


def test_leader_that_was_replaced_is_fenced_and_stops_although_its_clock_trusts_its_lease() -> None:
    async def script(world: World) -> None:
        line = await world.connect()

        async def strike(name: str) -> None:
            if name == "commit":
                raise Fenced("a newer leader exists")

        world.store.faults = strike
        await world.deploy()
        assert world.fenced
        assert line.assigned() == []
        assert "not certain" in world.publication.latest.problem

    play(script)


def test_creation_whose_acknowledgement_was_lost_is_not_doubled() -> None:
    async def script(world: World) -> None:
        await world.connect()

        async def strike(name: str) -> None:
            if name == "commit.reply":
                world.store.faults = lag
                raise StoreUnavailable("no answer")

        async def lag(name: str) -> None:
            if name == "watch":
                await asyncio.sleep(3)

        world.store.faults = strike
        await world.deploy()
        world.store.faults = None
        await asyncio.sleep(5)
        assert len(world.publication.latest.snapshot.replicas) == 1

    play(script)
