"""A node agent on virtual time, a fake Docker under it, and a scripted master above."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from orca.errors import Unavailable
from orca.model.container import ContainerSpec
from orca.model.ids import Epoch, NodeId, ReplicaId, RevisionNumber, ServiceId
from orca.model.replica import Desired, Replica, ReplicaStatus
from orca.node.app import NodeApp
from orca.node.settings import NodeSettings
from orca.rpc import messages
from orca.rpc.messages import Assignment, Assignments
from orca.testing import virtual_time
from orca.testing.fake_docker import Behaviour, FakeProber, FakeRuntime

END = object()


class Pipe:
    """One side of an in-memory session."""

    def __init__(self, inbox: asyncio.Queue[Any], outbox: asyncio.Queue[Any]) -> None:
        self.inbox = inbox
        self.outbox = outbox
        self.closed = False

    @property
    def peer(self) -> str:
        return "orca://test"

    async def send(self, message: Any) -> None:
        if self.closed:
            raise Unavailable("the session is closed")
        self.outbox.put_nowait(message)

    async def receive(self) -> Any:
        message = END if self.closed else await self.inbox.get()
        if message is END:
            self.closed = True
            raise Unavailable("the session is closed")
        return message

    async def close(self) -> None:
        if not self.closed:
            self.closed = True
            self.outbox.put_nowait(END)
            self.inbox.put_nowait(END)


def pipe() -> tuple[Pipe, Pipe]:
    a: asyncio.Queue[Any] = asyncio.Queue()
    b: asyncio.Queue[Any] = asyncio.Queue()
    return Pipe(a, b), Pipe(b, a)


class Master:
    """Accepts sessions, writes down what it hears, says what it is told to say."""

    def __init__(self, epoch: int = 5) -> None:
        self.epoch = Epoch(epoch)
        self.wanted: dict[ReplicaId, Assignment] = {}
        self.statuses: dict[ReplicaId, ReplicaStatus] = {}
        self.history: list[ReplicaStatus] = []
        self.gone: list[ReplicaId] = []
        self.hellos: list[messages.NodeHello] = []
        self.facts: list[messages.NodeFacts] = []
        self.done: list[messages.CommandDone] = []
        self.streams: asyncio.Queue[Pipe] = asyncio.Queue()
        self.reachable = True
        self.acknowledges = True
        self.greets = True
        self.greets_after = 0.0
        self.dials: list[float] = []
        self._side: Pipe | None = None
        self._serving: set[asyncio.Task[None]] = set()

    # --- Dialer ---

    async def node_session(self) -> Pipe:
        self.dials.append(asyncio.get_running_loop().time())
        await asyncio.sleep(0.001)
        if not self.reachable:
            raise Unavailable("no master answers")
        theirs, self._side = pipe()
        task = asyncio.ensure_future(self._serve(self._side))
        self._serving.add(task)
        return theirs

    async def stream(self) -> Pipe:
        theirs, mine = pipe()
        self.streams.put_nowait(mine)
        return theirs

    async def proxy_session(self) -> Any:
        raise Unavailable("no proxies here")

    async def _serve(self, side: Pipe) -> None:
        try:
            while True:
                await self._hear(side, await side.receive())
        except Unavailable:
            return

    async def _hear(self, side: Pipe, message: messages.NodeMessage) -> None:
        match message:
            case messages.NodeHello():
                self.hellos.append(message)
                self.facts.append(message.facts)
                self._take(message.statuses)
                if self.greets:
                    await asyncio.sleep(self.greets_after)
                    await side.send(
                        messages.Welcome(epoch=self.epoch, cluster="test", heartbeat_seconds=2.0)
                    )
                    await side.send(self._complete())
            case messages.StatusReport():
                self._take(message.statuses)
                self.gone.extend(message.gone)
            case messages.Heartbeat():
                if message.facts is not None:
                    self.facts.append(message.facts)
                if self.acknowledges:
                    await side.send(
                        messages.HeartbeatAck(sequence=message.sequence, epoch=self.epoch)
                    )
            case messages.CommandDone():
                self.done.append(message)

    def _take(self, statuses: tuple[ReplicaStatus, ...]) -> None:
        for status in statuses:
            self.statuses[status.replica] = status
            self.history.append(status)

    def _complete(self) -> Assignments:
        return Assignments(epoch=self.epoch, complete=True, assignments=tuple(self.wanted.values()))

    # --- script ---

    async def want(self, *assignments: Assignment) -> None:
        for each in assignments:
            self.wanted[each.replica.id] = each
        await self.say(Assignments(epoch=self.epoch, complete=False, assignments=assignments))

    async def stop(self, replica: str) -> None:
        found = self.wanted.pop(ReplicaId(replica))
        stopping = replace(found.replica, desired=Desired.STOP, reason="asked to stop")
        await self.say(
            Assignments(
                epoch=self.epoch, complete=False, assignments=(replace(found, replica=stopping),)
            )
        )

    async def say(self, message: messages.MasterMessage) -> None:
        if self._side is not None and not self._side.closed:
            await self._side.send(message)

    async def hang_up(self) -> None:
        if self._side is not None:
            await self._side.close()

    def status(self, replica: str = "r-000001") -> ReplicaStatus:
        return self.statuses[ReplicaId(replica)]

    async def end(self) -> None:
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)


class World:
    """Node, Docker, master."""

    def __init__(self, home: Path, *, live_restore: bool = False) -> None:
        self.home = home
        self.docker = FakeRuntime(seed=1, live_restore=live_restore)
        self.docker.add_image("web", Behaviour(lines=("hello",)))
        self.master = Master()
        self._task: asyncio.Task[None] | None = None

    @property
    def settings(self) -> NodeSettings:
        return NodeSettings(
            home=self.home, cluster="test", name="one", runtime_directory=self.home / "run"
        )

    @property
    def node(self) -> NodeId:
        return NodeId(NodeApp(self.settings, self.master, self.docker).node)

    async def start(self) -> None:
        app = NodeApp(
            self.settings,
            self.master,
            self.docker,
            prober=FakeProber(self.docker),
            now=self.docker.now,
            seed=1,
        )
        self._task = asyncio.ensure_future(app.run())

    async def end(self) -> None:
        """As a kill -9 would: nothing of the agent runs on."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def until(self, condition: Callable[[], Any], seconds: float = 60.0) -> float:
        """Wait until it holds; returns how long that took. Fails after `seconds`."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        while not _holds(condition):
            assert loop.time() - began < seconds, f"not within {seconds} s: {self.master.statuses}"
            await asyncio.sleep(0.005)
        return loop.time() - began

    async def deploy(self, image: str = "web", **changes: Any) -> str:
        """Want one replica; returns its id."""
        found = assignment(image, **changes)
        await self.master.want(found)
        return found.replica.id

    def container(self, replica: str = "r-000001") -> Any:
        found = self.docker.by_replica(replica)
        assert found is not None, f"no container of {replica}"
        return found


def _holds(condition: Callable[[], Any]) -> bool:
    try:
        return bool(condition())
    except (KeyError, AssertionError, IndexError):
        return False


def assignment(
    image: str = "web",
    *,
    replica: str = "r-000001",
    service: str = "shop/web",
    slot: int = 0,
    revision: int = 1,
    port: int = 8080,
    settled_name: bool = False,
    desired: Desired = Desired.RUN,
    secret_files: dict[str, str] | None = None,
    epoch: int = 5,
    min_ready_seconds: float = 0.0,
    **spec: Any,
) -> Assignment:
    files = secret_files or {}
    return Assignment(
        replica=Replica(
            id=ReplicaId(replica),
            service=ServiceId.parse(service),
            revision=RevisionNumber(revision),
            generation=1,
            slot=slot,
            node=NodeId("one"),
            epoch=Epoch(epoch),
            desired=desired,
        ),
        container=ContainerSpec(image=image, port=port, secret_files=tuple(files), **spec),
        spec_hash="0123456789abcdef",
        secret_files=files,
        min_ready_seconds=min_ready_seconds,
        settled_name=settled_name,
    )


def play(script: Callable[[World], Awaitable[None]], *, live_restore: bool = False) -> World:
    """Run a script against a running node, on virtual time, and leave nothing behind."""

    async def main() -> World:
        with tempfile.TemporaryDirectory(prefix="orca-node-") as home:
            world = World(Path(home), live_restore=live_restore)
            await world.start()
            try:
                async with asyncio.timeout(50_000):
                    await world.until(lambda: world.master.hellos)
                    await script(world)
            finally:
                await world.end()
                await world.master.end()
            assert asyncio.all_tasks() == {asyncio.current_task()}
            return world

    return virtual_time.run(main())
