"""What a cluster has to look like some time after all faults have stopped. Pure functions over facts.

Nobody is asked what he believes except where belief is the point: a status that differs from the truth is
itself a fault.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from orca.client import schema
from orca.model.replica import Desired, Replica
from orca.model.route import RouteTable
from orca.model.service import Revision, RolloutPhase, Service
from orca.node import naming
from orca.testing.sim import users
from orca.testing.sim.invariants import ContainerFact, Facts, serving


def unsettled(
    facts: Facts, tables: Mapping[str, RouteTable], status: schema.StatusResponse
) -> Iterator[str]:
    """Everything that is not yet as it has to be."""
    for service in facts.services.values():
        yield from _service(facts, service)
    yield from _leftovers(facts)
    for proxy, table in tables.items():
        yield from _routes(facts, proxy, table)
    shown = {f"{each.project}/{each.name}": each for each in status.services}
    for service in facts.services.values():
        yield from _status(facts, service, shown.get(str(service.id)))


# --- services -----------------------------------------------------------------------------------------


def target(facts: Facts, service: Service) -> tuple[Revision, int]:
    """The revision and generation a service has to be at: after a failure the stable ones."""
    if service.rollout.phase is RolloutPhase.FAILED and service.stable_generation:
        return facts.revisions[service.id, service.stable], service.stable_generation
    return facts.revisions[service.id, service.revision], service.generation


def wanted(service: Service) -> int:
    """How many replicas have to run."""
    return 0 if service.stopped or service.removed else service.replicas


def kind(revision: Revision) -> str:
    """How the image of a revision behaves; whom nobody asks need not answer."""
    found = users.kind_of(revision.spec.container.image)
    return "good" if found == "deaf" and not revision.spec.container.port else found


def _service(facts: Facts, service: Service) -> Iterator[str]:
    id, phase = service.id, service.rollout.phase
    if service.removed:
        yield f"{id} was removed and is still known"
    if phase is RolloutPhase.PROGRESSING and not _waits(facts, service):
        yield f"{id} is still rolling out"
    if phase is RolloutPhase.PROGRESSING or _is_held_back(facts, service):
        return
    revision = facts.revisions[id, service.revision]
    if phase is RolloutPhase.COMPLETE and wanted(service) and kind(revision) in users.BROKEN:
        yield f"{id} completed a rollout to {revision.spec.container.image}"
    yield from _replicas(facts, service)


def _waits(facts: Facts, service: Service) -> bool:
    """Whether it has to wait for a dependency for as long as users leave that stopped or broken."""
    depends_on = facts.revisions[service.id, service.revision].spec.depends_on
    found = [facts.services[id] for id in depends_on if id in facts.services]
    return any(not _is_steady(facts, each) or not wanted(each) for each in found)


def _is_held_back(facts: Facts, service: Service) -> bool:
    """Whether it has nothing to go back to and may not be started, because of what it depends on."""
    return bool(wanted(service)) and not service.stable_generation and _waits(facts, service)


def _replicas(facts: Facts, service: Service) -> Iterator[str]:
    revision, generation = target(facts, service)
    own = [r for r in facts.replicas.values() if r.service == service.id]
    if not service.stable_generation and kind(revision) not in users.WORKING:
        # Nothing to go back to: what was ready before goes on serving beside what will never be.
        own = [r for r in own if r.generation == generation or not facts.is_ready(r.id)]
    slots = sorted(replica.slot for replica in own)
    if slots != list(range(wanted(service))):
        yield f"{service.id} has replicas in slots {slots}, {wanted(service)} are wanted"
    for replica in own:
        if replica.desired is not Desired.RUN:
            yield f"{replica.id} of {service.id} is still to {replica.desired}"
        if replica.generation != generation:
            yield f"{replica.id} of {service.id} is of generation {replica.generation}"
        if kind(revision) in users.WORKING:
            yield from _runs(facts, replica)


def _runs(facts: Facts, replica: Replica) -> Iterator[str]:
    containers = [each for each in facts.of(replica.id) if each.well]
    if len(containers) != 1:
        yield f"{replica.id} of {replica.service} has {len(containers)} containers that work"
    for container in containers:
        if container.name not in naming.settled(replica):
            yield f"{container.name} of {replica.service}[{replica.slot}] has no settled name"


def _leftovers(facts: Facts) -> Iterator[str]:
    for container in facts.containers:
        if container.replica not in facts.replicas:
            yield f"container {container.name} belongs to nobody"
    for replica in facts.replicas.values():
        if replica.service not in facts.services:
            yield f"replica {replica.id} belongs to no service"


# --- traffic ----------------------------------------------------------------------------------------


def _routes(facts: Facts, proxy: str, table: RouteTable) -> Iterator[str]:
    steady = {s.id for s in facts.services.values() if _is_steady(facts, s)}
    routed = {e.replica for b in table.backends if b.service in steady for e in b.endpoints}
    ready = {c.replica: c for c in _ready(facts) if c.service in steady}
    for replica in sorted(ready.keys() - routed):
        yield f"{proxy} sends nothing to {replica}, which is ready"
    for replica in sorted(routed - ready.keys()):
        yield f"{proxy} knows {replica}, which is not ready"
    for endpoint in serving(table):
        found = ready.get(endpoint.replica)
        if found is not None and found.address != endpoint.address:
            yield f"{proxy} looks for {endpoint.replica} at {endpoint.address}"


def _ready(facts: Facts) -> Iterator[ContainerFact]:
    """Containers that are to get requests."""
    for container in facts.containers:
        replica = facts.replicas.get(container.replica)
        revision = facts.revisions.get((container.service, replica.revision)) if replica else None
        if revision is not None and container.well and revision.spec.ingress.domains:
            yield container


def _is_steady(facts: Facts, service: Service) -> bool:
    """Whether what it runs stays as it is, by itself."""
    if service.rollout.phase is RolloutPhase.PROGRESSING:
        return False
    return not wanted(service) or kind(target(facts, service)[0]) in users.WORKING


# --- status -----------------------------------------------------------------------------------------


def _status(facts: Facts, service: Service, shown: schema.ServiceStatus | None) -> Iterator[str]:
    if shown is None:
        yield f"{service.id} is missing in the status"
        return
    if not _is_steady(facts, service) or _is_held_back(facts, service):
        return
    expected = _word(service)
    if shown.status != expected:
        yield f"{service.id} is shown as {shown.status} ({shown.reason}), not as {expected}"
    if shown.ready_replicas != wanted(service):
        yield f"{service.id} is shown with {shown.ready_replicas} ready replicas"
    if any(instance.state == "unknown" for instance in shown.instances):
        yield f"{service.id} is shown with replicas of unknown state"


def _word(service: Service) -> str:
    if service.stopped:
        return "stopped"
    return "degraded" if service.rollout.phase is RolloutPhase.FAILED else "running"
