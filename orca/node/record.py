"""The local record: what this node is and runs, so that it works on without a master.

`<home>/node/node.json` holds the node's id and the highest epoch; `replicas/<id>.json` one replica each,
as far as supervising it needs. Not here: anything a secret may have been resolved into (env, command,
labels, exec probes). A replica known only from its record can be adopted, probed and started again; to
make its container anew the node waits for the master.

Files are replaced by rename and readable by their owner alone. A replica's that cannot be read is set
aside and counts as missing: the master sends everything again.
"""

from __future__ import annotations

import contextlib
import logging
import os
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from orca import errors
from orca.model.container import ContainerSpec, Probe, ProbeKind
from orca.model.ids import Epoch, NodeId, ReplicaId
from orca.model.replica import Replica, ReplicaState, ReplicaStatus
from orca.rpc.messages import Assignment

log = logging.getLogger(__name__)

NO_EPOCH = Epoch(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who this node is, for ever, and the newest leader it has seen."""

    node: NodeId
    epoch: Epoch = NO_EPOCH
    lineage: str = ""
    """The state in etcd whose leaders those epochs count."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaRecord:
    """One replica as far as it may be written down."""

    replica: Replica
    container: ContainerSpec
    """Stripped of everything that may hold a secret."""
    spec_hash: str
    settled_name: bool = False
    attempt: int = 1
    restarts: int = 0
    final: ReplicaState = ReplicaState.ASSIGNED
    """`FAILED` or `STOPPED` once it is so: what was given up is not taken up again."""
    permanent: bool = False

    def as_of(self, status: ReplicaStatus) -> ReplicaRecord:
        """With what has become of the replica."""
        return replace(
            self,
            attempt=status.attempt,
            restarts=status.restarts,
            final=status.state if status.state.is_final else ReplicaState.ASSIGNED,
            permanent=status.permanent,
        )


def redacted(spec: ContainerSpec) -> ContainerSpec:
    """The parts of a resolved spec that hold no secret."""
    return replace(
        spec,
        env={},
        labels={},
        command=(),
        entrypoint=(),
        startup=_without_command(spec.startup),
        readiness=_without_command(spec.readiness),
        liveness=_without_command(spec.liveness),
    )


def _without_command(probe: Probe | None) -> Probe | None:
    if probe is None or probe.kind is not ProbeKind.EXEC:
        return probe
    return None


def record_of(assignment: Assignment, known: ReplicaRecord | None = None) -> ReplicaRecord:
    """What may be written down of an assignment; what became of it so far is kept from `known`."""
    if known is not None:
        return replace(
            record_of(assignment),
            attempt=known.attempt,
            restarts=known.restarts,
            final=known.final,
            permanent=known.permanent,
        )
    return ReplicaRecord(
        replica=assignment.replica,
        container=redacted(assignment.container),
        spec_hash=assignment.spec_hash,
        settled_name=assignment.settled_name,
    )


@contextlib.contextmanager
def best_effort() -> Iterator[None]:
    """For notes that matter less than what they are about: a disk that refuses them is only logged."""
    try:
        yield
    except errors.Failed as error:
        log.error("%s", error.message)


class LocalRecord:
    """The record in a directory. Raises `Failed` when the disk refuses a write."""

    def __init__(self, directory: Path, *, known_as: str = "") -> None:
        """`known_as` is the id to take where none is written down; empty makes a new one."""
        self._directory = directory
        self._known_as = known_as
        self._replicas = directory / "replicas"

    def identity(self) -> Identity:
        """Who this node is; decided on the first call and kept."""
        path = self._directory / "node.json"
        try:
            return msgspec.json.decode(path.read_bytes(), type=Identity)
        except FileNotFoundError:
            pass
        except (msgspec.DecodeError, OSError) as error:
            # A new id would make strangers of every container that runs here.
            raise errors.Failed(
                f"the node's identity {path} cannot be read: {error}",
                hint="restore the file from a backup, or remove it to join as a new node",
            ) from error
        fresh = Identity(node=NodeId(self._known_as or uuid.uuid4().hex))
        self._write(path, msgspec.json.encode(fresh), durable=True)
        return fresh

    def saw_epoch(self, epoch: Epoch) -> None:
        """Remember the newest leader; survives a power failure."""
        known = replace(self.identity(), epoch=epoch)
        self._write(self._directory / "node.json", msgspec.json.encode(known), durable=True)

    def saw_lineage(self, lineage: str) -> None:
        """Remember whose orders are followed; survives a power failure."""
        known = replace(self.identity(), lineage=lineage)
        self._write(self._directory / "node.json", msgspec.json.encode(known), durable=True)

    def replicas(self) -> dict[ReplicaId, ReplicaRecord]:
        """Every replica written down."""
        if not self._replicas.is_dir():
            return {}
        found = (self._read(path) for path in sorted(self._replicas.glob("*.json")))
        return {each.replica.id: each for each in found if each is not None}

    def keep(self, record: ReplicaRecord) -> None:
        """Write one replica down."""
        # Not forced to the disk: what a power failure takes away the master sends again.
        self._write(self._path(record.replica.id), msgspec.json.encode(record), durable=False)

    def forget(self, replica: ReplicaId) -> None:
        """Strike one replica out."""
        self._path(replica).unlink(missing_ok=True)

    def _path(self, replica: ReplicaId) -> Path:
        return self._replicas / f"{replica}.json"

    def _read(self, path: Path) -> ReplicaRecord | None:
        try:
            return msgspec.json.decode(path.read_bytes(), type=ReplicaRecord)
        except FileNotFoundError:
            return None
        except (msgspec.DecodeError, OSError) as error:
            log.warning("%s cannot be read and is set aside: %s", path, error)
            with contextlib.suppress(OSError):
                path.replace(path.with_name(f"{path.name}.broken"))
            return None

    def _write(self, path: Path, content: bytes, *, durable: bool) -> None:
        temporary = path.with_name(f".{path.name}.new")
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                if durable:
                    file.flush()
                    os.fsync(file.fileno())
            temporary.replace(path)
        except OSError as error:
            raise errors.Failed(
                f"the node's record cannot be written to {path}: {error.strerror}",
                hint="free space on that disk, or correct the directory's owner",
            ) from error
