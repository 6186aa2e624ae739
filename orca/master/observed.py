"""What nodes and proxies say: the leader's memory, never stored.

It is complete only once every node that carries replicas has connected since this leader began; until
then it must not be mistaken for the truth (`is_settled`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from orca.model.ids import NodeId, ProxyId, ReplicaId
from orca.model.node import Node, NodeFacts
from orca.model.replica import Replica, ReplicaStatus
from orca.model.snapshot import NodeView


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyView:
    """A proxy and what it last said."""

    id: ProxyId
    name: str
    connected: bool = True
    seen_at: float = 0.0
    version: int = 0
    """The last route table it applied."""
    error: str = ""
    """Why it refused a newer one."""


@dataclass(slots=True)
class _Seen:
    connected: bool
    at: float
    facts: NodeFacts


@dataclass(slots=True)
class Observed:
    """Statuses by replica, liveness by node, acknowledgements by proxy. Times are Unix seconds."""

    since: float
    statuses: dict[ReplicaId, ReplicaStatus] = field(default_factory=dict)
    gone: set[ReplicaId] = field(default_factory=set)
    drained: dict[ProxyId, frozenset[ReplicaId]] = field(default_factory=dict)
    proxies: dict[ProxyId, ProxyView] = field(default_factory=dict)
    _nodes: dict[NodeId, _Seen] = field(default_factory=dict)

    # --- nodes ---

    def connect(
        self,
        node: NodeId,
        *,
        facts: NodeFacts,
        statuses: Iterable[ReplicaStatus],
        assigned: Iterable[ReplicaId],
        now: float,
    ) -> None:
        """A node said hello: what it says replaces all that was known of its replicas."""
        self._nodes[node] = _Seen(connected=True, at=now, facts=facts)
        told = {status.replica for status in statuses}
        for replica in set(assigned) - told:
            self.statuses.pop(replica, None)
        self.report(node, statuses=statuses, gone=(), now=now)

    def report(
        self,
        node: NodeId,
        *,
        statuses: Iterable[ReplicaStatus],
        gone: Iterable[ReplicaId],
        now: float,
    ) -> None:
        """Changes of some replicas."""
        self.heard(node, now)
        for status in statuses:
            self.statuses[status.replica] = status
        self.gone |= set(gone)

    def heard(self, node: NodeId, now: float, facts: NodeFacts | None = None) -> None:
        """A node said something."""
        if seen := self._nodes.get(node):
            seen.at = now
            seen.facts = facts or seen.facts

    def disconnect(self, node: NodeId) -> None:
        """A node's session ended. What it said last is kept: its containers may well be running."""
        if seen := self._nodes.get(node):
            seen.connected = False

    def node_views(self, nodes: Mapping[NodeId, Node]) -> dict[NodeId, NodeView]:
        """Every member with its liveness."""
        views = {}
        for id, node in nodes.items():
            seen = self._nodes.get(id)
            views[id] = NodeView(
                node=replace(node, facts=seen.facts) if seen else node,
                connected=seen is not None and seen.connected,
                seen_at=seen.at if seen else 0.0,
            )
        return views

    def is_settled(self, replicas: Iterable[Replica], *, now: float, grace_seconds: float) -> bool:
        """Whether all nodes that carry replicas have spoken, or had their time to."""
        if now - self.since >= grace_seconds:
            return True
        return all(replica.node in self._nodes for replica in replicas)

    # --- proxies ---

    def proxy(self, view: ProxyView) -> None:
        """A proxy connected, applied or refused something."""
        self.proxies[view.id] = view

    def all_drained(self) -> frozenset[ReplicaId]:
        """Replicas that every connected proxy has finished with."""
        connected = [p.id for p in self.proxies.values() if p.connected]
        sets = [self.drained.get(id, frozenset()) for id in connected]
        return frozenset.intersection(*sets) if sets else frozenset()

    # --- housekeeping ---

    def forget_unknown(self, known: Mapping[ReplicaId, Replica]) -> None:
        """Drop what is said of replicas that no longer exist."""
        for id in [id for id in self.statuses if id not in known]:
            del self.statuses[id]
        self.gone &= set(known)
