"""The snapshot: all that a decision may look at, frozen at one moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from orca.model.ids import Epoch, NodeId, ReplicaId, RevisionNumber, ServiceId
from orca.model.node import Node
from orca.model.replica import Replica, ReplicaStatus
from orca.model.service import Revision, Service


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeView:
    """A node and whether its session delivers."""

    node: Node
    connected: bool
    seen_at: float = 0.0
    """Unix seconds of the last message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Desired state as stored, observed state as last reported."""

    epoch: Epoch
    services: Mapping[ServiceId, Service] = field(default_factory=dict)
    revisions: Mapping[tuple[ServiceId, RevisionNumber], Revision] = field(default_factory=dict)
    replicas: Mapping[ReplicaId, Replica] = field(default_factory=dict)
    statuses: Mapping[ReplicaId, ReplicaStatus] = field(default_factory=dict)
    nodes: Mapping[NodeId, NodeView] = field(default_factory=dict)
    drained: frozenset[ReplicaId] = frozenset()
    """Draining replicas that no proxy has a request in flight to."""
    gone: frozenset[ReplicaId] = frozenset()
    """Replicas of which their node has nothing left."""
