"""A small cluster to plan for: services, replicas and what nodes say, in few words.

`World.step()` plans once and applies the steps as the leader's commit would; `World.settle()` repeats that
with well-behaved nodes until nothing is left to do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from orca.master.commit import with_rollout
from orca.model.container import ContainerSpec, PortMapping, Resources, VolumeMount
from orca.model.digest import spec_hash
from orca.model.ids import Epoch, NodeId, ReplicaId, RevisionNumber, ServiceId
from orca.model.node import Node, NodeFacts
from orca.model.replica import Desired, Replica, ReplicaState, ReplicaStatus
from orca.model.service import (
    Ingress,
    Placement,
    Revision,
    RevisionSpec,
    Rollout,
    Service,
    UpdateOrder,
    UpdatePolicy,
)
from orca.model.snapshot import NodeView, Snapshot
from orca.plan.reconcile import plan
from orca.plan.steps import (
    CreateReplica,
    ForgetReplica,
    ForgetService,
    MoveRollout,
    Plan,
    SetDesired,
    Step,
)

NODE = NodeId("n1")


def service_id(name: str) -> ServiceId:
    return ServiceId("shop", name)


def revision_spec(
    *,
    image: str = "app:1",
    domain: str = "",
    volume: bool = False,
    host_port: int = 0,
    order: UpdateOrder = UpdateOrder.AUTO,
    max_unavailable: int = 1,
    max_surge: int = 1,
    drain_seconds: float = 30.0,
    depends_on: tuple[str, ...] = (),
    node: str = "",
    labels: Mapping[str, str] | None = None,
    memory_bytes: int = 0,
) -> RevisionSpec:
    volumes = (VolumeMount(source="data", target="/data"),) if volume else ()
    ports = (PortMapping(host_port=host_port, container_port=80),) if host_port else ()
    return RevisionSpec(
        container=ContainerSpec(
            image=image,
            port=80,
            volumes=volumes,
            ports=ports,
            resources=Resources(memory_bytes=memory_bytes),
        ),
        ingress=Ingress(domains=(domain,) if domain else ()),
        update=UpdatePolicy(
            order=order,
            max_unavailable=max_unavailable,
            max_surge=max_surge,
            drain_seconds=drain_seconds,
        ),
        placement=Placement(node=node, labels=labels or {}),
        depends_on=tuple(service_id(name) for name in depends_on),
    )


@dataclass
class World:
    """The desired and the observed state, and a clock that only the test moves."""

    now: float = 1000.0
    services: dict[ServiceId, Service] = field(default_factory=dict)
    revisions: dict[tuple[ServiceId, RevisionNumber], Revision] = field(default_factory=dict)
    replicas: dict[ReplicaId, Replica] = field(default_factory=dict)
    statuses: dict[ReplicaId, ReplicaStatus] = field(default_factory=dict)
    ready_since: dict[ReplicaId, float] = field(default_factory=dict)
    """What the nodes know of time."""
    drained: set[ReplicaId] = field(default_factory=set)
    gone: set[ReplicaId] = field(default_factory=set)
    nodes: dict[NodeId, NodeView] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.nodes:
            self.nodes[NODE] = node_view(NODE)

    # --- what users do ---

    def deploy(self, name: str, spec: RevisionSpec | None = None, *, replicas: int = 1) -> Service:
        """A new revision, and the rollout to it."""
        id, spec = service_id(name), spec or revision_spec()
        numbers = [number for owner, number in self.revisions if owner == id]
        number = RevisionNumber(max(numbers, default=0) + 1)
        self.revisions[id, number] = Revision(
            service=id,
            number=number,
            spec=spec,
            spec_hash=spec_hash(spec),
            created_at=self.now,
        )
        before = self.services.get(id)
        generation = before.last_generation + 1 if before else 1
        service = Service(
            id=id,
            revision=number,
            generation=generation,
            last_generation=generation,
            replicas=replicas,
            stable=before.stable if before else RevisionNumber(0),
            stable_generation=before.stable_generation if before else 0,
            rollout=self._rollout(generation),
        )
        self.services[id] = service
        return service

    def _rollout(self, generation: int) -> Rollout:
        return Rollout(id=f"r{generation}-{self.now}", started_at=self.now, progressed_at=self.now)

    def scale(self, name: str, replicas: int) -> None:
        service = self.services[service_id(name)]
        self.services[service.id] = replace(
            service, replicas=replicas, rollout=self._rollout(service.generation)
        )

    def stop(self, name: str, *, removed: bool = False) -> None:
        service = self.services[service_id(name)]
        self.services[service.id] = replace(service, stopped=True, removed=removed)

    # --- what nodes say ---

    def say(self, replica: Replica, state: ReplicaState, **more: object) -> None:
        """A status; how long it has been ready is timed as the nodes do it."""
        status = ReplicaStatus(replica=replica.id, state=state, **more)  # type: ignore[arg-type]
        if status.ready:
            status = replace(status, address="10.0.0.1", port=80)
            self.ready_since.setdefault(replica.id, self.now)
        else:
            self.ready_since.pop(replica.id, None)
        self.statuses[replica.id] = status

    def ready(self, replica: Replica) -> None:
        self.say(replica, ReplicaState.RUNNING, ready=True)

    def obey(self) -> None:
        """Every node does at once what is desired of it."""
        for replica in self.replicas.values():
            if replica.desired is Desired.STOP:
                self.say(replica, ReplicaState.STOPPED)
            elif replica.id not in self.statuses:
                self.ready(replica)
            if replica.desired is Desired.DRAIN:
                self.drained.add(replica.id)

    # --- what the leader does ---

    def snapshot(self) -> Snapshot:
        return Snapshot(
            epoch=Epoch(7),
            services=dict(self.services),
            revisions=dict(self.revisions),
            replicas=dict(self.replicas),
            statuses={id: self._aged(status) for id, status in self.statuses.items()},
            drained=frozenset(self.drained),
            gone=frozenset(self.gone),
            nodes=dict(self.nodes),
        )

    def _aged(self, status: ReplicaStatus) -> ReplicaStatus:
        """What the node would say by now: it alone counts how long a replica has been ready."""
        replica = self.replicas.get(status.replica)
        since = self.ready_since.get(status.replica)
        if replica is None or since is None:
            return status
        update = self.revisions[replica.service, replica.revision].spec.update
        return replace(status, available=self.now - since >= update.min_ready_seconds)

    def plan(self) -> Plan:
        return plan(self.snapshot(), self.now)

    def step(self) -> tuple[Step, ...]:
        """Plan once and apply it."""
        steps = self.plan().steps
        for each in steps:
            self._apply(each)
        return steps

    def _apply(self, step: Step) -> None:
        match step:
            case CreateReplica():
                assert step.replica.id not in self.replicas
                self.replicas[step.replica.id] = step.replica
            case SetDesired():
                self.replicas[step.replica.id] = step.replica
            case ForgetReplica():
                del self.replicas[step.replica.id]
                self.statuses.pop(step.replica.id, None)
                self.ready_since.pop(step.replica.id, None)
            case MoveRollout():
                self.services[step.service] = with_rollout(
                    self.services[step.service], step.rollout
                )
            case ForgetService():
                del self.services[step.service]

    def settle(self, *, rounds: int = 200) -> None:
        """Plan, obey and let time pass until nothing is left to do."""
        for _ in range(rounds):
            moved = self.step()
            self.obey()
            self.now += 1.0
            left = self.plan()
            if not moved and not left.steps and left.wake_at is None:
                return
        raise AssertionError(f"not settled: {self.plan()}")

    # --- questions ---

    def of(self, name: str) -> list[Replica]:
        found = [r for r in self.replicas.values() if r.service == service_id(name)]
        return sorted(found, key=lambda r: (r.slot, r.generation))

    def wanted(self, name: str) -> list[Replica]:
        return [r for r in self.of(name) if r.desired is Desired.RUN]

    def service(self, name: str) -> Service:
        return self.services[service_id(name)]


def node_view(
    node: NodeId,
    *,
    connected: bool = True,
    draining: bool = False,
    labels: Mapping[str, str] | None = None,
    docker_error: str = "",
    memory_bytes: int = 8 << 30,
) -> NodeView:
    facts = NodeFacts(
        labels=labels or {}, docker_error=docker_error, memory_bytes=memory_bytes, cpus=4
    )
    return NodeView(
        node=Node(id=node, name=node, facts=facts, draining=draining), connected=connected
    )
