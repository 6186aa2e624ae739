"""A network in memory: sessions between programs, with delay, loss, partitions and half-open ends.

Messages go through protobuf and back, so that what crosses the wire is what the wire can carry. The
promises are those of a gRPC stream: in order, none lost while the session lasts, backpressure when the
other end does not read. What can go wrong is what goes wrong with TCP: a path that is cut delivers
nothing until it is whole again (then everything, late) or until the session is given up (then what was
on its way is lost); a silent loss leaves both ends believing in a session that delivers no more.

Not here: who is on which end, and any knowledge of what is said.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from orca.errors import OrcaError, Unavailable
from orca.rpc import convert, messages
from orca.rpc.session import Acceptor, ChunkStream, NodeSide, ProxySide
from orca.testing.sim.processes import Process, call_outside

Out = TypeVar("Out")
In = TypeVar("In")

WINDOW_MESSAGES = 64
"""Messages on their way and unread before a sender has to wait."""

REPEATABLE = (
    messages.StatusReport,
    messages.Heartbeat,
    messages.HeartbeatAck,
    messages.CommandDone,
    messages.Assignments,
    messages.RouteUpdate,
    messages.ProxyApplied,
    messages.ProxyDrained,
)
"""What says how things are and not that something is to be done once: hearing it twice must not matter."""


@dataclass(slots=True)
class Weather:
    """How the network behaves now. Times are seconds."""

    delay_seconds_max: float = 0.002
    repeat_share: float = 0.0
    """Share of repeatable messages that arrive twice."""


class Network:
    """Every path between hosts, and every session on them."""

    def __init__(self, seed: int) -> None:
        self.weather = Weather()
        self._random = random.Random(seed)
        self._cut: set[frozenset[str]] = set()
        self._links: list[Link] = []

    def cut(self, one: str, other: str) -> None:
        """Nothing gets through between two hosts any more; nobody is told."""
        self._cut.add(frozenset((one, other)))

    def heal(self, one: str, other: str) -> None:
        """Undo `cut`: what waited arrives now."""
        self._cut.discard(frozenset((one, other)))
        for link in self.links():
            link.flush()

    def heal_all(self) -> None:
        """The network is whole, and its weather fine."""
        self.weather = Weather()
        for one, other in [tuple(pair) for pair in sorted(map(sorted, self._cut))]:
            self.heal(one, other)

    def is_cut(self, one: str, other: str) -> bool:
        """Whether the path between two hosts is cut."""
        return frozenset((one, other)) in self._cut

    def links(self) -> list[Link]:
        """The sessions that are not over."""
        self._links = [link for link in self._links if not link.over]
        return list(self._links)

    def connect(self, client: Process, host: str, server: Process, server_host: str) -> Link:
        """A new session."""
        link = Link(self, hosts=(host, server_host), processes=(client, server))
        self._links.append(link)
        return link

    def process_died(self, process: Process) -> None:
        """The kernel closes what a process had open."""
        for link in self.links():
            link.process_died(process)

    def delay_seconds(self) -> float:
        """How long the next message takes."""
        return self._random.uniform(0.0002, self.weather.delay_seconds_max)

    def repeats(self, message: Any) -> bool:
        """Whether the next message arrives twice."""
        share = self.weather.repeat_share
        return bool(share) and isinstance(message, REPEATABLE) and self._random.random() < share


@dataclass(slots=True)
class _Wire:
    """One direction of a session."""

    window: int = WINDOW_MESSAGES
    last_at: float = 0.0
    held: deque[Any] = field(default_factory=deque)
    """What a cut path holds back."""
    arrived: deque[Any] = field(default_factory=deque)
    news: asyncio.Event = field(default_factory=asyncio.Event)
    room: asyncio.Event = field(default_factory=asyncio.Event)
    on_way: int = 0
    ended: bool = False
    """The receiving end knows that nothing more comes."""


_END = object()


class Link:
    """One session: two wires and what becomes of them."""

    def __init__(
        self, network: Network, *, hosts: tuple[str, str], processes: tuple[Process, Process]
    ) -> None:
        self.hosts = hosts
        self.processes = processes
        self.silent = False
        """Half-open: everything sent is lost and nobody is told."""
        self._network = network
        self._wires = (_Wire(), _Wire())
        self._closed = [False, False]

    def __repr__(self) -> str:
        return f"<link {self.hosts[0]} → {self.hosts[1]}>"

    @property
    def over(self) -> bool:
        """Whether both ends are done with it."""
        return self._is_over(0) and self._is_over(1)

    def end(
        self, side: int, encode: Callable[[Any], Any], decode: Callable[[Any], Any]
    ) -> End[Any, Any]:
        """One end: 0 dialled, 1 accepted."""
        return End(self, side, encode, decode)

    def reset(self) -> None:
        """Both ends learn that it is over; what was on its way is lost."""
        for wire in self._wires:
            wire.held.clear()
            self._finish(wire)

    def process_died(self, process: Process) -> None:
        """One end is gone; the other learns of it where the path is whole."""
        for side in (0, 1):
            if self.processes[side] is process and not self._closed[side]:
                self._closed[side] = True
                self._carry(side, _END)

    def flush(self) -> None:
        """The path is whole again."""
        if not self._network.is_cut(*self.hosts):
            for side in (0, 1):
                held, self._wires[side].held = self._wires[side].held, deque()
                for message in held:
                    self._schedule(side, message)

    # --- what ends do; `side` is the sender's ---

    async def send(self, side: int, wired: Any, *, twice: bool) -> None:
        """Raises `Unavailable` once this end knows that the session is over."""
        wire = self._wires[side]
        while not self._is_over(side) and wire.on_way >= WINDOW_MESSAGES:
            wire.room.clear()
            await wire.room.wait()
        if self._is_over(side):
            raise self._broken()
        for _ in range(2 if twice else 1):
            wire.on_way += 1
            self._carry(side, wired)

    async def receive(self, side: int) -> Any:
        """What the other end sent. Raises `Unavailable` after the last of it."""
        wire = self._wires[1 - side]
        while not wire.arrived:
            if self._is_over(side):
                raise self._broken()
            wire.news.clear()
            await wire.news.wait()
        wire.on_way -= 1
        wire.room.set()
        return wire.arrived.popleft()

    def close(self, side: int) -> None:
        """This end is done; the other learns of it after all that was sent."""
        if not self._closed[side]:
            self._closed[side] = True
            self._carry(side, _END)
            self._wires[1 - side].arrived.clear()
            self._wake(side)

    def _is_over(self, side: int) -> bool:
        return self._closed[side] or self._wires[1 - side].ended

    def _broken(self) -> Unavailable:
        return Unavailable(f"the connection between {' and '.join(self.hosts)} ended")

    def _carry(self, side: int, wired: Any) -> None:
        if self.silent:
            return
        if self._network.is_cut(*self.hosts):
            self._wires[side].held.append(wired)
        else:
            self._schedule(side, wired)

    def _schedule(self, side: int, wired: Any) -> None:
        call_outside(self._schedule_outside, side, wired)

    def _schedule_outside(self, side: int, wired: Any) -> None:
        loop, wire = asyncio.get_running_loop(), self._wires[side]
        # Never before the one sent earlier: a stream keeps its order.
        wire.last_at = max(wire.last_at + 1e-6, loop.time() + self._network.delay_seconds())
        loop.call_at(wire.last_at, self._arrive, side, wired)

    def _arrive(self, side: int, wired: Any) -> None:
        wire = self._wires[side]
        if wire.ended or self.silent:
            return
        if self._network.is_cut(*self.hosts):
            wire.held.append(wired)
        elif wired is _END:
            self._finish(wire)
        else:
            wire.arrived.append(wired)
            wire.news.set()

    def _finish(self, wire: _Wire) -> None:
        wire.ended = True
        for side in (0, 1):
            self._wake(side)

    def _wake(self, side: int) -> None:
        self._wires[1 - side].news.set()
        self._wires[side].room.set()


class End(Generic[Out, In]):
    """One end of a link. Implements `orca.rpc.session.Session`."""

    def __init__(
        self,
        link: Link,
        side: int,
        encode: Callable[[Out], Any],
        decode: Callable[[Any], In | None],
    ) -> None:
        self._link = link
        self._side = side
        self._encode = encode
        self._decode = decode

    @property
    def peer(self) -> str:
        return f"sim://{self._link.hosts[1 - self._side]}"

    async def send(self, message: Out) -> None:
        twice = self._link._network.repeats(message)
        await self._link.send(self._side, self._encode(message), twice=twice)

    async def receive(self) -> In:
        while True:
            message = self._decode(await self._link.receive(self._side))
            if message is not None:
                return message

    async def close(self) -> None:
        self._link.close(self._side)


class Listener(Protocol):
    """A master as the network sees it."""

    @property
    def host(self) -> str: ...

    @property
    def process(self) -> Process | None:
        """None while it does not run."""
        ...

    @property
    def acceptor(self) -> Acceptor:
        """Only asked while it runs."""
        ...


class SimDialer:
    """Implements `orca.rpc.session.Dialer` for one program: tries one master after the other."""

    def __init__(
        self, network: Network, *, host: str, process: Process, masters: Sequence[Listener]
    ) -> None:
        self._network = network
        self._host = host
        self._process = process
        self._masters = masters
        self._next = 0

    async def node_session(self) -> NodeSide:
        """Dial the node's session."""
        side: NodeSide = await self._dial(
            (convert.node_to_wire, convert.master_from_wire),
            (convert.master_to_wire, convert.node_from_wire),
            lambda acceptor: acceptor.node_session,
        )
        return side

    async def stream(self) -> ChunkStream:
        """Dial a bulk stream."""
        both = (convert.chunk_to_wire, convert.chunk_from_wire)
        stream: ChunkStream = await self._dial(both, both, lambda acceptor: acceptor.stream)
        return stream

    async def proxy_session(self) -> ProxySide:
        """Dial the proxy's session."""
        side: ProxySide = await self._dial(
            (convert.proxy_to_wire, convert.command_from_wire),
            (convert.command_to_wire, convert.proxy_from_wire),
            lambda acceptor: acceptor.proxy_session,
        )
        return side

    async def _dial(
        self,
        near: tuple[Callable[[Any], Any], Callable[[Any], Any]],
        far: tuple[Callable[[Any], Any], Callable[[Any], Any]],
        serve: Callable[[Acceptor], Callable[[Any], Awaitable[None]]],
    ) -> Any:
        await asyncio.sleep(self._network.delay_seconds())
        master = self._masters[self._next % len(self._masters)]
        self._next += 1
        if master.process is None:
            raise Unavailable(f"nobody listens on {master.host}")
        link = self._network.connect(self._process, self._host, master.process, master.host)
        accepted = link.end(1, *far)
        # Like gRPC, this returns before the other end has said anything.
        master.process.spawn(_serve(serve(master.acceptor), accepted))
        return link.end(0, *near)


async def _serve(handle: Callable[[Any], Awaitable[None]], accepted: End[Any, Any]) -> None:
    """What a server does with a call: when the handler has ended, in whatever way, so has the call."""
    try:
        await handle(accepted)
    except (OrcaError, TimeoutError):
        pass
    finally:
        await accepted.close()
