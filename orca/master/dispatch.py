"""What each node is told: its replicas as assignments, complete once, then what changed.

Pure. An assignment's key is everything it depends on except secret values, so that secrets are opened
only when an assignment is really sent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from orca.errors import MissingSecret
from orca.master.vault import SecretRecords
from orca.model.container import ContainerSpec
from orca.model.ids import Epoch, NodeId, ReplicaId
from orca.model.replica import Replica
from orca.model.service import Revision
from orca.model.snapshot import Snapshot
from orca.rpc.messages import Assignment, Assignments
from orca.secrets.names import qualified, secret_name

Resolver = Callable[[ContainerSpec, Replica], tuple[ContainerSpec, dict[str, str]]]
"""A container with its secrets in place, and its secret files; raises `MissingSecret`."""


@dataclass(frozen=True, slots=True)
class AssignmentKey:
    """Two assignments with equal keys tell the node the same."""

    replica: Replica
    spec_hash: str
    settled_name: bool
    secrets: tuple[tuple[str, int], ...] = ()
    """Versions of the secrets it uses: one that could not be opened and is set again unblocks it."""


@dataclass(slots=True)
class Told:
    """What one session has been told so far."""

    complete: bool = False
    keys: dict[ReplicaId, AssignmentKey] = field(default_factory=dict)


def keys_for(
    snapshot: Snapshot, node: NodeId, secrets: SecretRecords
) -> dict[ReplicaId, AssignmentKey]:
    """The assignments of a node, without their contents."""
    versions = {qualified(r.scope, secret_name(r.name)): r.version for r in secrets.values()}
    return {
        replica.id: AssignmentKey(
            replica=replica,
            spec_hash=revision.spec_hash,
            settled_name=_has_slot_to_itself(snapshot, replica),
            secrets=tuple(
                (name, versions.get(name, 0)) for name in sorted(revision.spec.secret_versions)
            ),
        )
        for replica in snapshot.replicas.values()
        if replica.node == node and (revision := _revision(snapshot, replica)) is not None
    }


def _revision(snapshot: Snapshot, replica: Replica) -> Revision | None:
    return snapshot.revisions.get((replica.service, replica.revision))


def _has_slot_to_itself(snapshot: Snapshot, replica: Replica) -> bool:
    return not any(
        other.id != replica.id and other.slot == replica.slot
        for other in snapshot.replicas.values()
        if other.service == replica.service
    )


def news(
    told: Told,
    wanted: Mapping[ReplicaId, AssignmentKey],
    *,
    snapshot: Snapshot,
    epoch: Epoch,
    resolve: Resolver,
) -> Assignments | None:
    """What to tell a session now; None when it knows all of it. `told` is left as it is."""
    changed = [key for id, key in wanted.items() if told.keys.get(id) != key]
    forgotten = tuple(id for id in told.keys if id not in wanted)
    if told.complete and not changed and not forgotten:
        return None
    return Assignments(
        epoch=epoch,
        complete=not told.complete,
        assignments=tuple(_assignment(key, snapshot, resolve) for key in changed),
        forgotten=forgotten,
    )


def _assignment(key: AssignmentKey, snapshot: Snapshot, resolve: Resolver) -> Assignment:
    revision = snapshot.revisions[key.replica.service, key.replica.revision]
    container, blocked = revision.spec.container, ""
    files: dict[str, str] = {}
    try:
        container, files = resolve(container, key.replica)
    except MissingSecret as error:
        # The container that may be running already must not be taken for an orphan.
        container, blocked = replace(container, env={}), f"{error.message}. {error.hint}"
    return Assignment(
        replica=key.replica,
        container=container,
        spec_hash=key.spec_hash,
        secret_files=files,
        min_ready_seconds=revision.spec.update.min_ready_seconds,
        settled_name=key.settled_name,
        blocked=blocked,
        trace=_trace(key.replica, snapshot),
    )


def _trace(replica: Replica, snapshot: Snapshot) -> str:
    """The trace of the deploy whose rollout brought the replica; an earlier one is over."""
    service = snapshot.services.get(replica.service)
    if service is None or replica.created_at < service.rollout.started_at:
        return ""
    return service.rollout.trace
