"""Metrics of the control plane, taken from what the leader publishes. It decides nothing."""

from __future__ import annotations

from collections import Counter

from orca.master.journal import Journal
from orca.master.publication import Edition, Publication
from orca.master.race import race
from orca.master.views import is_fresh
from orca.model.event import Event
from orca.telemetry.metrics import Inventory, Metrics, ReplicaKey


class Metering:
    """Keeps gauges and counters in step until cancelled."""

    def __init__(self, metrics: Metrics, publication: Publication, journal: Journal) -> None:
        self._metrics = metrics
        self._publication = publication
        self._journal = journal

    async def run(self) -> None:
        """Follow editions and events."""
        await race(self._follow_editions(), self._follow_events())

    async def _follow_editions(self) -> None:
        async for edition in self._publication.editions():
            self._metrics.set_inventory(inventory(edition))
            self._metrics.is_leader.set(0 if edition.problem else 1)

    async def _follow_events(self) -> None:
        newest = self._journal.read(after=0, limit=1)
        after = newest[-1].sequence if newest else 0
        async for stored in self._journal.follow(after=after):
            self._count(stored.event)

    def _count(self, event: Event) -> None:
        match event.kind:
            case "rollout.complete" | "rollout.failed":
                self._metrics.count_rollout(event.kind.removeprefix("rollout."))
            case "replica.restarted" if event.service is not None:
                service = event.service
                self._metrics.count_restart(project=service.project, service=service.name)
            case "proxy.rejected":
                self._metrics.proxy_config_rejected.inc()
            case "service.removed" if event.service is not None:
                service = event.service
                self._metrics.forget_service(project=service.project, service=service.name)


def inventory(edition: Edition) -> Inventory:
    """What the cluster holds, counted."""
    snapshot = edition.snapshot
    replicas: Counter[ReplicaKey] = Counter()
    for replica in snapshot.replicas.values():
        status = snapshot.statuses.get(replica.id)
        state = status.state.label if status else "assigned"
        service = replica.service
        replicas[ReplicaKey(service.project, service.name, state)] += 1
    nodes = Counter(
        "ready" if is_fresh(node, edition.at) else "unknown" for node in snapshot.nodes.values()
    )
    return Inventory(services=len(snapshot.services), replicas=replicas, nodes=nodes)
