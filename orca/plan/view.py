"""One service with its replicas, and the questions every decision asks of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from orca.model.ids import ReplicaId, RevisionNumber, ServiceId
from orca.model.replica import Desired, Replica, ReplicaState, ReplicaStatus
from orca.model.service import Revision, RolloutPhase, Service, UpdateOrder
from orca.model.snapshot import Snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where a service has to be: the revision and the generation its replicas must have."""

    revision: RevisionNumber
    generation: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceView:
    """A service, its replicas and what is known of them."""

    service: Service
    revisions: Mapping[RevisionNumber, Revision]
    replicas: tuple[Replica, ...]
    statuses: Mapping[ReplicaId, ReplicaStatus]

    @property
    def target(self) -> Target:
        """The rollout's goal; after a failed rollout, what was stable before it."""
        service = self.service
        if service.rollout.phase is RolloutPhase.FAILED and service.stable_generation:
            return Target(revision=service.stable, generation=service.stable_generation)
        return Target(revision=service.revision, generation=service.generation)

    @property
    def revision(self) -> Revision:
        """The revision of the target."""
        return self.revisions[self.target.revision]

    @property
    def wanted(self) -> int:
        """How many replicas shall run."""
        return 0 if self.service.stopped or self.service.removed else self.service.replicas

    def state(self, replica: Replica) -> ReplicaState:
        """What the node says, or `ASSIGNED` while it has said nothing."""
        status = self.statuses.get(replica.id)
        return status.state if status else ReplicaState.ASSIGNED

    def is_live(self, replica: Replica) -> bool:
        """Whether it is meant to run and has not ended for good."""
        return replica.desired is Desired.RUN and not self.state(replica).is_final

    def is_ready(self, replica: Replica) -> bool:
        """Whether it answers its readiness probe now."""
        status = self.statuses.get(replica.id)
        return status is not None and status.ready and status.state is ReplicaState.RUNNING

    def is_available(self, replica: Replica) -> bool:
        """Whether it has been ready long enough for another to be stopped in its favour.

        Its node says so, never a clock here: while nothing is heard of a node, nothing becomes available.
        """
        return self.is_ready(replica) and self.statuses[replica.id].available

    def is_current(self, replica: Replica) -> bool:
        """Whether it belongs to the target."""
        return replica.generation == self.target.generation

    def in_slot(self, slot: int) -> tuple[Replica, ...]:
        """Every replica of a slot, also those that are stopping."""
        return tuple(replica for replica in self.replicas if replica.slot == slot)

    def ready_count(self) -> int:
        """Replicas that get traffic."""
        return sum(self.is_ready(r) for r in self.replicas if r.desired is Desired.RUN)


def view(snapshot: Snapshot, id: ServiceId) -> ServiceView:
    """The view of one service; replicas in order of slot, then age."""
    replicas = [r for r in snapshot.replicas.values() if r.service == id]
    return _view(snapshot, snapshot.services[id], replicas)


def views(snapshot: Snapshot) -> dict[ServiceId, ServiceView]:
    """The views of all services, sorted by id."""
    by_service: dict[ServiceId, list[Replica]] = {id: [] for id in snapshot.services}
    for replica in snapshot.replicas.values():
        by_service.setdefault(replica.service, []).append(replica)
    return {
        id: _view(snapshot, snapshot.services[id], by_service[id])
        for id in sorted(snapshot.services)
    }


def _view(snapshot: Snapshot, service: Service, replicas: list[Replica]) -> ServiceView:
    numbers = {service.revision, service.stable}
    return ServiceView(
        service=service,
        revisions={
            number: revision
            for number in numbers
            if (revision := snapshot.revisions.get((service.id, number))) is not None
        },
        replicas=tuple(sorted(replicas, key=lambda r: (r.slot, r.created_at, r.id))),
        statuses=snapshot.statuses,
    )


def stops_first(revision: Revision) -> bool:
    """Whether a replica has to end before its successor may start."""
    match revision.spec.update.order:
        case UpdateOrder.STOP_FIRST:
            return True
        case UpdateOrder.START_FIRST:
            return False
        case UpdateOrder.AUTO:
            return revision.spec.container.exclusive
