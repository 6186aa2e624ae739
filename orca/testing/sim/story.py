"""One simulation from beginning to end: a cluster, its users, storms, calms, and the final reckoning.

Each round is a storm, in which anything fails while users go on working, and a calm, in which only
containers fail and the strict invariants hold. In the end all faults stop: everything has to settle by
itself, and then whatever the users ask for has to come true.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from orca.client.schema import StatusResponse
from orca.errors import OrcaError
from orca.master.control_plane import MasterControlPlane
from orca.testing.sim import logs, processes, settled
from orca.testing.sim.chaos import Chaos
from orca.testing.sim.cluster import Shape, SimCluster
from orca.testing.sim.monitor import Violation
from orca.testing.sim.users import Users

SETTLE_SECONDS_MAX = 300.0
"""Bound of everything that may still be going on: a hanging call, a backoff, a progress deadline."""
LOOK_SECONDS = 0.25
STORY_SECONDS_MAX = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """What kind of a story it is."""

    rounds: int = 2
    storm_seconds: float = 30.0
    calm_seconds: float = 45.0
    fault_pause_seconds: tuple[float, ...] = (0.7, 1.5, 3.0)
    """Mean time between faults in a storm: one of these for each storm."""
    user_pause_seconds: float = 4.0
    shape: Shape | None = None
    """None is drawn by chance."""


@dataclass(slots=True)
class Outcome:
    """What became of a simulation."""

    seed: int
    wrong: str = ""
    seconds: float = 0.0
    trace: list[tuple[float, str]] = field(default_factory=list)

    def report(self) -> str:
        """The trace and what was wrong, for people."""
        lines = [f"{at:9.3f}  {text}" for at, text in self.trace]
        return "\n".join([*lines, f"seed {self.seed}: {self.wrong or 'all is well'}"])


def simulate(seed: int, script: Script | None = None) -> Outcome:
    """Play the story of a seed; the same seed plays the same story."""
    return processes.run(_play(seed, script or Script()))


async def _play(seed: int, script: Script) -> Outcome:
    chance = random.Random(f"story {seed}")
    shape = script.shape or _shape(chance)
    outcome = Outcome(seed)
    async with SimCluster(seed, shape) as cluster:
        outcome.trace = cluster.monitor.trace
        cluster.monitor.note(f"seed {seed}: {shape}")
        with logs.watched(cluster.monitor), _blamed(outcome):
            await _with_watch(cluster, _tell(cluster, script, chance))
        outcome.seconds = asyncio.get_running_loop().time()
    return outcome


def _shape(chance: random.Random) -> Shape:
    return Shape(
        masters=chance.choice([1, 2, 2, 3]),
        nodes=chance.choice([1, 1, 2, 3]),
        proxies=chance.choice([1, 1, 2]),
        live_restore=chance.random() < 0.5,
    )


@contextmanager
def _blamed(outcome: Outcome) -> Iterator[None]:
    try:
        yield
    except Violation as violation:
        outcome.wrong = str(violation)


async def _with_watch(cluster: SimCluster, story: Coroutine[Any, Any, None]) -> None:
    """Tell the story while somebody watches; the first violation ends it."""
    telling = asyncio.create_task(story)
    try:
        while not telling.done():
            await asyncio.wait({telling}, timeout=LOOK_SECONDS)
            cluster.monitor.look()
            cluster.check()
            if asyncio.get_running_loop().time() > STORY_SECONDS_MAX:
                raise Violation("the story does not come to an end")
        telling.result()
    finally:
        telling.cancel()
        await asyncio.gather(telling, return_exceptions=True)


async def _tell(cluster: SimCluster, script: Script, chance: random.Random) -> None:
    users = Users(cluster, random.Random(f"users {cluster.seed}"))
    chaos = Chaos(cluster, random.Random(f"chaos {cluster.seed}"))
    await asyncio.sleep(chance.uniform(0.0, 3.0))
    await users.begin()
    for _ in range(script.rounds):
        await _round(cluster, script, users, chaos)
    cluster.monitor.note("no more faults, no more users")
    await _settle(cluster)
    if not await users.want_everything():
        cluster.monitor.blame("a deploy is refused although nothing fails any more")
    await _settle(cluster, everything_works=True)


async def _round(cluster: SimCluster, script: Script, users: Users, chaos: Chaos) -> None:
    pause_seconds = cluster.chance.choice(script.fault_pause_seconds)
    async with asyncio.TaskGroup() as group:
        group.create_task(users.work(script.storm_seconds, pause_seconds=script.user_pause_seconds))
        await chaos.storm(script.storm_seconds, pause_seconds=pause_seconds)
        await chaos.clear()
    async with asyncio.TaskGroup() as group:
        group.create_task(users.work(script.calm_seconds, pause_seconds=script.user_pause_seconds))
        await chaos.mishaps(script.calm_seconds, pause_seconds=8.0)
    await chaos.clear()


async def _settle(cluster: SimCluster, *, everything_works: bool = False) -> None:
    """Wait until nothing is left to be done; a violation when that takes too long."""
    loop = asyncio.get_running_loop()
    until = loop.time() + SETTLE_SECONDS_MAX
    left = ["nobody has looked yet"]
    while left and loop.time() < until:
        await asyncio.sleep(1.0)
        left = await _what_is_left(cluster, everything_works=everything_works)
    cluster.monitor.note("everything has settled")
    if left:
        cluster.monitor.blame(f"not settled after {SETTLE_SECONDS_MAX:g} s: {'; '.join(left)}")


async def _what_is_left(cluster: SimCluster, *, everything_works: bool) -> list[str]:
    try:
        status = await cluster.ask(_status)
    except OrcaError as error:
        return [f"no status: {error.message}"]
    facts = cluster.monitor.facts()
    tables = {proxy.name: proxy.envoy.in_force for proxy in cluster.proxies}
    left = list(settled.unsettled(facts, tables, status))
    if everything_works:
        left += [
            f"{s.name} is {s.status}: {s.reason}" for s in status.services if s.status != "running"
        ]
    return left


async def _status(control: MasterControlPlane) -> StatusResponse:
    return control.status()
