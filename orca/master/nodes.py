"""Sessions with nodes: liveness, assignments out, statuses in, commands and their answers.

A node is alive if and only if its session delivers. One session per node: a newer one replaces the
older. What arrives is told to the MasterActor; what has to go out is put into the session's outbox,
which is bounded: a node that does not read loses its session, not the master its memory.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field

from orca.errors import (
    Conflict,
    DeadlineExceeded,
    Fenced,
    NoNode,
    OrcaError,
    Unavailable,
    from_kind,
)
from orca.master.race import race
from orca.model.container import PullPolicy
from orca.model.ids import CommandId, Epoch, NodeId, ReplicaId
from orca.model.node import NodeFacts
from orca.model.replica import ReplicaStatus
from orca.rpc.messages import (
    CommandDone,
    Heartbeat,
    HeartbeatAck,
    MasterMessage,
    NodeHello,
    NodeMessage,
    ResolveImage,
    StatusReport,
    Welcome,
)
from orca.rpc.session import MasterSide
from orca.telemetry.logs import get_logger

log = get_logger(__name__)

OUTBOX_MAX = 1000
MISSED_HEARTBEATS_MAX = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeConnected:
    """A session began."""

    node: NodeId
    name: str
    facts: NodeFacts
    statuses: tuple[ReplicaStatus, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeReported:
    """Replicas changed."""

    node: NodeId
    statuses: tuple[ReplicaStatus, ...]
    gone: tuple[ReplicaId, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeHeard:
    """A heartbeat; `facts` when they changed."""

    node: NodeId
    facts: NodeFacts | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeGone:
    """The session ended."""

    node: NodeId


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeRefused:
    """A node was turned away: it follows a state that is not the one in etcd."""

    node: NodeId
    name: str


NodeNews = NodeConnected | NodeReported | NodeHeard | NodeGone | NodeRefused


@dataclass(slots=True)
class _Link:
    """One live session."""

    session: MasterSide
    outbox: asyncio.Queue[MasterMessage] = field(
        default_factory=lambda: asyncio.Queue(maxsize=OUTBOX_MAX)
    )
    replaced: asyncio.Event = field(default_factory=asyncio.Event)


class NodeSessions:
    """All sessions of one leadership. `tell` delivers news to the MasterActor."""

    def __init__(
        self,
        *,
        cluster: str,
        epoch: Epoch,
        heartbeat_seconds: float,
        tell: Callable[[NodeNews], None],
        lineage: str = "",
    ) -> None:
        self._cluster = cluster
        self._epoch = epoch
        self._lineage = lineage
        self._heartbeat_seconds = heartbeat_seconds
        self._tell = tell
        self._links: dict[NodeId, _Link] = {}
        self._commands: dict[CommandId, asyncio.Future[CommandDone]] = {}
        self._numbers = itertools.count(1)
        self._closed = False

    # --- sessions ---

    async def serve(self, session: MasterSide) -> None:
        """Serve a session until it ends. Raises `Unavailable` when it breaks."""
        hello = await self._greet(session)
        if self._closed:
            raise _not_leading()
        link = _Link(session)
        if before := self._links.get(hello.node):
            before.replaced.set()
        self._links[hello.node] = link
        link.outbox.put_nowait(
            Welcome(
                epoch=self._epoch,
                cluster=self._cluster,
                lineage=self._lineage,
                heartbeat_seconds=self._heartbeat_seconds,
            )
        )
        self._tell(
            NodeConnected(
                node=hello.node, name=hello.name, facts=hello.facts, statuses=hello.statuses
            )
        )
        log.info("node connected", node=hello.node, name=hello.name, replicas=len(hello.statuses))
        try:
            await self._converse(hello.node, link)
        finally:
            self._leave(hello.node, link)

    async def _greet(self, session: MasterSide) -> NodeHello:
        async with asyncio.timeout(10):
            hello = await session.receive()
        if not isinstance(hello, NodeHello):
            raise Conflict("the session did not begin with a hello")
        if session.peer.startswith("orca://") and session.peer != f"orca://node/{hello.node}":
            raise Conflict(f"{session.peer} presented itself as node {hello.node}")
        if hello.lineage not in ("", self._lineage):
            self._tell(NodeRefused(node=hello.node, name=hello.name))
            raise Fenced(f"node {hello.node} follows another state than the one in etcd")
        if hello.epoch > self._epoch:
            raise Fenced(f"node {hello.node} already follows epoch {hello.epoch}")
        return hello

    async def _converse(self, node: NodeId, link: _Link) -> None:
        try:
            await race(self._read(node, link), self._write(link), link.replaced.wait())
        except (Unavailable, TimeoutError) as error:
            log.info("node session ended", node=node, why=str(error) or "it stopped delivering")

    async def _read(self, node: NodeId, link: _Link) -> None:
        patience = self._heartbeat_seconds * MISSED_HEARTBEATS_MAX
        while True:
            async with asyncio.timeout(patience):
                message = await link.session.receive()
            self._take(node, link, message)

    async def _write(self, link: _Link) -> None:
        while True:
            await link.session.send(await link.outbox.get())

    def _take(self, node: NodeId, link: _Link, message: NodeMessage) -> None:
        if self._links.get(node) is not link:
            return  # a newer session has said how things are
        match message:
            case StatusReport():
                self._tell(NodeReported(node=node, statuses=message.statuses, gone=message.gone))
            case Heartbeat():
                self._put(link, HeartbeatAck(sequence=message.sequence, epoch=self._epoch))
                self._tell(NodeHeard(node=node, facts=message.facts))
            case CommandDone():
                answer = self._commands.pop(message.command, None)
                if answer is not None and not answer.done():
                    answer.set_result(message)
            case NodeHello():
                raise Unavailable("the node said hello twice")

    def _put(self, link: _Link, message: MasterMessage) -> None:
        try:
            link.outbox.put_nowait(message)
        except asyncio.QueueFull:
            log.warning("node does not read; dropping its session", peer=link.session.peer)
            link.replaced.set()

    def _leave(self, node: NodeId, link: _Link) -> None:
        if self._links.get(node) is link:
            del self._links[node]
            self._tell(NodeGone(node=node))

    def close(self) -> None:
        """End all sessions, also those that have not yet begun: this master no longer leads."""
        self._closed = True
        for link in self._links.values():
            link.replaced.set()
        for answer in self._commands.values():
            if not answer.done():
                answer.set_exception(_not_leading())

    # --- out ---

    def connected(self) -> tuple[NodeId, ...]:
        """Nodes with a live session."""
        return tuple(self._links)

    def token(self, node: NodeId) -> object | None:
        """Identity of a node's session: a new session has to be told everything anew."""
        return self._links.get(node)

    def send(self, node: NodeId, message: MasterMessage) -> None:
        """Queue a message. Raises `NoNode` when the node has no session."""
        link = self._links.get(node)
        if link is None:
            raise NoNode(f"node {node} is not connected")
        self._put(link, message)

    async def resolve_image(
        self, node: NodeId, image: str, pull: PullPolicy, *, trace: str, timeout_seconds: float
    ) -> str:
        """What an image is on a node, pulled first where the policy says so.

        Raises what the node reports (`ImageError`, `DockerUnavailable` …), `NoNode`, or
        `DeadlineExceeded`.
        """
        command = CommandId(f"{self._epoch}-{next(self._numbers)}")
        answer: asyncio.Future[CommandDone] = asyncio.get_running_loop().create_future()
        self._commands[command] = answer
        request = ResolveImage(
            command=command, epoch=self._epoch, image=image, pull=pull, trace=trace
        )
        try:
            self.send(node, request)
            async with asyncio.timeout(timeout_seconds):
                done = await answer
        except TimeoutError as error:
            raise DeadlineExceeded(
                f"node {node} has not resolved the image {image} within {timeout_seconds:g} s"
            ) from error
        finally:
            self._commands.pop(command, None)
        if failure := _error_of(done):
            raise failure
        return done.image_id


def _not_leading() -> Unavailable:
    return Unavailable(
        "this master no longer leads", hint="try again in a few seconds, with the master that does"
    )


def _error_of(done: CommandDone) -> OrcaError | None:
    if not done.error_kind:
        return None
    return from_kind(done.error_kind, done.error, hint=done.hint)
