"""What must hold in a cluster at every moment, whatever fails. Pure functions over observed facts.

The facts are what an observer outside all programs sees: what the store holds, which containers run and
whether they answer. No program's own opinion is among them, so that a wrong opinion is found. Each
function returns a sentence for what is wrong, or nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from orca.model.ids import ReplicaId, RevisionNumber, ServiceId
from orca.model.replica import Desired, Replica
from orca.model.route import Endpoint, EndpointState, RouteTable
from orca.model.service import Revision, RolloutPhase, Service
from orca.plan.view import stops_first

NEVER = float("-inf")


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerFact:
    """One container as it really is."""

    id: str
    name: str
    node: str
    replica: ReplicaId
    service: ServiceId
    slot: int
    epoch: int
    """Of the leader that created its replica, as its label says."""
    running: bool
    well: bool
    """Whether it answers probes now."""
    well_since: float = NEVER
    """Since when it answers, Unix seconds; meaningless while it does not."""
    well_at: float = NEVER
    """When it last answered."""
    address: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """The cluster at one moment."""

    now: float
    services: Mapping[ServiceId, Service]
    revisions: Mapping[tuple[ServiceId, RevisionNumber], Revision]
    replicas: Mapping[ReplicaId, Replica]
    containers: tuple[ContainerFact, ...]
    well_at: Mapping[ReplicaId, float]
    """When a container of each replica last answered; kept when the container is gone."""

    def of(self, replica: ReplicaId) -> tuple[ContainerFact, ...]:
        """The containers of a replica."""
        return tuple(each for each in self.containers if each.replica == replica)

    def is_ready(self, replica: ReplicaId, *, within_seconds: float = 0.0) -> bool:
        """Whether it answers, or did so not long ago."""
        return self.well_at.get(replica, NEVER) >= self.now - within_seconds

    def is_known_ready(self, replica: ReplicaId, *, lag_seconds: float) -> bool:
        """Whether it has answered for so long that everybody has to know."""
        return any(
            each.well and each.well_since <= self.now - lag_seconds for each in self.of(replica)
        )


# --- containers -------------------------------------------------------------------------------------


def on_create(facts: Facts, *, replica: ReplicaId, epoch: int) -> str:
    """A container is made only for a replica that the store holds, and only where none runs."""
    record = facts.replicas.get(replica)
    if record is None:
        return f"a container is made for {replica}, which the store does not hold"
    if record.epoch != epoch:
        return f"{replica} is started as of epoch {epoch}, but it is of epoch {record.epoch}"
    if any(each.running for each in facts.of(replica)):
        return f"a second container is made for {replica}, whose first one runs"
    return ""


def on_end(facts: Facts, container: ContainerFact, *, how: str) -> str:
    """A container that works is ended only when the store says so."""
    record = facts.replicas.get(container.replica)
    if record is None or record.desired is Desired.STOP or not container.well:
        return ""
    return f"{how} of {container.name}, which is well and wanted ({record.desired})"


def on_start(facts: Facts, started: ContainerFact) -> str:
    """Two replicas of a slot that cannot coexist never run at once."""
    record = facts.replicas.get(started.replica)
    revision = facts.revisions.get((record.service, record.revision)) if record else None
    if revision is None or not stops_first(revision):
        return ""
    for other in facts.containers:
        same_slot = (other.service, other.slot) == (started.service, started.slot)
        if other.running and same_slot and other.id != started.id:
            return f"{started.name} starts while {other.name} of the same slot still runs"
    return ""


# --- what the leader writes ------------------------------------------------------------------------


def on_retire(
    before: Facts, after: Facts, retired: Iterable[Replica], *, lag_seconds: float
) -> str:
    """A rollout never takes away more ready replicas than it promised.

    `retired` were meant to run before and are not after. `lag_seconds` is how old the leader's knowledge
    of the remaining ones may be.
    """
    for service in {replica.service for replica in retired}:
        if wrong := _broken_promise(before, after, service, lag_seconds=lag_seconds):
            return wrong
    return ""


def _broken_promise(before: Facts, after: Facts, id: ServiceId, *, lag_seconds: float) -> str:
    service = after.services.get(id)
    if service is None or service.stopped or service.removed:
        return ""
    had = _slots(before, id, lambda r: before.is_known_ready(r, lag_seconds=lag_seconds))
    has = _slots(after, id, lambda r: after.is_ready(r, within_seconds=lag_seconds))
    promised = min(had, service.replicas - _may_be_missing(after, service))
    if has >= promised:
        return ""
    return f"{id} is left with {has} ready slots, {promised} were promised"


def _slots(facts: Facts, id: ServiceId, counts: Callable[[ReplicaId], bool]) -> int:
    """Slots of a service with a replica that is meant to run and counts."""
    own = (r for r in facts.replicas.values() if r.service == id and r.desired is Desired.RUN)
    return len({replica.slot for replica in own if counts(replica.id)})


def _may_be_missing(facts: Facts, service: Service) -> int:
    """How many of a service's replicas a rollout may take away before their successors are ready."""
    failed = service.rollout.phase is RolloutPhase.FAILED and service.stable_generation
    number = service.stable if failed else service.revision
    revision = facts.revisions.get((service.id, number))
    if revision is None or not stops_first(revision):
        return 0
    return revision.spec.update.max_unavailable


def on_write(*, master: str, leader: str) -> str:
    """Replicas are written by nobody but the holder of the leader's key: one writer per epoch."""
    if master == leader:
        return ""
    return f"{master} assigns replicas while {leader or 'nobody'} leads"


# --- traffic ----------------------------------------------------------------------------------------


def serving(table: RouteTable) -> Iterator[Endpoint]:
    """The endpoints that get new requests."""
    for backend in table.backends:
        for endpoint in backend.endpoints:
            if endpoint.state is EndpointState.SERVING:
                yield endpoint


def on_route(facts: Facts, table: RouteTable) -> str:
    """Nothing is ever routed to a replica that has never been ready."""
    for endpoint in serving(table):
        if facts.well_at.get(endpoint.replica, NEVER) == NEVER:
            return f"requests are sent to {endpoint.replica}, which has never been ready"
    return ""


def in_calm(facts: Facts, table: RouteTable, *, lag_seconds: float) -> str:
    """While nothing but containers fails, nothing is routed to one that has not answered for a while."""
    for endpoint in serving(table):
        if not facts.is_ready(endpoint.replica, within_seconds=lag_seconds):
            ago = facts.now - facts.well_at.get(endpoint.replica, NEVER)
            return f"requests are sent to {endpoint.replica}, not ready for {ago:.1f} s"
    return ""


def on_planned_end(table: RouteTable, container: ContainerFact) -> str:
    """A container that still gets new requests is not ended."""
    if container.well and any(e.replica == container.replica for e in serving(table)):
        return f"{container.name} is ended while requests are still sent to it"
    return ""
