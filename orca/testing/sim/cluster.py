"""A whole cluster in one event loop: masters, nodes and proxies as they are, everything around them fake.

The programs are the real ones (`MasterApp` with a real election, `NodeApp`, `ProxyApp`); store, engines,
Envoys, network and time are simulated. One seed decides everything, so that a failing run can be
repeated step by step.

Each program runs in a `Process` and can be killed, frozen or ended at any moment. What it leaves behind
(its home, its engine's containers, its Envoy, its keys in the store) stays for its successor.
"""

from __future__ import annotations

import asyncio
import random
import tempfile
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from orca.client import schema
from orca.errors import DeadlineExceeded, Unavailable
from orca.master.app import MasterApp
from orca.master.control import Principal, Role
from orca.master.control_plane import MasterControlPlane
from orca.master.settings import MasterSettings
from orca.model.ids import NodeId
from orca.model.route import RouteTable
from orca.node.app import NodeApp
from orca.node.record import Identity
from orca.node.settings import NodeSettings
from orca.processes import ProcessRecord
from orca.proxy.app import ProxyApp
from orca.proxy.memory import Remembered
from orca.proxy.settings import ProxySettings
from orca.secrets.keyring import Keyring, MasterKey
from orca.store.election import Election, Holder
from orca.store.keys import Keys
from orca.testing.fake_docker import BOOT_SECONDS, FakeProber
from orca.testing.fake_envoy import FakeEnvoy
from orca.testing.sim.docker import SimEngine
from orca.testing.sim.links import Network, SimDialer
from orca.testing.sim.monitor import Monitor
from orca.testing.sim.processes import Process, SimLoop
from orca.testing.sim.store import SimServer, SimStore

T = TypeVar("T")

CLUSTER = "sim"
USER = Principal(name="user", role=Role.ADMIN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """How large a cluster is."""

    masters: int = 1
    nodes: int = 1
    proxies: int = 1
    live_restore: bool = True


class Host:
    """A place where one program runs, again and again."""

    def __init__(self, name: str, cluster: SimCluster) -> None:
        self.name = name
        self.host = name
        self.process: Process | None = None
        self._cluster = cluster
        self._starts = 0

    def __repr__(self) -> str:
        return f"<{self.name} {self.process}>"

    @property
    def is_up(self) -> bool:
        """Whether its program runs, frozen or not."""
        return self.process is not None

    def start(self) -> None:
        """Start the program, unless it runs."""
        if self.process is None:
            self._starts += 1
            self.process = Process(f"{self.name}#{self._starts}")
            self._cluster.monitor.note(f"{self.process.name} starts")
            self._cluster.processes.append(self.process)
            self.process.start(self.build(self.process))

    def build(self, process: Process) -> Coroutine[Any, Any, None]:
        """The program, not yet running."""
        raise NotImplementedError

    def kill(self) -> None:
        """As SIGKILL does."""
        if self.process is not None:
            self._cluster.monitor.note(f"{self.process.name} is killed")
            process, self.process = self.process, None
            process.kill()
            self._cluster.network.process_died(process)

    async def terminate(self) -> None:
        """As SIGTERM does; killed when it does not end."""
        process, self.process = self.process, None
        if process is None:
            return
        self._cluster.monitor.note(f"{process.name} is told to end")
        try:
            async with asyncio.timeout(20.0):
                await process.terminate()
        except TimeoutError:
            self._cluster.monitor.blame(f"{process.name} does not end within 20 s")
        finally:
            process.kill()
            self._cluster.network.process_died(process)

    def chance(self) -> random.Random:
        """The chance of one run of the program."""
        return random.Random(f"{self._cluster.seed}/{self.name}/{self._starts}")


class MasterHost(Host):
    """A master."""

    def __init__(self, name: str, cluster: SimCluster) -> None:
        super().__init__(name, cluster)
        self.store = SimStore(cluster.server, master=name, chance=random.Random(f"{name} store"))
        self.app: MasterApp | None = None

    @property
    def acceptor(self) -> MasterApp:
        """Implements `links.Listener`."""
        assert self.app is not None  # noqa: S101  the network asks only while it runs
        return self.app

    @property
    def leads(self) -> bool:
        """Whether it believes that it leads."""
        return self.app is not None and self.is_up and self.app.control.health().ready

    def build(self, process: Process) -> Coroutine[Any, Any, None]:
        cluster, chance = self._cluster, self.chance()
        store = SimStore(cluster.server, master=self.name, chance=chance)
        store.weather, self.store = self.store.weather, store
        pid = cluster.new_pid(self)
        holder = Holder(
            name=self.name, pid=pid, start_ticks=0, boot_id=self.name, pid_namespace="sim"
        )
        election = Election(
            store,
            Keys(CLUSTER).leader(),
            holder,
            is_running=cluster.is_running,
            jitter=chance.random,
        )
        self.app = MasterApp(
            MasterSettings(cluster=CLUSTER, name=self.name),
            store=store,
            election=election,
            keyring=Keyring(cluster=CLUSTER, current=MasterKey(bytes(32))),
            clock=cluster.now,
            reload=_no_reload,
            chance=chance,
        )
        return self.app.run()


class NodeHost(Host):
    """A node with its engine."""

    def __init__(self, name: str, cluster: SimCluster, *, index: int, live_restore: bool) -> None:
        super().__init__(name, cluster)
        self.engine = SimEngine(
            name,
            index=index,
            seed=cluster.seed * 100 + index,
            now=cluster.now,
            live_restore=live_restore,
            observer=cluster.monitor,
        )
        self._home = cluster.home / name
        cluster.monitor.watch_engine(self.engine)

    def build(self, process: Process) -> Coroutine[Any, Any, None]:
        self._write_identity()
        settings = NodeSettings(
            home=self._home,
            cluster=CLUSTER,
            name=self.name,
            runtime_directory=self._home / "run",
        )
        return NodeApp(
            settings,
            self._cluster.dialer(self, process),
            self.engine,
            prober=FakeProber(self.engine),
            now=self._cluster.now,
            seed=self.chance().getrandbits(32),
        ).run()

    def _write_identity(self) -> None:
        """The node would choose its id by chance that is not ours."""
        path = self._home / "node" / "node.json"
        if not path.exists():
            path.parent.mkdir(parents=True)
            path.write_bytes(msgspec.json.encode(Identity(node=NodeId(f"id-of-{self.name}"))))


class ProxyHost(Host):
    """A proxy with its Envoy."""

    def __init__(self, name: str, cluster: SimCluster) -> None:
        super().__init__(name, cluster)
        self.envoy = SimEnvoy(lambda table: cluster.monitor.applied(name, table))
        self._memory = SimMemory()
        cluster.monitor.watch_proxy(name, lambda: self.envoy.in_force)

    def build(self, process: Process) -> Coroutine[Any, Any, None]:
        settings = ProxySettings(home=self._cluster.home / self.name, name=self.name)
        return ProxyApp(
            settings,
            self._cluster.dialer(self, process),
            envoy=self.envoy,
            memory=self._memory,
            seed=self.chance().getrandbits(32),
        ).run()


class SimEnvoy(FakeEnvoy):
    """An Envoy that tells what it serves."""

    def __init__(self, observe: Callable[[RouteTable], None]) -> None:
        super().__init__()
        self._observe = observe

    @property
    def in_force(self) -> RouteTable:
        """What requests meet: nothing while it does not run."""
        return self.table if self.alive else RouteTable()

    async def apply(self, table: RouteTable) -> None:
        before = self.in_force
        try:
            await super().apply(table)
        finally:
            if self.in_force != before:
                self._observe(self.in_force)


class SimMemory:
    """A proxy's memory; outlives its process."""

    def __init__(self) -> None:
        self._remembered = Remembered()

    def load(self) -> Remembered:
        """See `orca.proxy.memory.Memory`."""
        return self._remembered

    def save(self, remembered: Remembered) -> None:
        """See `orca.proxy.memory.Memory`."""
        self._remembered = remembered


class SimCluster:
    """Everything. Use as `async with SimCluster(seed, shape) as cluster`, in a `SimLoop`."""

    def __init__(self, seed: int, shape: Shape) -> None:
        self.seed = seed
        self.shape = shape
        self.chance = random.Random(seed)
        self.monitor = Monitor(cluster=CLUSTER, now=self.now)
        self.server = SimServer(self.monitor.committed)
        self.server.on_change = self.monitor.changed
        self.network = Network(seed)
        self.processes: list[Process] = []
        self._pids: dict[int, Process | None] = {}
        self._directory = tempfile.TemporaryDirectory(prefix="orca-sim-")
        self.home = Path(self._directory.name)
        self.masters = [MasterHost(f"master-{n}", self) for n in range(1, shape.masters + 1)]
        self.nodes = [
            NodeHost(f"node-{n}", self, index=n, live_restore=shape.live_restore)
            for n in range(1, shape.nodes + 1)
        ]
        self.proxies = [ProxyHost(f"proxy-{n}", self) for n in range(1, shape.proxies + 1)]

    @property
    def hosts(self) -> list[Host]:
        """All of them."""
        return [*self.masters, *self.nodes, *self.proxies]

    # --- time ---

    def now(self) -> float:
        """Wall clock, Unix seconds, the same everywhere."""
        loop = asyncio.get_running_loop()
        assert isinstance(loop, SimLoop)  # noqa: S101
        return BOOT_SECONDS + loop.true_time()

    # --- parts ---

    def dialer(self, host: Host, process: Process) -> SimDialer:
        """How a program of a host reaches the masters."""
        return SimDialer(self.network, host=host.name, process=process, masters=self.masters)

    def new_pid(self, master: MasterHost) -> int:
        """The pid of the process that a master is about to run in."""
        pid = len(self._pids) + 1
        self._pids[pid] = master.process
        return pid

    def is_running(self, record: ProcessRecord) -> bool:
        """What a master finds out about another process of its host."""
        process = self._pids.get(record.pid)
        return process is not None and process.alive

    def leader(self) -> MasterHost | None:
        """A master that believes that it leads, if there is one."""
        return next((master for master in self.masters if master.leads), None)

    async def ask(
        self,
        question: Callable[[MasterControlPlane], Awaitable[T]],
        *,
        timeout_seconds: float = 30.0,
    ) -> T:
        """Ask the leader, as a user of its API would.

        Raises what the control plane raises; `DeadlineExceeded` when it does not answer.
        """
        leader = self.leader()
        if leader is None or leader.app is None or leader.process is None:
            raise Unavailable("no master leads")
        control = leader.app.control

        async def call() -> T:
            return await question(control)

        task = leader.process.spawn(call())
        done, _ = await asyncio.wait({task}, timeout=timeout_seconds)
        if not done:
            # Its process may be frozen or dead: nobody may wait for the end of it.
            task.cancel()
            raise DeadlineExceeded(f"{leader.name} does not answer")
        return task.result()

    def check(self) -> None:
        """Raise the violation, if there is one."""
        for host in self.hosts:
            if host.process is not None and (failure := host.process.failure) is not None:
                self.monitor.blame(f"{host.process.name} ended by itself: {failure!r}")
        if self.monitor.violation is not None:
            raise self.monitor.violation

    # --- life ---

    async def __aenter__(self) -> SimCluster:
        asyncio.get_running_loop().set_exception_handler(self._unhandled)
        for host in self.hosts:
            host.start()
        return self

    def _unhandled(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self.monitor.blame(f"unhandled: {context}")

    async def __aexit__(self, *exc: object) -> None:
        self.monitor.over = True
        for process in self.processes:
            process.bury()
        while rest := asyncio.all_tasks() - {asyncio.current_task()}:
            for task in rest:
                task.cancel()
            await asyncio.wait(rest, timeout=30.0)
        self._directory.cleanup()


async def _no_reload() -> schema.ReloadResponse:
    raise Unavailable("a simulated master has no configuration files")
