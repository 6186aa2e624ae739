"""The observer of a simulated cluster: collects facts, checks invariants, keeps a trace.

It sees everything at the moment it happens and asks no program for its opinion. The first violation is
kept; the simulation ends with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from orca.master.records import Records
from orca.model.ids import ReplicaId, RevisionNumber, ServiceId
from orca.model.replica import Desired, Replica
from orca.model.route import RouteTable
from orca.model.service import Revision, Service
from orca.node import naming
from orca.node.runtime import ContainerRequest
from orca.store.base import Delete, DeletePrefix, KeyValue, Put, Transaction, Write
from orca.store.election import HOLDER
from orca.store.keys import Keys
from orca.testing.fake_docker import BOOT_SECONDS, FakeContainer
from orca.testing.sim import invariants
from orca.testing.sim.docker import SimEngine, well_from, well_until
from orca.testing.sim.invariants import NEVER, ContainerFact, Facts

CALM_SECONDS = 25.0
"""After the last disturbance everybody has found everybody again."""
LAG_SECONDS = 4.0
"""In calm weather nobody's knowledge is older: two failed probes, 2 s apart."""
LAG_SECONDS_IN_STORMS = 25.0


class Violation(AssertionError):
    """An invariant does not hold."""


class Monitor:
    """Sees all."""

    def __init__(self, *, cluster: str, now: Callable[[], float]) -> None:
        self.trace: list[tuple[float, str]] = []
        self.violation: Violation | None = None
        self.over = False
        """The simulation has ended: what happens now is its clearing up."""
        self.disturbed_at = NEVER
        self._keys = Keys(cluster)
        self._records = Records(self._keys)
        self._now = now
        self._services: dict[ServiceId, Service] = {}
        self._revisions: dict[tuple[ServiceId, RevisionNumber], Revision] = {}
        self._replicas: dict[ReplicaId, Replica] = {}
        self._leader: str = ""
        self._graves: dict[ReplicaId, float] = {}
        self._engines: dict[str, SimEngine] = {}
        self._tables: dict[str, Callable[[], RouteTable]] = {}

    # --- the trace ---

    def note(self, text: str) -> None:
        """Write down what happens."""
        if not self.over:
            self.trace.append((self._now() - BOOT_SECONDS, text))

    def blame(self, wrong: str) -> None:
        """Keep the first violation; an empty sentence is none."""
        if wrong and self.violation is None and not self.over:
            self.note(f"VIOLATION: {wrong}")
            self.violation = Violation(wrong)

    def disturb(self) -> None:
        """Something other than a container has begun or ceased to fail."""
        self.disturbed_at = self._now()

    @property
    def is_calm(self) -> bool:
        """Whether nothing but containers has failed for long enough."""
        return self._now() - self.disturbed_at >= CALM_SECONDS

    @property
    def _lag_seconds(self) -> float:
        return LAG_SECONDS if self.is_calm else LAG_SECONDS_IN_STORMS

    # --- facts ---

    def watch_engine(self, engine: SimEngine) -> None:
        """See an engine's containers."""
        self._engines[engine.node] = engine

    def watch_proxy(self, name: str, table: Callable[[], RouteTable]) -> None:
        """See what a proxy serves."""
        self._tables[name] = table

    def facts(self) -> Facts:
        """The cluster as it is."""
        containers = tuple(
            self._fact(node, container)
            for node, engine in self._engines.items()
            for container in engine.containers.values()
            if naming.replica_of(container.request.labels)
        )
        well_at = dict(self._graves)
        for each in containers:
            well_at[each.replica] = max(well_at.get(each.replica, NEVER), each.well_at)
        return Facts(
            now=self._now(),
            services=dict(self._services),
            revisions=dict(self._revisions),
            replicas=dict(self._replicas),
            containers=containers,
            well_at=well_at,
        )

    def _fact(self, node: str, container: FakeContainer) -> ContainerFact:
        labels = container.request.labels
        age = self._now() - container.started_at
        well = container.running and well_from(container) <= age < well_until(container)
        return ContainerFact(
            id=container.id,
            name=container.name,
            node=node,
            replica=naming.replica_of(labels),
            service=ServiceId(labels[naming.PROJECT], labels[naming.SERVICE]),
            slot=int(labels[naming.SLOT]),
            epoch=int(labels[naming.EPOCH]),
            running=container.running,
            well=well,
            well_since=container.started_at + well_from(container),
            well_at=self._now() if well else self._last_well(container),
            address=container.address,
        )

    def _last_well(self, container: FakeContainer) -> float:
        """When a container that does not answer now last did in its last run."""
        if not container.starts:
            return NEVER
        ended_at = self._now() if container.running else container.finished_at
        age = min(ended_at - container.started_at, well_until(container))
        return container.started_at + age if age >= well_from(container) else NEVER

    # --- what the store tells ---

    def changed(self, writes: Iterable[Write]) -> None:
        """The store's contents changed."""
        retired = [old for write in writes if (old := self._retires(write)) is not None]
        before = self.facts() if retired else None
        for write in writes:
            self._take(write)
        if before is not None:
            lag = self._lag_seconds
            after = self.facts()
            self.blame(invariants.on_retire(before, after, retired, lag_seconds=lag))

    def _retires(self, write: Write) -> Replica | None:
        if not isinstance(write, Put) or not write.key.startswith(self._keys.replicas()):
            return None
        record = self._decode(write)
        old = self._replicas.get(record.id) if isinstance(record, Replica) else None
        if old is None or not isinstance(record, Replica):
            return None
        ends = old.desired is Desired.RUN and record.desired is not Desired.RUN
        return old if ends else None

    def _decode(self, write: Put) -> object:
        item = KeyValue(key=write.key, value=write.value, mod_revision=1, create_revision=1)
        return self._records.decode(item)

    def _take(self, write: Write) -> None:
        match write:
            case Put() if write.key == self._keys.leader():
                item = KeyValue(key=write.key, value=write.value, mod_revision=1, create_revision=1)
                self._leader = HOLDER.decode(item).name
                self.note(f"{self._leader} leads")
            case Put():
                self._keep(self._decode(write))
            case Delete() if write.key == self._keys.leader():
                self.note(f"{self._leader} leads no more")
                self._leader = ""
            case Delete():
                self._drop(lambda key: key == write.key)
            case DeletePrefix():
                self._drop(lambda key: key.startswith(write.prefix))

    def _keep(self, record: object) -> None:
        match record:
            case Service():
                self._note_service(record)
                self._services[record.id] = record
            case Revision():
                self._revisions[record.service, record.number] = record
            case Replica():
                self._note_replica(record)
                self._replicas[record.id] = record

    def _note_service(self, service: Service) -> None:
        before = self._services.get(service.id)
        rollout = service.rollout
        if before is None or before.rollout != rollout or before.replicas != service.replicas:
            words = [f"{service.id}: revision {service.revision} × {service.replicas}"]
            words += [word for word in ("stopped", "removed") if getattr(service, word)]
            words += [f"rollout {rollout.phase} {rollout.reason}".strip()]
            self.note(", ".join(words))

    def _note_replica(self, replica: Replica) -> None:
        before = self._replicas.get(replica.id)
        if before is None or before.desired is not replica.desired:
            self.note(
                f"  {replica.id} {replica.service}[{replica.slot}] r{replica.revision} on "
                f"{replica.node}: {replica.desired} ({replica.reason})"
            )

    def _drop(self, matches: Callable[[str], bool]) -> None:
        key_of = self._records.key
        for kept in (self._services, self._revisions, self._replicas):
            table: dict[object, Service | Revision | Replica] = kept  # type: ignore[assignment]
            for id in [id for id, record in table.items() if matches(key_of(record))]:
                del table[id]

    def committed(self, master: str, transaction: Transaction, revision: int) -> None:
        """A master's commit was applied."""
        prefix = self._keys.replicas()
        touched = [w for w in transaction.writes if isinstance(w, Put) and w.key.startswith(prefix)]
        if touched:
            self.blame(invariants.on_write(master=master, leader=self._leader))

    # --- what engines tell ---

    def creates(self, node: str, request: ContainerRequest) -> None:
        replica = naming.replica_of(request.labels)
        self.note(f"  {node}: create {request.name} for {replica}")
        epoch = int(request.labels[naming.EPOCH])
        self.blame(invariants.on_create(self.facts(), replica=replica, epoch=epoch))

    def ends(self, node: str, container: FakeContainer, how: str) -> None:
        self.note(f"  {node}: {how} {container.name}")
        if not naming.replica_of(container.request.labels):
            self.blame(f"{how} of {container.name}, which is not orca's")
            return
        fact = self._fact(node, container)
        self.blame(invariants.on_end(self.facts(), fact, how=how))
        if self.is_calm:
            for table in self._tables.values():
                self.blame(invariants.on_planned_end(table(), fact))

    def began(self, node: str, container: FakeContainer) -> None:
        self.note(f"  {node}: {container.name} runs")
        if naming.replica_of(container.request.labels):
            self.blame(invariants.on_start(self.facts(), self._fact(node, container)))

    def ended(self, node: str, container: FakeContainer) -> None:
        self.note(f"  {node}: {container.name} ended with {container.exit_code}")
        replica = naming.replica_of(container.request.labels)
        if replica:
            well_at = self._last_well(container)
            self._graves[replica] = max(self._graves.get(replica, NEVER), well_at)

    # --- what proxies serve ---

    def applied(self, proxy: str, table: RouteTable) -> None:
        """A proxy serves another table."""
        shown = ", ".join(
            f"{b.service.name}: {' '.join(e.replica[:6] + e.state[0] for e in b.endpoints) or '-'}"
            for b in table.backends
        )
        self.note(f"  {proxy} serves {shown or 'nothing'}")
        self.blame(invariants.on_route(self.facts(), table))

    def look(self) -> None:
        """Check what must hold at any time in calm weather."""
        if not self.is_calm:
            return
        facts = self.facts()
        for table in self._tables.values():
            self.blame(invariants.in_calm(facts, table(), lag_seconds=LAG_SECONDS))
