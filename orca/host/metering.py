"""Metrics of the control plane, taken from what the leader publishes. It decides nothing."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping

from orca.master.journal import Journal
from orca.master.publication import Edition, Publication
from orca.master.race import race
from orca.master.views import is_fresh
from orca.model.event import Event
from orca.model.ids import ServiceId
from orca.telemetry.metrics import Inventory, Metrics, ReplicaKey

MAILBOX_SECONDS = 2.0


class Metering:
    """Keeps gauges and counters in step until cancelled.

    `mailboxes` says how many messages wait, per actor.
    """

    def __init__(
        self,
        metrics: Metrics,
        publication: Publication,
        journal: Journal,
        *,
        mailboxes: Callable[[], Mapping[str, int]],
    ) -> None:
        self._metrics = metrics
        self._publication = publication
        self._journal = journal
        self._mailboxes = mailboxes

    async def run(self) -> None:
        """Follow editions, events and mailboxes."""
        await race(self._follow_editions(), self._follow_events(), self._watch_mailboxes())

    async def _watch_mailboxes(self) -> None:
        seen: set[str] = set()
        while True:
            depths = by_kind(self._mailboxes())
            seen |= set(depths)
            for kind in seen:
                self._metrics.set_mailbox_depth(kind=kind, depth=depths[kind])
            await asyncio.sleep(MAILBOX_SECONDS)

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
                self._time_rollout(event.service, event)
            case "replica.restarted" if event.service is not None:
                service = event.service
                self._metrics.count_restart(project=service.project, service=service.name)
            case "proxy.rejected":
                self._metrics.proxy_config_rejected.inc()
            case "service.removed" if event.service is not None:
                service = event.service
                self._metrics.forget_service(project=service.project, service=service.name)

    def _time_rollout(self, id: ServiceId | None, event: Event) -> None:
        """A service knows the start of its latest rollout only; one that was replaced took no time."""
        service = self._publication.latest.snapshot.services.get(id) if id else None
        if service is not None and service.rollout.id == event.rollout:
            self._metrics.deploy_seconds.observe(max(0.0, event.at - service.rollout.started_at))


def by_kind(depths: Mapping[str, int]) -> Counter[str]:
    """Messages waiting, by the kind of actor: the last part of its name without its id."""
    found: Counter[str] = Counter()
    for name, depth in depths.items():
        found[name.rpartition("/")[2].partition("-")[0]] += depth
    return found


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
