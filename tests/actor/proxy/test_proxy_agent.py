"""The proxy's actors on a fake Envoy and a scripted master, in virtual time."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from orca import errors
from orca.actors.local import LocalEngine
from orca.model.ids import Epoch, ReplicaId, ServiceId
from orca.model.route import Backend, Endpoint, EndpointState, Route, RouteTable
from orca.proxy.agent import ProxyAgent
from orca.proxy.memory import Remembered
from orca.proxy.messages import Configure
from orca.proxy.settings import ProxySettings
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
from orca.testing import virtual_time
from orca.testing.fake_envoy import FakeEnvoy

T = TypeVar("T")

WEB = ServiceId("shop", "web")
ROUTE = Route(domain="shop.test", path="/", service=WEB)
ONE = Endpoint(replica=ReplicaId("r1"), address="10.0.0.1", port=80)
TABLE = RouteTable(routes=(ROUTE,), backends=(Backend(service=WEB, endpoints=(ONE,)),))
SETTINGS = ProxySettings(home=Path("/nowhere"), name="edge", heartbeat_seconds=1.0)


def serving(version: int, *, epoch: int = 5, table: RouteTable = TABLE) -> RouteUpdate:
    return RouteUpdate(
        epoch=Epoch(epoch),
        version=version,
        complete=True,
        routes=table.routes,
        backends=table.backends,
    )


def increment(version: int, *backends: Backend, epoch: int = 5) -> RouteUpdate:
    return RouteUpdate(
        epoch=Epoch(epoch), version=version, complete=False, routes_changed=False, backends=backends
    )


class Line:
    """One session as the master sees it."""

    def __init__(self, *, answers: bool, epoch: int) -> None:
        self.answers = answers
        self.epoch = Epoch(epoch)
        self.heard: list[ProxyMessage] = []
        self.beats = 0
        self.closed = False
        self.stuck = False
        self._orders: asyncio.Queue[ProxyCommand | None] = asyncio.Queue()

    @property
    def peer(self) -> str:
        return "orca://master/m1"

    def order(self, command: ProxyCommand) -> None:
        self._orders.put_nowait(command)

    def cut(self) -> None:
        self._orders.put_nowait(None)

    async def send(self, message: ProxyMessage) -> None:
        if self.stuck:
            await asyncio.get_running_loop().create_future()
        if not isinstance(message, Heartbeat):
            self.heard.append(message)
            return
        self.beats += 1
        if self.answers:
            self.order(HeartbeatAck(sequence=message.sequence, epoch=self.epoch))

    async def receive(self) -> ProxyCommand:
        command = await self._orders.get()
        if command is None:
            raise errors.Unavailable("the stream was reset")
        return command

    async def close(self) -> None:
        self.closed = True


class Masters:
    """Dials lines; refuses while `down`, hangs while `hanging`."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self.dials: list[float] = []
        self.down = False
        self.hanging = False
        self.answers = True
        self.epoch = 5

    @property
    def line(self) -> Line:
        return self.lines[-1]

    async def proxy_session(self) -> ProxySide:
        self.dials.append(asyncio.get_running_loop().time())
        if self.hanging:
            await asyncio.get_running_loop().create_future()
        if self.down:
            raise errors.Unavailable("connection refused")
        self.lines.append(Line(answers=self.answers, epoch=self.epoch))
        return self.line

    async def node_session(self) -> NodeSide:
        raise errors.Unavailable("not a node")

    async def stream(self) -> ChunkStream:
        raise errors.Unavailable("no streams")


@dataclass
class RamMemory:
    """Remembers in memory; `full` is a full disk."""

    known: Remembered = field(default_factory=Remembered)
    full: bool = False

    def load(self) -> Remembered:
        return self.known

    def save(self, remembered: Remembered) -> None:
        if self.full:
            raise errors.Unavailable("No space left on device")
        self.known = remembered


@dataclass
class Stage:
    """A proxy and all around it."""

    envoy: FakeEnvoy = field(default_factory=FakeEnvoy)
    masters: Masters = field(default_factory=Masters)
    memory: RamMemory = field(default_factory=RamMemory)
    crashes: deque[BaseException] = field(default_factory=deque)

    @property
    def line(self) -> Line:
        return self.masters.line

    def heard(self, kind: type[T]) -> list[T]:
        return [m for line in self.masters.lines for m in line.heard if isinstance(m, kind)]

    def play(self, scene: Callable[[Stage, Callable[[object], None]], Awaitable[None]]) -> None:
        virtual_time.run(self._play(scene))

    async def _play(self, scene: Callable[..., Awaitable[None]]) -> None:
        def report(_actor: str, error: BaseException, _seconds: float) -> None:
            self.crashes.append(error)

        async with LocalEngine(report=report, seed=1) as engine:
            agent = engine.spawn(
                "proxy",
                lambda: ProxyAgent(
                    SETTINGS, dialer=self.masters, envoy=self.envoy, memory=self.memory
                ),
            )
            await scene(self, agent.tell)
        assert not self.crashes


def test_hello_comes_first_and_names_the_highest_epoch() -> None:
    async def scene(s: Stage, _: object) -> None:
        await asyncio.sleep(0.1)
        assert s.line.heard == [ProxyHello(proxy="edge", name="edge", epoch=Epoch(3))]

    Stage(memory=RamMemory(Remembered(epoch=Epoch(3)))).play(scene)


def test_table_is_served_remembered_and_confirmed() -> None:
    async def scene(s: Stage, _: object) -> None:
        await asyncio.sleep(0.1)
        s.line.order(serving(1))
        await asyncio.sleep(0.1)
        assert s.envoy.request("shop.test") == (200, ONE)
        assert s.heard(ProxyApplied) == [ProxyApplied(version=1)]
        assert s.memory.known == Remembered(epoch=Epoch(5), table=TABLE)

    Stage().play(scene)


def test_increments_build_on_the_complete_table() -> None:
    two = replace(ONE, replica=ReplicaId("r2"))

    async def scene(s: Stage, _: object) -> None:
        await asyncio.sleep(0.1)
        s.line.order(serving(1))
        s.line.order(increment(2, Backend(service=WEB, endpoints=(two,))))
        await asyncio.sleep(0.1)
        assert s.envoy.request("shop.test") == (200, two)
        assert s.heard(ProxyApplied)[-1] == ProxyApplied(version=2)

    Stage().play(scene)


def test_burst_is_applied_in_few_steps_and_ends_with_the_last() -> None:
    async def scene(s: Stage, _: object) -> None:
        await asyncio.sleep(0.1)
        s.line.order(serving(1))
        for version in range(2, 300):
            endpoint = replace(ONE, port=version)
            s.line.order(increment(version, Backend(service=WEB, endpoints=(endpoint,))))
        await asyncio.sleep(0.5)
        assert s.envoy.request("shop.test") == (200, replace(ONE, port=299))
        assert s.heard(ProxyApplied)[-1] == ProxyApplied(version=299)

    Stage().play(scene)


def test_start_without_a_master_serves_the_remembered_table() -> None:
    async def scene(s: Stage, _: object) -> None:
        s.masters.down = True
        await asyncio.sleep(60)
        assert s.envoy.request("shop.test") == (200, ONE)
        assert s.memory.known == Remembered(epoch=Epoch(5), table=TABLE)

    Stage(memory=RamMemory(Remembered(epoch=Epoch(5), table=TABLE))).play(scene)


def test_lost_master_leaves_the_table_alone() -> None:
    async def scene(s: Stage, _: object) -> None:
        await asyncio.sleep(0.1)
        s.line.order(serving(1))
        await asyncio.sleep(0.1)
        s.masters.down = True
        s.line.cut()
        await asyncio.sleep(3600)
        assert s.envoy.request("shop.test") == (200, ONE)

    Stage().play(scene)


def test_empty_table_of_a_newer_master_is_obeyed() -> None:
    async def scene(s: Stage, _: object) -> None:
        await asyncio.sleep(0.1)
        s.line.order(serving(1))
        s.line.order(serving(2, epoch=6, table=RouteTable()))
        await asyncio.sleep(0.1)
        assert s.envoy.request("shop.test") == (404, None)
        assert s.memory.known.epoch == 6

    Stage().play(scene)


def test_older_master_is_refused_and_another_one_dialled() -> None:
    async def scene(s: Stage, _: object) -> None:
        await asyncio.sleep(0.1)
        old = s.line
        old.order(serving(9, epoch=4, table=RouteTable()))
        await asyncio.sleep(1)
        assert old.closed
        assert s.line is not old
        assert s.envoy.request("shop.test") == (200, ONE)
        assert s.memory.known.epoch == 5
        assert not s.heard(ProxyApplied)

    Stage(memory=RamMemory(Remembered(epoch=Epoch(5), table=TABLE))).play(scene)


def test_older_master_is_recognised_by_its_heartbeats_too() -> None:
    async def scene(s: Stage, _: object) -> None:
        s.masters.epoch = 4
        await asyncio.sleep(2)
        assert s.masters.lines[0].closed

    Stage(memory=RamMemory(Remembered(epoch=Epoch(5), table=TABLE))).play(scene)


def test_newer_epoch_in_a_heartbeat_is_remembered() -> None:
    async def scene(s: Stage, _: object) -> None:
        s.masters.epoch = 8
        await asyncio.sleep(2)
        assert s.memory.known == Remembered(epoch=Epoch(8), table=TABLE)

    Stage(memory=RamMemory(Remembered(epoch=Epoch(5), table=TABLE))).play(scene)


def test_session_that_begins_with_an_increment_is_ended() -> None:
    async def scene(s: Stage, _: object) -> None:
        await asyncio.sleep(0.1)
        first = s.line
        first.order(increment(1, Backend(service=WEB)))
        await asyncio.sleep(1)
        assert first.closed
        assert s.envoy.request("shop.test") == (200, ONE)

    Stage(memory=RamMemory(Remembered(epoch=Epoch(5), table=TABLE))).play(scene)


def test_three_unanswered_heartbeats_end_the_session() -> None:
    async def scene(s: Stage, _: object) -> None:
        s.masters.answers = False
        await asyncio.sleep(2.5)
        assert len(s.masters.lines) == 1
        await asyncio.sleep(3)
        assert s.masters.lines[0].closed
        assert s.masters.lines[0].beats == 3
        assert len(s.masters.lines) == 2

    Stage().play(scene)


def test_answered_heartbeats_keep_the_session() -> None:
    async def scene(s: Stage, _: object) -> None:
        await asyncio.sleep(600)
        assert len(s.masters.lines) == 1
        assert s.line.beats > 500

    Stage().play(scene)


def test_stream_that_takes_nothing_is_given_up() -> None:
    async def scene(s: Stage, _: object) -> None:
        await asyncio.sleep(0.1)
        s.line.stuck = True
        s.line.answers = False
        await asyncio.sleep(6)
        assert s.masters.lines[0].closed
        assert len(s.masters.lines) == 2

    Stage().play(scene)


def test_redial_slows_down_to_its_bound() -> None:
    async def scene(s: Stage, _: object) -> None:
        s.masters.down = True
        await asyncio.sleep(60)
        pauses = [b - a for a, b in zip(s.masters.dials, s.masters.dials[1:], strict=False)]
        assert pauses[0] <= 0.1
        assert all(2.5 <= pause <= 5.01 for pause in pauses[8:])
        assert len(pauses) > 15

    Stage().play(scene)


def test_dial_that_hangs_is_given_up() -> None:
    async def scene(s: Stage, _: object) -> None:
        s.masters.hanging = True
        await asyncio.sleep(4)
        s.masters.hanging = False
        await asyncio.sleep(2)
        assert len(s.masters.lines) == 1

    Stage().play(scene)


def test_refused_part_is_reported_and_not_tried_again() -> None:
    async def scene(s: Stage, _: object) -> None:
        s.envoy.refuse.add(WEB)
        await asyncio.sleep(0.1)
        s.line.order(serving(1))
        await asyncio.sleep(60)
        (applied,) = s.heard(ProxyApplied)
        assert applied.version == 1
        assert "the endpoints of shop/web" in applied.error
        assert s.envoy.request("shop.test") == (503, None)

    Stage().play(scene)


def test_unavailable_envoy_is_reported_and_tried_again() -> None:
    async def scene(s: Stage, _: object) -> None:
        s.envoy.unavailable = True
        await asyncio.sleep(0.1)
        s.line.order(serving(1))
        await asyncio.sleep(3)
        s.envoy.unavailable = False
        await asyncio.sleep(5)
        outcomes = s.heard(ProxyApplied)
        assert "does not answer" in outcomes[0].error
        assert outcomes[-1] == ProxyApplied(version=1)
        assert s.envoy.request("shop.test") == (200, ONE)

    Stage().play(scene)


def test_dead_envoy_is_back_at_once_after_a_healthy_life() -> None:
    async def scene(s: Stage, _: object) -> None:
        await asyncio.sleep(0.1)
        s.line.order(serving(1))
        await asyncio.sleep(30)
        s.envoy.kill()
        await asyncio.sleep(0.12)
        assert s.envoy.request("shop.test") == (200, ONE)
        assert s.envoy.starts == 2

    Stage().play(scene)


def test_envoy_that_keeps_dying_is_brought_back_ever_more_slowly() -> None:
    async def scene(s: Stage, _: object) -> None:
        await asyncio.sleep(0.5)
        s.envoy.port_holder = "nginx (pid 1)"
        s.envoy.kill()
        await asyncio.sleep(1)
        s.line.order(serving(1))
        await asyncio.sleep(120)
        assert "nginx" in s.heard(ProxyApplied)[-1].error
        assert 15 < len(s.heard(ProxyApplied)) < 60
        s.envoy.port_holder = ""
        await asyncio.sleep(6)
        assert s.heard(ProxyApplied)[-1] == ProxyApplied(version=1)

    Stage().play(scene)


def test_drained_replica_is_reported_once_its_requests_are_done() -> None:
    gone = Backend(service=WEB, endpoints=(replace(ONE, state=EndpointState.DRAINING),))

    async def scene(s: Stage, _: object) -> None:
        await asyncio.sleep(0.1)
        s.envoy.hold(WEB, ONE.replica, 1)
        s.line.order(serving(1))
        s.line.order(increment(2, gone))
        await asyncio.sleep(10)
        assert not s.heard(ProxyDrained)
        s.envoy.hold(WEB, ONE.replica, 0)
        await asyncio.sleep(0.5)
        assert s.heard(ProxyDrained) == [ProxyDrained(replicas=(ONE.replica,))]

    Stage().play(scene)


def test_drained_replica_is_reported_anew_to_the_next_session() -> None:
    gone = Backend(service=WEB, endpoints=(replace(ONE, state=EndpointState.DRAINING),))
    table = replace(TABLE, backends=(gone,))

    async def scene(s: Stage, _: object) -> None:
        await asyncio.sleep(0.1)
        s.line.order(serving(1, table=table))
        await asyncio.sleep(1)
        s.line.cut()
        await asyncio.sleep(1)
        assert len(s.heard(ProxyDrained)) == 1
        s.line.order(serving(1, table=table))
        await asyncio.sleep(1)
        assert s.line.heard[-1] == ProxyDrained(replicas=(ONE.replica,))

    Stage().play(scene)


def test_refused_table_drains_nobody() -> None:
    gone = Backend(service=WEB, endpoints=(replace(ONE, state=EndpointState.DRAINING),))

    async def scene(s: Stage, _: object) -> None:
        await asyncio.sleep(0.1)
        s.line.order(serving(1))
        await asyncio.sleep(0.1)
        s.envoy.refuse.add(WEB)
        s.line.order(increment(2, gone))
        await asyncio.sleep(5)
        assert not s.heard(ProxyDrained)

    Stage().play(scene)


def test_full_disk_does_not_keep_a_table_from_serving() -> None:
    async def scene(s: Stage, _: object) -> None:
        s.memory.full = True
        await asyncio.sleep(0.1)
        s.line.order(serving(1))
        await asyncio.sleep(0.1)
        assert s.envoy.request("shop.test") == (200, ONE)

    Stage().play(scene)


def test_other_settings_reach_envoy() -> None:
    changed = replace(SETTINGS, http_port=8080)

    async def scene(s: Stage, tell: Callable[[object], None]) -> None:
        await asyncio.sleep(0.1)
        before = s.envoy.applied
        tell(Configure(changed))
        await asyncio.sleep(0.1)
        assert s.envoy.settings == changed
        assert s.envoy.applied == before + 1

    Stage().play(scene)


def test_answer_about_an_earlier_session_is_not_sent_to_the_next() -> None:
    async def scene(s: Stage, _: object) -> None:
        s.envoy.unavailable = True
        await asyncio.sleep(0.1)
        s.line.order(serving(7))
        await asyncio.sleep(0.05)
        s.line.cut()
        await asyncio.sleep(1)
        s.envoy.unavailable = False
        await asyncio.sleep(10)
        assert [type(m) for m in s.line.heard] == [ProxyHello]

    Stage().play(scene)
