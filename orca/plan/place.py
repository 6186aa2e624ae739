"""Placement: which node gets a replica, and why the others do not.

Filters say no and explain themselves; among the nodes left the emptiest wins, a node that held the slot
before first of all. Ties are broken by a hash of ids, so that the choice is the same wherever it is
computed. `Ledger` counts the replicas placed in the same pass.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from orca.model.ids import NodeId, ServiceId
from orca.model.replica import Desired, Replica
from orca.model.service import RevisionSpec
from orca.model.snapshot import NodeView, Snapshot


@dataclass(frozen=True, slots=True)
class Unplaceable:
    """No node will do; `reason` is a sentence."""

    reason: str


@dataclass(slots=True)
class Ledger:
    """What each node carries, including what this pass has put there."""

    replicas: Counter[NodeId] = field(default_factory=Counter)
    services: Counter[tuple[NodeId, ServiceId]] = field(default_factory=Counter)

    def add(self, replica: Replica) -> None:
        """Count a replica on its node."""
        self.replicas[replica.node] += 1
        self.services[replica.node, replica.service] += 1


def ledger_of(snapshot: Snapshot) -> Ledger:
    """What the nodes carry now."""
    ledger = Ledger()
    for replica in snapshot.replicas.values():
        if replica.desired is Desired.RUN:
            ledger.add(replica)
    return ledger


Filter = Callable[[NodeView, RevisionSpec], str]
"""Empty when the node will do, else why not, in words that fit after "1 node is"."""


def _connected(view: NodeView, _spec: RevisionSpec) -> str:
    return "" if view.connected else "not connected"


def _docker(view: NodeView, _spec: RevisionSpec) -> str:
    return "without a working Docker" if view.node.facts.docker_error else ""


def _open(view: NodeView, _spec: RevisionSpec) -> str:
    return "draining" if view.node.draining else ""


def _named(view: NodeView, spec: RevisionSpec) -> str:
    name = spec.placement.node
    return f"not called {name}" if name and name not in (view.node.name, view.node.id) else ""


def _labelled(view: NodeView, spec: RevisionSpec) -> str:
    labels = view.node.facts.labels
    missing = [k for k, v in spec.placement.labels.items() if labels.get(k) != v]
    return f"without the label {missing[0]}={spec.placement.labels[missing[0]]}" if missing else ""


def _roomy(view: NodeView, spec: RevisionSpec) -> str:
    limit = spec.container.resources.memory_bytes
    memory = view.node.facts.memory_bytes
    return "with less memory than the limit" if memory and limit > memory else ""


def _fast(view: NodeView, spec: RevisionSpec) -> str:
    cpus = view.node.facts.cpus
    return "with fewer CPUs than the limit" if cpus and spec.container.resources.cpus > cpus else ""


FILTERS: tuple[Filter, ...] = (_connected, _docker, _open, _named, _labelled, _roomy, _fast)


def place(
    snapshot: Snapshot,
    spec: RevisionSpec,
    *,
    service: ServiceId,
    slot: int,
    ledger: Ledger,
    before: NodeId | None = None,
) -> NodeId | Unplaceable:
    """The node for a replica, or why there is none."""
    rejected: Counter[str] = Counter()
    fit: list[NodeView] = []
    for view in snapshot.nodes.values():
        why = next((why for check in FILTERS if (why := check(view, spec))), "")
        if why:
            rejected[why] += 1
        else:
            fit.append(view)
    if not fit:
        return Unplaceable(_explain(rejected))
    best = min(fit, key=lambda view: _rank(view, service, slot, ledger, before))
    return best.node.id


def _rank(
    view: NodeView, service: ServiceId, slot: int, ledger: Ledger, before: NodeId | None
) -> tuple[bool, int, int, str]:
    node = view.node.id
    tie = hashlib.sha256(f"{service}/{slot}/{node}".encode()).hexdigest()
    return node != before, ledger.services[node, service], ledger.replicas[node], tie


def _explain(rejected: Counter[str]) -> str:
    if not rejected:
        return "no node has joined the cluster"
    reasons = [f"{count} {why}" for why, count in rejected.items()]
    return "no node can take it: " + ", ".join(reasons)
