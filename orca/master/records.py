"""The records a master keeps in the store: which dataclass lies under which key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from orca.model.event import Deployment, Event
from orca.model.ids import ServiceId
from orca.model.node import Node
from orca.model.replica import Replica
from orca.model.service import Revision, Service
from orca.secrets.envelope import Sealed
from orca.secrets.names import Scope
from orca.store.base import KeyValue, Put
from orca.store.codec import Codec
from orca.store.keys import Keys


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretRecord:
    """A sealed secret and what may be shown of it."""

    name: str
    project: str
    """Empty for the whole cluster."""
    version: int
    sealed: Sealed
    updated_at: float
    updated_by: str = ""

    @property
    def scope(self) -> Scope:
        """Where it holds."""
        return Scope(self.project)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredEvent:
    """An event with its place in the order of all events."""

    sequence: int
    event: Event


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredDeployment:
    """A deployment with its place in its service's history."""

    sequence: int
    deployment: Deployment


Record = Service | Revision | Replica | Node | SecretRecord | StoredEvent | StoredDeployment

_CODECS: dict[type, Codec[Any]] = {
    Service: Codec(Service, schema="service"),
    Revision: Codec(Revision, schema="revision"),
    Replica: Codec(Replica, schema="replica"),
    Node: Codec(Node, schema="node"),
    SecretRecord: Codec(SecretRecord, schema="secret"),
    StoredEvent: Codec(StoredEvent, schema="event"),
    StoredDeployment: Codec(StoredDeployment, schema="deployment"),
}


class Records:
    """Keys and bytes of every record of one cluster."""

    def __init__(self, keys: Keys) -> None:
        self.keys = keys
        self._prefixes: dict[str, type] = {
            keys.services(): Service,
            keys.all_revisions(): Revision,
            keys.replicas(): Replica,
            keys.nodes(): Node,
            keys.secrets(): SecretRecord,
            keys.all_deployments(): StoredDeployment,
        }

    def key(self, record: Record) -> str:
        """Where a record lies."""
        match record:
            case Service():
                return self.service_key(record.id)
            case Revision():
                service = record.service
                return self.keys.revision(service.project, service.name, record.number)
            case Replica():
                return self.keys.replica(record.id)
            case Node():
                return self.keys.node(record.id)
            case SecretRecord():
                return self.secret_key(record.scope, record.name)
            case StoredEvent():
                return self.keys.event(record.sequence)
            case StoredDeployment():
                service = record.deployment.service
                return self.keys.deployment(service.project, service.name, record.sequence)

    def service_key(self, service: ServiceId) -> str:
        """Where a service lies."""
        return self.keys.service(service.project, service.name)

    def secret_key(self, scope: Scope, name: str) -> str:
        """Where a secret lies."""
        if scope.is_cluster:
            return self.keys.cluster_secret(name)
        return self.keys.project_secret(scope.project, name)

    def put(self, record: Record) -> Put:
        """The write that keeps a record."""
        return Put(self.key(record), _CODECS[type(record)].encode(record))

    def decode(self, item: KeyValue) -> Record | None:
        """The record under a key; None for keys that are not mirrored (leader, meta, events)."""
        for prefix, kind in self._prefixes.items():
            if item.key.startswith(prefix):
                record: Record = _CODECS[kind].decode(item)
                return record
        return None

    def decode_event(self, item: KeyValue) -> StoredEvent:
        """An event; events are read on demand, not mirrored."""
        event: StoredEvent = _CODECS[StoredEvent].decode(item)
        return event
