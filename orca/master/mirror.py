"""A master's copy of the store: what was watched, plus what it has just written itself.

The hard part is that the two overlap. A commit is applied at once, so that the next plan sees it; the
watch brings the same change again, later, and perhaps older changes in between. Each key remembers the
revision of its last change, also of a deletion, and takes only newer ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

from orca.master.records import Record, Records, SecretRecord, StoredDeployment
from orca.model.ids import NodeId, ReplicaId, RevisionNumber, ServiceId
from orca.model.node import Node
from orca.model.replica import Replica
from orca.model.service import Revision, Service
from orca.store.base import Delete, DeletePrefix, KeyValue, Put, WatchBatch, Write

R = TypeVar("R")


class Mirror:
    """Records by key, each with the revision of its last change."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._held: dict[str, tuple[int, Record]] = {}
        self._deleted: dict[str, int] = {}
        self.revision = 0
        """The store's revision up to which everything is known."""

    # --- taking changes in ---

    def apply(self, batch: WatchBatch) -> None:
        """Take in what the watch brought."""
        if batch.complete:
            self._forget_except({item.key for item in batch.puts}, batch.revision)
        for item in batch.puts:
            self._put(item)
        for key in batch.deletes:
            self._delete(key, batch.revision)
        self.revision = max(self.revision, batch.revision)
        self._deleted = {k: r for k, r in self._deleted.items() if r > batch.revision}

    def apply_writes(self, writes: Iterable[Write], revision: int) -> None:
        """Take in a commit of our own, made at `revision`."""
        for write in writes:
            match write:
                case Put():
                    self._put(
                        KeyValue(
                            key=write.key,
                            value=write.value,
                            mod_revision=revision,
                            create_revision=revision,
                        )
                    )
                case Delete():
                    self._delete(write.key, revision)
                case DeletePrefix():
                    for key in [k for k in self._held if k.startswith(write.prefix)]:
                        self._delete(key, revision)
        self.revision = max(self.revision, revision)

    def _put(self, item: KeyValue) -> None:
        if self._last_change(item.key) >= item.mod_revision:
            return
        record = self._records.decode(item)
        if record is not None:
            self._held[item.key] = (item.mod_revision, record)
            self._deleted.pop(item.key, None)

    def _delete(self, key: str, revision: int) -> None:
        if self._last_change(key) <= revision:
            self._held.pop(key, None)
            self._deleted[key] = revision

    def _last_change(self, key: str) -> int:
        held = self._held.get(key)
        return max(held[0] if held else 0, self._deleted.get(key, 0))

    def _forget_except(self, keys: set[str], revision: int) -> None:
        for key in [k for k, (at, _) in self._held.items() if k not in keys and at <= revision]:
            del self._held[key]

    # --- questions ---

    def version(self, record: Record) -> int:
        """Revision of the last change of a record's key; 0 while it does not exist."""
        held = self._held.get(self._records.key(record))
        return held[0] if held else 0

    def _all(self, kind: type[R]) -> Iterator[R]:
        return (record for _, record in self._held.values() if isinstance(record, kind))

    def services(self) -> dict[ServiceId, Service]:
        """All services."""
        return {service.id: service for service in self._all(Service)}

    def revisions(self) -> dict[tuple[ServiceId, RevisionNumber], Revision]:
        """All revisions of all services."""
        return {(r.service, r.number): r for r in self._all(Revision)}

    def replicas(self) -> dict[ReplicaId, Replica]:
        """All replicas."""
        return {replica.id: replica for replica in self._all(Replica)}

    def nodes(self) -> dict[NodeId, Node]:
        """All members."""
        return {node.id: node for node in self._all(Node)}

    def secrets(self) -> dict[tuple[str, str], SecretRecord]:
        """All secrets by (project, name); an empty project is the cluster."""
        return {(s.project, s.name): s for s in self._all(SecretRecord)}

    def deployments(self) -> dict[ServiceId, tuple[StoredDeployment, ...]]:
        """The history of each service, oldest first."""
        found: dict[ServiceId, list[StoredDeployment]] = {}
        for item in self._all(StoredDeployment):
            found.setdefault(item.deployment.service, []).append(item)
        return {k: tuple(sorted(v, key=lambda d: d.sequence)) for k, v in found.items()}
