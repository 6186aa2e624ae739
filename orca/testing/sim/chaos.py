"""What goes wrong in a simulated cluster: faults with a beginning and an end, drawn by chance.

A fault is a coroutine: it breaks something, waits, and mends it; cancelled in between, it mends it at
once. `Chaos.storm` runs many of them side by side; `Chaos.clear` leaves nothing broken.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Final

from orca.errors import ContainerError, DockerUnavailable
from orca.testing.fake_docker import FakeContainer, Fault
from orca.testing.sim.cluster import Host, MasterHost, NodeHost, ProxyHost, SimCluster
from orca.testing.sim.store import StoreWeather

Trouble = Callable[[], Coroutine[Any, Any, None]]

_OPERATIONS: Final = ("create", "start", "stop", "remove", "inspect", "list", "rename", "logs")


class Chaos:
    """Breaks things in one cluster."""

    def __init__(self, cluster: SimCluster, chance: random.Random) -> None:
        self._cluster = cluster
        self._chance = chance
        self._active: list[asyncio.Task[None]] = []
        self._broken_hosts: set[str] = set()
        self._mishaps: list[Trouble] = [self._crash, self._crash, self._oom, self._vanish]
        self._faults: list[Trouble] = [
            *self._mishaps,
            self._host_killed,
            self._host_killed,
            self._host_frozen,
            self._host_suspended,
            self._host_suspended,
            self._host_ended,
            self._daemon_stopped,
            self._daemon_killed,
            self._daemon_frozen,
            self._daemon_fails,
            self._daemon_fails,
            self._events_lost,
            self._envoy_killed,
            self._envoy_silent,
            self._store_down,
            self._store_hangs,
            self._store_slow,
            self._store_loses,
            self._store_lags,
            self._store_lags,
            self._store_stuck,
            self._store_stuck,
            self._store_compacted,
            self._path_cut,
            self._path_cut,
            self._session_reset,
            self._session_silent,
            self._network_slow,
            self._network_repeats,
        ]

    async def storm(self, seconds: float, *, pause_seconds: float) -> None:
        """Let all kinds of faults happen for a while."""
        await self._happen(self._faults, seconds, pause_seconds)

    async def mishaps(self, seconds: float, *, pause_seconds: float) -> None:
        """Let only containers fail."""
        await self._happen(self._mishaps, seconds, pause_seconds)

    async def _happen(self, kinds: list[Trouble], seconds: float, pause_seconds: float) -> None:
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        while True:
            await asyncio.sleep(self._chance.expovariate(1.0 / pause_seconds))
            if loop.time() >= until:
                return
            task = asyncio.create_task(self._chance.choice(kinds)())
            self._active.append(task)
            task.add_done_callback(self._active.remove)

    async def clear(self) -> None:
        """Mend everything."""
        active = list(self._active)
        for task in active:
            task.cancel()
        await asyncio.gather(*active, return_exceptions=True)
        self._cluster.network.heal_all()
        self._cluster.server.full = False
        for host in self._cluster.hosts:
            host.start()
        for node in self._cluster.nodes:
            node.engine.forget_faults()
        self._cluster.monitor.note("all is mended")
        self._cluster.monitor.disturb()

    # --- helpers ---

    @asynccontextmanager
    async def _disturbance(self, text: str) -> AsyncIterator[None]:
        """Note that it begins and ends."""
        self._cluster.monitor.note(f"* {text}")
        self._cluster.monitor.disturb()
        try:
            yield
        finally:
            self._cluster.monitor.note(f"* over: {text}")
            self._cluster.monitor.disturb()

    def _seconds(self, least: float, most: float) -> float:
        return self._chance.uniform(least, most)

    def _node(self) -> NodeHost:
        return self._chance.choice(self._cluster.nodes)

    def _proxy(self) -> ProxyHost:
        return self._chance.choice(self._cluster.proxies)

    def _stores(self) -> list[StoreWeather]:
        """The store as one master sees it, or as all do."""
        masters = self._cluster.masters
        chosen = [self._chance.choice(masters)] if self._chance.random() < 0.5 else masters
        return [master.store.weather for master in chosen]

    def _container(self) -> tuple[NodeHost, FakeContainer] | None:
        node = self._node()
        running = [each for each in node.engine.containers.values() if each.running]
        return (node, self._chance.choice(running)) if running else None

    def _host(self) -> Host | None:
        """A host that nothing happens to yet; the leader and masters more often than their number."""
        tier: list[Host] = self._chance.choice([list(self._cluster.masters), self._cluster.hosts])
        leader = self._cluster.leader()
        if leader is not None and self._chance.random() < 0.3:
            tier = [leader]
        found = [host for host in tier if host.name not in self._broken_hosts and host.is_up]
        return self._chance.choice(found) if found else None

    # --- containers ---

    async def _crash(self) -> None:
        if found := self._container():
            node, container = found
            self._cluster.monitor.note(f"* {container.name} crashes")
            node.engine.crash(container.id, exit_code=self._chance.choice([0, 1, 139]))

    async def _oom(self) -> None:
        if found := self._container():
            node, container = found
            self._cluster.monitor.note(f"* {container.name} is out of memory")
            node.engine.crash(container.id, exit_code=137, oom=True)

    async def _vanish(self) -> None:
        if found := self._container():
            node, container = found
            self._cluster.monitor.note(f"* {container.name} is removed by somebody")
            node.engine.vanish(container.id)

    # --- programs ---

    @asynccontextmanager
    async def _on_host(self, what: str) -> AsyncIterator[Host | None]:
        host = self._host()
        if host is None:
            yield None
            return
        self._broken_hosts.add(host.name)
        try:
            async with self._disturbance(f"{host.name} {what}"):
                yield host
        finally:
            self._broken_hosts.discard(host.name)

    async def _host_killed(self) -> None:
        async with self._on_host("is killed") as host:
            if host is not None:
                host.kill()
                try:
                    await asyncio.sleep(self._chance.choice([0.1, self._seconds(0.5, 15.0)]))
                finally:
                    host.start()

    async def _host_ended(self) -> None:
        async with self._on_host("is told to end") as host:
            if host is not None:
                try:
                    await host.terminate()
                    await asyncio.sleep(self._seconds(0.1, 5.0))
                finally:
                    host.start()

    async def _host_frozen(self) -> None:
        await self._frozen(slept=False)

    async def _host_suspended(self) -> None:
        await self._frozen(slept=True)

    async def _frozen(self, *, slept: bool) -> None:
        async with self._on_host("is suspended" if slept else "is frozen") as host:
            if host is not None and (process := host.process) is not None:
                process.freeze()
                try:
                    await asyncio.sleep(self._seconds(0.5, 15.0))
                finally:
                    process.thaw(slept=slept)

    # --- engines ---

    async def _daemon_stopped(self) -> None:
        node = self._node()
        async with self._disturbance(f"{node.name}: the daemon is stopped"):
            node.engine.stop_daemon()
            try:
                await asyncio.sleep(self._seconds(0.5, 15.0))
            finally:
                node.engine.start_daemon()

    async def _daemon_killed(self) -> None:
        node = self._node()
        async with self._disturbance(f"{node.name}: the daemon is killed"):
            node.engine.kill_daemon()
            try:
                await asyncio.sleep(self._seconds(0.5, 10.0))
            finally:
                node.engine.start_daemon()

    async def _daemon_frozen(self) -> None:
        node = self._node()
        async with self._disturbance(f"{node.name}: the daemon does not answer"):
            node.engine.freeze()
            try:
                await asyncio.sleep(self._seconds(0.5, 20.0))
            finally:
                node.engine.thaw()

    async def _daemon_fails(self) -> None:
        """The next call of some operation goes wrong in some way."""
        node, operation = self._node(), self._chance.choice(_OPERATIONS)
        fault = self._chance.choice(
            [
                Fault(error=DockerUnavailable("the connection to Docker broke")),
                Fault(error=DockerUnavailable("the connection to Docker broke"), late=True),
                Fault(error=ContainerError("Docker: no space left on device")),
                Fault(delay_seconds=self._seconds(1.0, 12.0)),
                Fault(hang=True),
            ]
        )
        async with self._disturbance(f"{node.name}: {operation} goes wrong: {fault}"):
            node.engine.fault(operation, fault)

    async def _events_lost(self) -> None:
        node = self._node()
        async with self._disturbance(f"{node.name}: events are lost"):
            node.engine.loses_events = True
            try:
                await asyncio.sleep(self._seconds(1.0, 15.0))
            finally:
                node.engine.loses_events = False

    # --- Envoy ---

    async def _envoy_killed(self) -> None:
        proxy = self._proxy()
        async with self._disturbance(f"{proxy.name}: Envoy is killed"):
            proxy.envoy.kill()

    async def _envoy_silent(self) -> None:
        proxy = self._proxy()
        async with self._disturbance(f"{proxy.name}: Envoy does not answer"):
            proxy.envoy.unavailable = True
            try:
                await asyncio.sleep(self._seconds(0.5, 10.0))
            finally:
                proxy.envoy.unavailable = False

    # --- the store ---

    @asynccontextmanager
    async def _bad_store(self, text: str, **changes: Any) -> AsyncIterator[None]:
        chosen = self._stores()
        who = "one master" if len(chosen) == 1 else "all masters"
        async with self._disturbance(f"the store {text} for {who}"):
            for weather in chosen:
                for name, value in changes.items():
                    setattr(weather, name, value)
            try:
                yield
            finally:
                for weather in chosen:
                    for name in changes:
                        setattr(weather, name, getattr(StoreWeather(), name))

    async def _store_down(self) -> None:
        async with self._bad_store("is down", up=False):
            await asyncio.sleep(self._seconds(0.5, 15.0))

    async def _store_hangs(self) -> None:
        async with self._bad_store("does not answer", hangs=True):
            await asyncio.sleep(self._seconds(0.5, 12.0))

    async def _store_slow(self) -> None:
        slowness = self._chance.choice([0.3, 2.0, 7.0])
        async with self._bad_store("is slow", delay_seconds_max=slowness):
            await asyncio.sleep(self._seconds(1.0, 15.0))

    async def _store_loses(self) -> None:
        share = self._chance.choice([0.1, 0.4])
        async with self._bad_store("loses requests", lost_share=share, unanswered_share=share):
            await asyncio.sleep(self._seconds(1.0, 15.0))

    async def _store_lags(self) -> None:
        """Commits are quick, but what they changed is heard of late, and some answers are lost."""
        changes = {"watch_seconds_max": 4.0, "unanswered_share": 0.3}
        async with self._bad_store("tells of changes late and loses answers", **changes):
            await asyncio.sleep(self._seconds(2.0, 15.0))

    async def _store_stuck(self) -> None:
        async with self._bad_store("takes commits late", commit_seconds_max=9.0):
            await asyncio.sleep(self._seconds(2.0, 12.0))

    async def _store_compacted(self) -> None:
        async with self._disturbance("the store forgets its history"):
            self._cluster.server.compact()

    # --- the network ---

    def _pair(self) -> tuple[Host, MasterHost]:
        others = [*self._cluster.nodes, *self._cluster.proxies]
        return self._chance.choice(others), self._chance.choice(self._cluster.masters)

    async def _path_cut(self) -> None:
        other, master = self._pair()
        network = self._cluster.network
        async with self._disturbance(f"{other.name} and {master.name} are cut off"):
            network.cut(other.name, master.name)
            try:
                await asyncio.sleep(self._seconds(0.5, 20.0))
            finally:
                network.heal(other.name, master.name)

    async def _session_reset(self) -> None:
        if links := self._cluster.network.links():
            link = self._chance.choice(links)
            async with self._disturbance(f"{link} is reset"):
                link.reset()

    async def _session_silent(self) -> None:
        if links := self._cluster.network.links():
            link = self._chance.choice(links)
            async with self._disturbance(f"{link} delivers no more"):
                link.silent = True

    async def _network_slow(self) -> None:
        weather = self._cluster.network.weather
        async with self._disturbance("the network is slow"):
            weather.delay_seconds_max = self._chance.choice([0.05, 0.5, 2.0])
            try:
                await asyncio.sleep(self._seconds(1.0, 15.0))
            finally:
                weather.delay_seconds_max = 0.002

    async def _network_repeats(self) -> None:
        weather = self._cluster.network.weather
        async with self._disturbance("messages arrive twice"):
            weather.repeat_share = 0.3
            try:
                await asyncio.sleep(self._seconds(1.0, 15.0))
            finally:
                weather.repeat_share = 0.0
