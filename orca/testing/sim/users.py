"""What the users of a simulated cluster deploy, and how their images behave.

An image's tag begins with the kind of its behaviour, so that whoever looks at a revision later knows
what may become of it: `sim/web:good-3`.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import Any

from orca.client import schema
from orca.errors import OrcaError
from orca.master.control_plane import MasterControlPlane
from orca.spec.service import ServiceSpec
from orca.testing.fake_docker import Behaviour
from orca.testing.sim.cluster import USER, SimCluster

Question = Callable[[MasterControlPlane], Awaitable[Any]]
Deed = Callable[[], Coroutine[Any, Any, None]]

PROJECT = "shop"

WORKING = frozenset({"good", "slow", "stubborn"})
"""Kinds that become ready and stay so."""
RELAPSING = frozenset({"relapse"})
"""Kinds that are trusted and fail later."""
BROKEN = frozenset({"crash", "deaf", "blink", "nocommand"})
"""Kinds that must never be trusted."""
MISSING = "missing"
"""No registry has it: the deploy is refused."""


def kind_of(image: str) -> str:
    """The kind of behaviour that an image's name promises."""
    return image.rpartition(":")[2].partition("-")[0]


def behaviour(kind: str, chance: random.Random) -> Behaviour:
    """How an image of a kind behaves."""
    match kind:
        case "good":
            return Behaviour(
                listens_after=chance.uniform(0.0, 1.5), stop_seconds=chance.uniform(0.0, 1.0)
            )
        case "slow":
            return Behaviour(listens_after=chance.uniform(4.0, 9.0))
        case "stubborn":
            return Behaviour(listens_after=0.2, ignores_sigterm=True)
        case "relapse":
            return Behaviour(listens_after=0.1, crash_after=chance.uniform(7.0, 12.0))
        case "crash":
            return Behaviour(crash_after=chance.uniform(0.02, 0.4), lines=("Traceback", "boom"))
        case "deaf":
            return Behaviour(never_ready=True)
        case "blink":
            return Behaviour(listens_after=0.1, crash_after=chance.uniform(0.6, 1.6))
        case "nocommand":
            return Behaviour(start_error='exec: "/missing": executable file not found in $PATH')
    raise ValueError(f"no behaviour is known of {kind!r}")


def catalogue(chance: random.Random, *, nodes: int) -> dict[str, dict[str, Any]]:
    """The services of one cluster: the keys of their `service.toml` except the image."""
    probe = {"path": "/health", "interval_secs": 2, "failure_threshold": 2, "timeout_secs": 1}
    update = {
        "progress_deadline_secs": chance.choice([15, 25, 40]),
        "min_ready_secs": 2,
        "drain_secs": chance.choice([0, 2, 5]),
    }
    services: dict[str, dict[str, Any]] = {
        "db": {"port": 5432, "volumes": ["data:/data"], "liveness": {"tcp": True, "port": 5432}},
        "web": {"port": 8080, "domains": ["web.sim"], "readiness": probe},
        "api": {"port": 9000, "domains": ["api.sim"], "routes": ["/api/*"]},
        "worker": {},
        "gate": {"port": 22, "extra_ports": ["2222:22"]},
    }
    if chance.random() < 0.6:
        services["web"]["depends_on"] = ["db"]
    if chance.random() < 0.4:
        services["api"]["readiness"] = probe
        services["api"]["startup"] = {"path": "/health", "failure_threshold": 20}
    if nodes > 1:
        services["db"]["placement"] = {"node": "node-1"}
    for keys in services.values():
        keys.update(deploy=update, stop_grace_secs=chance.choice([1, 3]), replicas=1)
    services["web"]["replicas"] = chance.choice([1, 2, 3])
    services["worker"]["replicas"] = chance.choice([0, 1, 2])
    services["web"]["deploy"] = {**update, "max_surge": chance.choice([1, 2])}
    return services


SCALABLE = ("web", "api", "worker")
"""Services of which there may be several replicas."""


def spec(name: str, keys: Mapping[str, Any], image: str) -> ServiceSpec:
    """A service as a deploy request carries it."""
    return ServiceSpec.model_validate({**keys, "name": name, "project": PROJECT, "image": image})


_KINDS = (
    ("good", 6.0),
    ("slow", 1.0),
    ("stubborn", 1.0),
    ("relapse", 0.5),
    ("crash", 1.0),
    ("deaf", 1.0),
    ("blink", 1.0),
    ("nocommand", 0.7),
    (MISSING, 0.7),
)


class Users:
    """People who deploy, scale, roll back, restart, stop, start and remove services, at random."""

    def __init__(self, cluster: SimCluster, chance: random.Random) -> None:
        self._cluster = cluster
        self._chance = chance
        self._services = catalogue(chance, nodes=len(cluster.nodes))
        self._images: dict[str, str] = {}
        """The image that was last asked for of each service."""
        self._count = 0
        deeds: list[tuple[Deed, float]] = [
            (self._deploy, 6.0),
            (self._deploy_again, 1.0),
            (self._scale, 2.0),
            (self._restart, 1.0),
            (self._roll_back, 1.5),
            (self._stop, 1.0),
            (self._start, 1.5),
            (self._remove, 0.5),
            (self._look_around, 1.0),
        ]
        self._deeds = [deed for deed, _ in deeds]
        self._weights = [weight for _, weight in deeds]

    async def begin(self) -> None:
        """The first deploy: everything, and all of it works."""
        await self._try("deploy everything", self._deploy_of(list(self._services), kind="good"))

    async def work(self, seconds: float, *, pause_seconds: float) -> None:
        """Do something now and then."""
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        async with asyncio.TaskGroup() as group:
            while True:
                await asyncio.sleep(self._chance.expovariate(1.0 / pause_seconds))
                if loop.time() >= until:
                    return
                deed = self._chance.choices(self._deeds, self._weights)[0]
                group.create_task(deed())

    async def want_everything(self) -> bool:
        """Deploy a working version of every service; whether that was accepted."""
        return await self._try(
            "deploy everything", self._deploy_of(list(self._services), kind="good")
        )

    # --- deeds ---

    async def _deploy(self) -> None:
        names = self._chance.sample(list(self._services), self._chance.choice([1, 1, 2]))
        kind = self._chance.choices([k for k, _ in _KINDS], [w for _, w in _KINDS])[0]
        await self._try(f"deploy {kind} {' '.join(names)}", self._deploy_of(names, kind=kind))

    async def _deploy_again(self) -> None:
        if self._images:
            name = self._chance.choice(sorted(self._images))
            await self._try(f"deploy {name} again", self._deploy_of([name], kind=""))

    async def _scale(self) -> None:
        name, count = self._chance.choice(SCALABLE), self._chance.choice([0, 1, 2, 3, 4])
        await self._try(f"scale {name}={count}", lambda c: c.scale(name, count, by=USER))

    async def _restart(self) -> None:
        name = self._name()
        await self._try(f"restart {name}", lambda c: c.restart(name, by=USER))

    async def _roll_back(self) -> None:
        name = self._name()
        await self._try(f"rollback {name}", lambda c: c.rollback(name, 0, by=USER))

    async def _stop(self) -> None:
        names = self._chance.choice([(self._name(),), (self._name(),), ()])
        await self._try(f"stop {names or 'all'}", lambda c: c.stop(names, by=USER))

    async def _start(self) -> None:
        await self._try("start all", lambda c: c.start((), by=USER))

    async def _remove(self) -> None:
        name = self._name()
        await self._try(f"remove {name}", lambda c: c.remove((name,), by=USER))

    async def _look_around(self) -> None:
        """What people look at must never fail with something that is not an answer."""
        name = self._name()

        async def look(control: MasterControlPlane) -> None:
            control.status()
            await control.why(name)
            await control.history(name)
            await control.events()

        await self._try(f"look at {name}", look)

    def _name(self) -> str:
        return self._chance.choice(list(self._services))

    # --- how ---

    async def _try(self, what: str, question: Question) -> bool:
        monitor = self._cluster.monitor
        monitor.note(f"> {what}")
        try:
            await self._cluster.ask(question)
        except OrcaError as error:
            monitor.note(f"> {what}: refused: {error.message}")
            return False
        except Exception as error:  # noqa: BLE001  whatever it is, users must never see it
            monitor.blame(f"{what} failed with {error!r}")
            return False
        monitor.note(f"> {what}: done")
        return True

    def _deploy_of(self, names: Sequence[str], *, kind: str) -> Question:
        for name in names:
            if kind:
                self._images[name] = self._push(name, kind)
        services = tuple(spec(n, self._services[n], self._images[n]) for n in names)
        request = schema.DeployRequest(services=services)
        return lambda control: control.deploy(request, by=USER)

    def _push(self, name: str, kind: str) -> str:
        """Push a new image of a kind to the registry of all nodes."""
        self._count += 1
        image = f"sim/{name}:{kind}-{self._count}"
        if kind != MISSING:
            does, pull_seconds = behaviour(kind, self._chance), self._chance.choice([0.0, 0.5, 3.0])
            for node in self._cluster.nodes:
                node.engine.publish(image, does, pull_seconds=pull_seconds)
        return image
