"""`Roster`: the replicas of a node as its agent knows them, and what follows from a look at all. Pure.

The hard part is orphans: a container is one only if no replica of the roster has it, and the roster may
condemn nothing before a session has said everything (`allegiance.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from orca.model.ids import ReplicaId
from orca.model.replica import ReplicaState, ReplicaStatus
from orca.node import naming
from orca.node.record import ReplicaRecord, record_of
from orca.node.runtime import ContainerSummary
from orca.rpc.messages import Assignment


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One replica."""

    record: ReplicaRecord
    assignment: Assignment | None = field(default=None, repr=False)
    """With secrets; None while only the record is known."""
    dismissed: str = ""
    """Why the leader wants it no more; empty while it does."""
    status: ReplicaStatus | None = None
    """As its actor said last."""
    surveyed: bool = True
    """Whether its status may be believed: not before what ran when the agent started was looked at."""

    @property
    def newest_record(self) -> ReplicaRecord:
        """With what has become of it since: an actor that is built anew goes on from there."""
        return self.record if self.status is None else self.record.as_of(self.status)

    def differs_from(self, listed: ContainerSummary | None) -> bool:
        """Whether a list of Docker shows something that its status does not say."""
        status = self.status
        if status is None:
            return True
        if listed is None:
            return bool(status.container_id) and not status.state.is_final
        runs = status.state is ReplicaState.RUNNING
        return listed.id != status.container_id or listed.running != runs


@dataclass(frozen=True, slots=True)
class Roster:
    """All replicas of the node."""

    members: Mapping[ReplicaId, Member] = field(default_factory=dict)

    @classmethod
    def recorded(cls, records: Mapping[ReplicaId, ReplicaRecord]) -> Roster:
        """What an earlier agent wrote down."""
        return cls({each: Member(record=records[each], surveyed=False) for each in records})

    # --- changes ---

    def wanting(self, assignment: Assignment) -> Roster:
        """The leader wants this, of a replica that may be new."""
        known = self.members.get(assignment.replica.id)
        if known is None:
            member = Member(record=record_of(assignment), assignment=assignment)
        else:
            record = record_of(assignment, known.record)
            member = replace(known, record=record, assignment=assignment, dismissed="")
        return self._with(assignment.replica.id, member)

    def dismissing(self, replica: ReplicaId, reason: str) -> Roster:
        """The leader wants it no more."""
        return self._with(replica, replace(self.members[replica], dismissed=reason))

    def noting(self, status: ReplicaStatus) -> Roster:
        """Its actor said something."""
        known = self.members.get(status.replica)
        return self if known is None else self._with(status.replica, replace(known, status=status))

    def surveying(self, replica: ReplicaId) -> Roster:
        """Its actor knows where it stands."""
        known = self.members.get(replica)
        return self if known is None else self._with(replica, replace(known, surveyed=True))

    def without(self, replica: ReplicaId) -> Roster:
        """Nothing of it is left."""
        return Roster({each: known for each, known in self.members.items() if each != replica})

    def _with(self, replica: ReplicaId, member: Member) -> Roster:
        return Roster({**self.members, replica: member})

    # --- what follows ---

    @property
    def surveyed(self) -> bool:
        """Whether it is known where all of them stand."""
        return all(each.surveyed for each in self.members.values())

    @property
    def statuses(self) -> tuple[ReplicaStatus, ...]:
        """What the actors said last."""
        return tuple(each.status for each in self.members.values() if each.status is not None)

    def serves(self, project: str) -> bool:
        """Whether a project has replicas here."""
        return any(each.record.replica.service.project == project for each in self.members.values())

    def missing_from(self, assignments: Iterable[Assignment]) -> list[ReplicaId]:
        """Replicas that a complete set does not name."""
        named = {each.replica.id for each in assignments}
        return [each for each in self.members if each not in named]

    def news_of(self, containers: Iterable[ContainerSummary]) -> Iterator[ReplicaId]:
        """Replicas that a list shows something new of; most lists show nothing new."""
        listed = {naming.replica_of(each.labels): each for each in containers}
        for replica, member in self.members.items():
            if member.differs_from(listed.get(replica)):
                yield replica

    def orphans(self, containers: Iterable[ContainerSummary]) -> Iterator[ContainerSummary]:
        """Containers of this node that no replica has."""
        for each in containers:
            if naming.replica_of(each.labels) not in self.members:
                yield each
