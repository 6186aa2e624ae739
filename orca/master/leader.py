"""The MasterActor: snapshot → plan → commit → dispatch, one pass after each piece of news.

It owns the mirror of the store and what nodes and proxies said; nobody else touches them. Others read
the editions it publishes. It acts only while its leadership is valid by its own clock, and every write
it makes is fenced by its epoch.

What is not here: any decision. Those are `orca.plan`'s.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from orca.actors.actor import Actor
from orca.errors import Conflict, Fenced, Unavailable
from orca.master import news
from orca.master.commit import Committer
from orca.master.dispatch import Told, keys_for
from orca.master.dispatch import news as dispatch_news
from orca.master.journal import Journal
from orca.master.meter import Meter
from orca.master.mirror import Mirror
from orca.master.nodes import (
    NodeConnected,
    NodeGone,
    NodeHeard,
    NodeNews,
    NodeRefused,
    NodeReported,
    NodeSessions,
)
from orca.master.observed import Observed, ProxyView
from orca.master.proxies import (
    ProxyConnected,
    ProxyGone,
    ProxyHasDrained,
    ProxyNews,
    ProxyReported,
    ProxySessions,
)
from orca.master.publication import Edition, Publication
from orca.master.records import Records
from orca.master.vault import Vault
from orca.model.container import ContainerSpec
from orca.model.event import Event, Level
from orca.model.ids import Epoch, NodeId
from orca.model.node import Node
from orca.model.replica import Replica
from orca.model.route import RouteTable
from orca.model.snapshot import Snapshot
from orca.plan.reconcile import plan
from orca.plan.routes import routes
from orca.plan.steps import Plan
from orca.store.base import Fence, Store, Transaction, WatchBatch, Write
from orca.telemetry.logs import get_logger

log = get_logger(__name__)

SETTLE_GRACE_SECONDS = 15.0
"""How long a new leader waits for nodes before it takes silence for absence."""
FULL_PASS_SECONDS = 10.0
RETRY_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Look:
    """Something may have changed."""


@dataclass(frozen=True, slots=True)
class StoreChanged:
    """The watch brought changes."""

    batch: WatchBatch


@dataclass(frozen=True, slots=True)
class Written:
    """A master wrote to the store: no need to wait for the watch."""

    writes: tuple[Write, ...]
    revision: int
    events: tuple[Event, ...] = ()


LeaderMessage = Look | StoreChanged | Written | NodeNews | ProxyNews


@dataclass(frozen=True, slots=True, kw_only=True)
class Mandate:
    """The right to lead: its epoch, its fence, and whether it still holds."""

    epoch: Epoch
    fence: Fence
    is_valid: Callable[[], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What the MasterActor acts through."""

    store: Store
    records: Records
    vault: Vault
    journal: Journal
    publication: Publication
    nodes: NodeSessions
    proxies: ProxySessions
    clock: Callable[[], float]
    """Unix seconds."""
    fenced: Callable[[], None]
    """Called when a newer leader is found."""
    meter: Meter = field(default_factory=Meter)


class MasterActor(Actor[LeaderMessage]):
    """The leader's loop."""

    def __init__(self, mandate: Mandate, around: Surroundings) -> None:
        self._mandate = mandate
        self._around = around
        self._mirror = Mirror(around.records)
        self._observed = Observed(since=around.clock())
        self._committer = Committer(around.records, self._mirror, mandate.fence)
        self._told: dict[NodeId, tuple[object, Told]] = {}
        self._editions = around.publication.latest.number
        self._known = False
        self._settled = False
        self._problem = ""
        self._deposed = False
        self._refused: dict[NodeId, str] = {}
        self._plan = Plan()
        self._routes = RouteTable()

    async def started(self) -> None:
        self.context.every(FULL_PASS_SECONDS, Look(), key="full pass")
        self.context.after(SETTLE_GRACE_SECONDS, Look(), key="grace")

    async def receive(self, message: LeaderMessage) -> None:
        match message:
            case Look():
                await self._look()
                return
            case StoreChanged():
                self._mirror.apply(message.batch)
                self._known = self._known or message.batch.complete
            case Written():
                self._mirror.apply_writes(message.writes, message.revision)
                self._around.journal.append(message.events)
            case NodeConnected():
                await self._node_connected(message)
            case NodeReported() | NodeHeard() | NodeGone():
                self._node_news(message)
            case NodeRefused():
                self._refused[message.node] = _refusal(message)
            case ProxyConnected() | ProxyReported() | ProxyHasDrained() | ProxyGone():
                self._proxy_news(message)
        self.context.me.tell(Look(), key="look")

    # --- news ---

    async def _node_connected(self, message: NodeConnected) -> None:
        self._refused.pop(message.node, None)
        around, now = self._around, self._around.clock()
        replicas = self._mirror.replicas()
        known = self._mirror.nodes().get(message.node)
        node = Node(
            id=message.node,
            name=message.name,
            facts=message.facts,
            draining=known.draining if known else False,
            joined_at=known.joined_at if known else now,
        )
        if node != known:
            await self._write((around.records.put(node),))
        around.journal.append(
            news.of_statuses(self._observed.statuses, message.statuses, replicas, now)
        )
        around.journal.append([_node_event(message.node, "connected", Level.INFO, now)])
        self._observed.connect(
            message.node,
            facts=message.facts,
            statuses=message.statuses,
            assigned=[r.id for r in replicas.values() if r.node == message.node],
            now=now,
        )

    async def _write(self, writes: tuple[Write, ...]) -> None:
        """Write what is nobody else's; when the store is away, the next session does it."""
        try:
            transaction = Transaction(writes=writes, fence=self._mandate.fence)
            done = await self._around.store.commit(transaction)
        except Fenced:
            self._depose()
        except Unavailable as error:
            self._problem = error.message
        else:
            self._mirror.apply_writes(writes, done.revision)

    def _node_news(self, message: NodeReported | NodeHeard | NodeGone) -> None:
        now = self._around.clock()
        match message:
            case NodeReported():
                replicas = self._mirror.replicas()
                told = news.of_statuses(self._observed.statuses, message.statuses, replicas, now)
                self._around.journal.append(told)
                self._observed.report(
                    message.node, statuses=message.statuses, gone=message.gone, now=now
                )
            case NodeHeard():
                self._observed.heard(message.node, now, message.facts)
            case NodeGone():
                self._observed.disconnect(message.node)
                self._around.journal.append(
                    [_node_event(message.node, "disconnected", Level.WARNING, now)]
                )

    def _proxy_news(self, message: ProxyNews) -> None:
        now = self._around.clock()
        before = self._observed.proxies.get(message.proxy)
        view = before or ProxyView(id=message.proxy, name=message.proxy)
        match message:
            case ProxyConnected():
                view = ProxyView(id=message.proxy, name=message.name, seen_at=now)
            case ProxyReported():
                view = replace(view, version=message.version, error=message.error, seen_at=now)
                if message.error and (before is None or before.error != message.error):
                    self._around.journal.append([_rejected(message, now)])
            case ProxyHasDrained():
                self._observed.drained[message.proxy] = message.replicas
            case ProxyGone():
                view = replace(view, connected=False)
        self._observed.proxy(view)

    # --- the loop ---

    async def _look(self) -> None:
        if not self._known:
            return
        if not self._may_act:
            self._publish()
            return
        now = self._around.clock()
        self._observed.forget_unknown(self._mirror.replicas())
        self._settled = self._settled or self._observed.is_settled(
            self._mirror.replicas().values(), now=now, grace_seconds=SETTLE_GRACE_SECONDS
        )
        self._plan = self._decide(now) if self._settled else Plan()
        await self._commit(self._plan, now)
        if self._may_act:
            # A commit may have taken longer than the lease: what is known now may be another's past.
            self._dispatch()
        self._publish()
        await self._flush()
        if self._plan.wake_at is not None:
            self.context.after(self._plan.wake_at - now, Look(), key="wake")

    @property
    def _may_act(self) -> bool:
        return not self._deposed and self._mandate.is_valid()

    def _depose(self) -> None:
        self._deposed = True
        self._around.fenced()

    def _decide(self, now: float) -> Plan:
        clock = asyncio.get_running_loop().time
        snapshot, began = self._snapshot(), clock()
        decided = plan(snapshot, now)
        self._around.meter.planned(clock() - began)
        return decided

    async def _flush(self) -> None:
        try:
            await self._around.journal.flush(self._mandate.fence)
        except Fenced:
            self._depose()

    async def _commit(self, decided: Plan, now: float) -> None:
        """Commit step by step; what cannot be committed now is planned again later."""
        self._problem = ""
        clock = asyncio.get_running_loop().time
        began = clock()
        try:
            for change in self._committer.changes(decided.steps, now):
                done = await self._around.store.commit(change.transaction)
                self._mirror.apply_writes(change.transaction.writes, done.revision)
                self._around.journal.append(change.events)
        except Fenced:
            self._depose()
        except Conflict as error:
            log.info("the state changed under the plan; planning again", why=error.message)
            self.context.after(0.02, Look(), key="again")
        except Unavailable as error:
            log.warning("the plan waits for the store", why=error.message)
            self._problem = error.message
            self.context.after(RETRY_SECONDS, Look(), key="again")
        else:
            if decided.steps:
                self._around.meter.committed(clock() - began)
                self.context.me.tell(Look(), key="look")

    def _snapshot(self) -> Snapshot:
        observed = self._observed
        return Snapshot(
            epoch=self._mandate.epoch,
            services=self._mirror.services(),
            revisions=self._mirror.revisions(),
            replicas=self._mirror.replicas(),
            statuses=dict(observed.statuses),
            nodes=observed.node_views(self._mirror.nodes()),
            drained=observed.all_drained(),
            gone=frozenset(observed.gone),
        )

    def _dispatch(self) -> None:
        snapshot = self._snapshot()
        for node in self._around.nodes.connected():
            self._tell_node(snapshot, node)
        if self._settled:
            self._routes = routes(snapshot)
            self._around.proxies.publish(self._routes)

    def _tell_node(self, snapshot: Snapshot, node: NodeId) -> None:
        session = self._around.nodes.token(node)
        before, told = self._told.get(node, (None, Told()))
        if before is not session:
            told = Told()
        wanted = keys_for(snapshot, node, self._mirror.secrets())
        message = dispatch_news(
            told, wanted, snapshot=snapshot, epoch=self._mandate.epoch, resolve=self._resolve
        )
        if message is not None:
            self._around.nodes.send(node, message)
        self._told[node] = (session, Told(complete=True, keys=wanted))

    def _resolve(
        self, spec: ContainerSpec, replica: Replica
    ) -> tuple[ContainerSpec, dict[str, str]]:
        service = replica.service
        return self._around.vault.resolve(
            spec, self._mirror.secrets(), project=service.project, place=str(service)
        )

    def _publish(self) -> None:
        self._editions += 1
        services, secrets = self._mirror.services(), self._mirror.secrets()
        self._around.publication.publish(
            Edition(
                number=self._editions,
                revision=self._mirror.revision,
                at=self._around.clock(),
                settled=self._settled,
                snapshot=self._snapshot(),
                versions={id: self._mirror.version(s) for id, s in services.items()},
                waiting=self._plan.waiting,
                secrets=secrets,
                secret_versions={key: self._mirror.version(s) for key, s in secrets.items()},
                deployments=self._mirror.deployments(),
                proxies=dict(self._observed.proxies),
                routes=self._routes,
                problem=self._worst_problem(),
            )
        )

    def _worst_problem(self) -> str:
        if not self._may_act:
            return "leadership is not certain: etcd does not answer"
        return self._problem or next(iter(self._refused.values()), "")


def _refusal(message: NodeRefused) -> str:
    return (
        f"the state in etcd was lost or replaced: node {message.name} follows another one, so it keeps "
        "its containers and takes no orders (docs/operations.md, When the state is lost)"
    )


def _node_event(node: NodeId, what: str, level: Level, now: float) -> Event:
    return Event(at=now, kind=f"node.{what}", level=level, message=f"node {node} {what}", node=node)


def _rejected(message: ProxyReported, now: float) -> Event:
    return Event(
        at=now,
        kind="proxy.rejected",
        level=Level.ERROR,
        message=f"ProxyConfigRejected: {message.proxy} keeps its last good routes: {message.error}",
    )
